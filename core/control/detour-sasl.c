/* detour-sasl.c: the daemon's side of the authentication with which a D-Bus connection begins.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-sasl.h"

#include <string.h>

void
detour_sasl_init (DetourSasl *self, uid_t uid, const char *guid)
{
  *self = (DetourSasl) { .state = DETOUR_SASL_NUL, .uid = uid, .guid = guid };
}

/* Whether @hex, the digits of a decimal number as hex bytes, is the peer's user id. */
static gboolean
sasl_is_uid (const DetourSasl *self, const char *hex)
{
  g_autofree char *uid = g_strdup_printf ("%lu", (gulong) self->uid);
  gsize len = strlen (uid);

  if (strlen (hex) != 2 * len)
    return FALSE;
  for (gsize i = 0; i < len; i++)
    if (g_ascii_xdigit_value (hex[2 * i]) * 16 + g_ascii_xdigit_value (hex[2 * i + 1]) != uid[i])
      return FALSE;
  return TRUE;
}

static void
sasl_accept (DetourSasl *self, GString *answer)
{
  self->state = DETOUR_SASL_OK;
  g_string_append_printf (answer, "OK %s\r\n", self->guid);
}

static void
sasl_reject (DetourSasl *self, GString *answer)
{
  self->state = DETOUR_SASL_AUTH;
  g_string_append (answer, "REJECTED EXTERNAL\r\n");
}

/* @claim: NULL or empty when the peer leaves it to the kernel. */
static void
sasl_judge (DetourSasl *self, const char *claim, GString *answer)
{
  if (claim == NULL || *claim == '\0' || sasl_is_uid (self, claim))
    sasl_accept (self, answer);
  else
    sasl_reject (self, answer);
}

static void
sasl_on_auth (DetourSasl *self, const char *rest, GString *answer)
{
  if (strcmp (rest, "EXTERNAL") == 0)
    {
      self->state = DETOUR_SASL_DATA;
      g_string_append (answer, "DATA\r\n");
    }
  else if (g_str_has_prefix (rest, "EXTERNAL "))
    sasl_judge (self, rest + strlen ("EXTERNAL "), answer);
  else
    sasl_reject (self, answer);
}

static DetourSaslResult
sasl_on_line (DetourSasl *self, const char *line, GString *answer)
{
  if (strcmp (line, "BEGIN") == 0)
    return self->state == DETOUR_SASL_OK ? DETOUR_SASL_DONE : DETOUR_SASL_BAD;
  if (strcmp (line, "AUTH") == 0)
    sasl_reject (self, answer);
  else if (g_str_has_prefix (line, "AUTH ") && self->state == DETOUR_SASL_AUTH)
    sasl_on_auth (self, line + strlen ("AUTH "), answer);
  else if (strcmp (line, "DATA") == 0 && self->state == DETOUR_SASL_DATA)
    sasl_accept (self, answer);
  else if (g_str_has_prefix (line, "DATA ") && self->state == DETOUR_SASL_DATA)
    sasl_judge (self, line + strlen ("DATA "), answer);
  else if (strcmp (line, "CANCEL") == 0)
    sasl_reject (self, answer);
  else /* also NEGOTIATE_UNIX_FD: no call here takes a descriptor */
    g_string_append (answer, "ERROR\r\n");
  return DETOUR_SASL_MORE;
}

/* A line is complete, with its line feed. */
static DetourSaslResult
sasl_end_line (DetourSasl *self, GString *answer)
{
  gsize len = self->n_line;

  self->n_line = 0;
  self->n_lines++;
  if (self->n_lines > DETOUR_SASL_LINES_MAX || len < 2 || self->line[len - 2] != '\r'
      || memchr (self->line, '\0', len) != NULL)
    return DETOUR_SASL_BAD;
  self->line[len - 2] = '\0';
  return sasl_on_line (self, self->line, answer);
}

static DetourSaslResult
sasl_take_byte (DetourSasl *self, guint8 byte, GString *answer)
{
  if (self->state == DETOUR_SASL_NUL)
    {
      self->state = DETOUR_SASL_AUTH;
      return byte == 0 ? DETOUR_SASL_MORE : DETOUR_SASL_BAD;
    }
  if (self->n_line == DETOUR_SASL_LINE_MAX)
    return DETOUR_SASL_BAD;
  self->line[self->n_line++] = (char) byte;
  return byte == '\n' ? sasl_end_line (self, answer) : DETOUR_SASL_MORE;
}

DetourSaslResult
detour_sasl_take (DetourSasl *self, const guint8 *bytes, gsize len, gsize *used, GString *answer)
{
  DetourSaslResult result = DETOUR_SASL_MORE;
  gsize i = 0;

  while (i < len && result == DETOUR_SASL_MORE)
    result = sasl_take_byte (self, bytes[i++], answer);
  *used = i;
  return result;
}
