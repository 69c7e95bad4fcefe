/* detour-ban.c: one ban of a key or of a network, and the lines by which bans are kept in a file.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-ban.h"

#include <glib/gi18n-lib.h>

#include "detour-log.h"
#include "detour-text.h"

#define PREFIX "nodekey:"

/* Networks with fewer bits are refused: a part of the internet, of IPv4 and of IPv6. */
#define BITS_MIN_V4 (96 + 8)
#define BITS_MIN_V6 16

G_DEFINE_QUARK (detour - ban - error - quark, detour_ban_error)

gboolean
detour_ban_target_parse (const char *text, DetourBanTarget *out, GError **error)
{
  g_autoptr (GError) local = NULL;

  memset (out, 0, sizeof *out);
  if (g_str_has_prefix (text, PREFIX))
    {
      out->is_key = TRUE;
      if (detour_key_parse (&out->key, text, PREFIX))
        return TRUE;
      g_set_error (error, DETOUR_BAN_ERROR, DETOUR_BAN_ERROR_TARGET,
                   _ ("\"%s\" is not a key: write nodekey: and 64 hex digits"), text);
      return FALSE;
    }
  if (strpbrk (text, ".:/") == NULL)
    {
      g_set_error (error, DETOUR_BAN_ERROR, DETOUR_BAN_ERROR_TARGET,
                   _ ("\"%s\" is neither a key nor a network: write nodekey: and 64 hex digits, an "
                      "address, or ADDRESS/BITS"),
                   text);
      return FALSE;
    }
  if (detour_cidr_parse (text, &out->network, &local))
    return TRUE;
  g_set_error_literal (error, DETOUR_BAN_ERROR, DETOUR_BAN_ERROR_TARGET, local->message);
  return FALSE;
}

const char *
detour_ban_target_format (const DetourBanTarget *self, char *out)
{
  char network[DETOUR_ADDRESS_TEXT_MAX], hex[DETOUR_KEY_HEX_SIZE + 1];

  if (self->is_key)
    {
      detour_key_to_hex (&self->key, hex);
      g_snprintf (out, DETOUR_BAN_TARGET_MAX, PREFIX "%s", hex);
    }
  else
    g_strlcpy (out, detour_cidr_format (&self->network, network), DETOUR_BAN_TARGET_MAX);
  return out;
}

const char *
detour_ban_target_field (const DetourBanTarget *self)
{
  return self->is_key ? DETOUR_LOG_KEY : DETOUR_LOG_ADDRESS;
}

gboolean
detour_ban_target_is_narrow (const DetourBanTarget *self, GError **error)
{
  static const DetourCidr all_v4 = { { [10] = 0xff, [11] = 0xff }, 96 };
  gboolean is_v4 = detour_cidr_covers (&all_v4, &self->network);
  char text[DETOUR_ADDRESS_TEXT_MAX];

  if (self->is_key || (is_v4 && self->network.bits >= BITS_MIN_V4)
      || (!is_v4 && self->network.bits >= BITS_MIN_V6
          && !detour_cidr_covers (&self->network, &all_v4)))
    return TRUE;
  g_set_error (error, DETOUR_BAN_ERROR, DETOUR_BAN_ERROR_WIDE,
               /* TRANSLATORS: a network, as in 0.0.0.0/0. */
               _ ("%s is so large that it may be a slip; it would keep out whole parts of the "
                  "internet. Use --force if that is what you want"),
               detour_cidr_format (&self->network, text));
  return FALSE;
}

gboolean
detour_ban_reason_check (const char *reason, GError **error)
{
  gboolean is_good = strlen (reason) <= DETOUR_BAN_REASON_MAX && g_utf8_validate (reason, -1, NULL);

  for (const char *at = reason; is_good && *at != '\0'; at = g_utf8_next_char (at))
    is_good = !detour_text_is_hidden (g_utf8_get_char (at));
  if (!is_good)
    g_set_error (error, DETOUR_BAN_ERROR, DETOUR_BAN_ERROR_REASON,
                 _ ("the reason is to be one line of text with at most %u bytes, all of which can "
                    "be seen"),
                 DETOUR_BAN_REASON_MAX);
  return is_good;
}

DetourBan *
detour_ban_new (const DetourBanTarget *target, gint64 since_us, gint64 until_us, const char *reason)
{
  DetourBan *self = g_new0 (DetourBan, 1);

  self->target = *target;
  detour_ban_target_format (target, self->text);
  self->since_us = since_us;
  self->until_us = until_us;
  self->reason = g_strdup (reason);
  return self;
}

void
detour_ban_free (DetourBan *self)
{
  g_free (self->reason);
  g_free (self);
}

char *
detour_ban_describe (const DetourBan *self)
{
  GString *text = g_string_new ("banned by the operator");

  if (!self->target.is_key)
    g_string_append_printf (text, ", with all of %s", self->text);
  if (self->until_us > 0)
    {
      g_autoptr (GDateTime) until = g_date_time_new_from_unix_utc (self->until_us / G_USEC_PER_SEC);
      g_autofree char *time = until != NULL ? g_date_time_format (until, "%Y-%m-%dT%H:%M:%SZ")
                                            : NULL;

      g_string_append_printf (text, " until %s", time != NULL ? time : "a time far away");
    }
  if (*self->reason != '\0')
    g_string_append_printf (text, ": %s", self->reason);
  return g_string_free (text, FALSE);
}

/* The file ------------------------------------------------------------------------------------- */

void
detour_ban_write (const DetourBan *self, GString *out)
{
  g_string_append_printf (out, "%s %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "%s%s\n", self->text,
                          self->since_us, self->until_us, *self->reason != '\0' ? " " : "",
                          self->reason);
}

static gboolean
ban_read_time (const char *text, gint64 *out)
{
  guint64 number;

  if (text == NULL || !g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT64, &number, NULL))
    return FALSE;
  *out = (gint64) number;
  return TRUE;
}

/* NULL: the line is none. */
static DetourBan *
ban_read_line (const char *line)
{
  g_auto (GStrv) parts = g_strsplit (line, " ", 4);
  guint n = g_strv_length (parts);
  const char *reason = n > 3 ? parts[3] : "";
  DetourBanTarget target;
  gint64 since_us, until_us;

  if (n < 3 || !detour_ban_target_parse (parts[0], &target, NULL)
      || !ban_read_time (parts[1], &since_us) || !ban_read_time (parts[2], &until_us)
      || !detour_ban_reason_check (reason, NULL))
    return NULL;
  return detour_ban_new (&target, since_us, until_us, reason);
}

guint
detour_ban_read (const char *text, gsize len, void (*take) (DetourBan *ban, gpointer data),
                 gpointer data)
{
  const char *end = text + len;
  gboolean has_head = len >= strlen (DETOUR_BAN_FILE_HEAD)
                   && memcmp (text, DETOUR_BAN_FILE_HEAD, strlen (DETOUR_BAN_FILE_HEAD)) == 0;
  guint number = 1, wrong = has_head ? 0 : 1;

  text += has_head ? strlen (DETOUR_BAN_FILE_HEAD) : 0;
  while (text < end)
    {
      const char *feed = memchr (text, '\n', (gsize) (end - text));
      const char *stop = feed != NULL ? feed : end;
      g_autofree char *line = g_strndup (text, (gsize) (stop - text));
      /* A line without an end may be a part of one. */
      gboolean is_whole = feed != NULL && strlen (line) == (gsize) (stop - text);
      DetourBan *ban = is_whole ? ban_read_line (line) : NULL;

      number++;
      if (ban != NULL)
        take (ban, data);
      else if (wrong == 0)
        wrong = number;
      text = stop + 1;
    }
  return wrong;
}
