/* acme-problem.c: why a run failed, in the CA's own words and in ours.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-problem.h"

#include "acme-json.h"

#include <string.h>

#define SUBPROBLEMS_MAX 16
#define BODY_SHOWN_MAX  200

void
acme_problem_clear (AcmeProblem *self)
{
  g_free (self->type);
  g_free (self->detail);
  g_free (self->name);
  g_free (self->help);
  g_free (self->address);
  g_free (self->remedy);
  *self = (AcmeProblem) { 0 };
}

gboolean
acme_problem_set (AcmeProblem *self, const char *type, const char *format, ...)
{
  g_autofree char *detail = NULL;
  va_list args;

  va_start (args, format);
  detail = g_strdup_vprintf (format, args);
  va_end (args);
  acme_problem_clear (self);
  self->type = g_strdup (type);
  self->detail = g_utf8_make_valid (detail, -1);
  return FALSE;
}

/* Not one that moves a cursor, or turns the direction of writing. */
static gboolean
acme_problem_is_visible (gunichar code)
{
  switch (g_unichar_type (code))
    {
    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
    case G_UNICODE_SURROGATE:
    case G_UNICODE_PRIVATE_USE:
    case G_UNICODE_UNASSIGNED:
      return FALSE;
    default:
      return TRUE;
    }
}

/* Shortened between characters, and only what can be seen. */
static char *
acme_problem_words (const char *text, gsize len_max)
{
  gsize len = strnlen (text, len_max + 1);
  g_autofree char *valid = NULL;
  GString *words = g_string_new (NULL);

  if (len > len_max)
    {
      len = len_max;
      while (len > 0 && (text[len] & 0xc0) == 0x80)
        len--;
    }
  valid = g_utf8_make_valid (text, (gssize) len);
  for (const char *c = valid; *c != '\0'; c = g_utf8_next_char (c))
    {
      gunichar code = g_utf8_get_char (c);

      g_string_append_unichar (words, acme_problem_is_visible (code) ? code : ' ');
    }
  g_strstrip (words->str);
  return g_string_free (words, FALSE);
}

/* "caa: example.com: CAA record forbids issuance", for each subproblem. */
static void
acme_problem_add_parts (AcmeProblem *self, GString *detail, JsonArray *parts)
{
  for (guint i = 0; i < json_array_get_length (parts) && i < SUBPROBLEMS_MAX; i++)
    {
      JsonObject *part = acme_json_element (parts, i);
      const char *type = acme_json_get_string (part, "type");
      const char *words = acme_json_get_string (part, "detail");
      const char *name = acme_json_get_string (acme_json_get_object (part, "identifier"), "value");
      g_autofree char *line = NULL;

      if (words == NULL)
        words = type;
      if (words == NULL)
        continue;
      line = name != NULL ? g_strdup_printf ("%s: %s", name, words) : g_strdup (words);
      g_string_append_printf (detail, "%s%s", detail->len > 0 ? "; " : "", line);
      if (name != NULL && self->name == NULL)
        self->name = acme_problem_words (name, 256);
    }
}

gboolean
acme_problem_set_object (AcmeProblem *self, JsonObject *object, guint status)
{
  const char *type = acme_json_get_string (object, "type");
  const char *words = acme_json_get_string (object, "detail");
  const char *instance = acme_json_get_string (object, "instance");
  JsonArray *parts = acme_json_get_array (object, "subproblems");
  g_autoptr (GString) detail = g_string_new (NULL);

  acme_problem_clear (self);
  if (words == NULL)
    words = acme_json_get_string (object, "title");
  if (words != NULL)
    g_string_append (detail, words);
  if (parts != NULL)
    acme_problem_add_parts (self, detail, parts);
  if (detail->len == 0)
    g_string_append (detail, "the CA gave no reason");
  self->type = type != NULL ? acme_problem_words (type, 256) : g_strdup ("about:blank");
  self->detail = acme_problem_words (detail->str, ACME_JSON_WORDS_MAX);
  self->status = status != 0 ? status : (guint) acme_json_get_int (object, "status", 100, 599, 0);
  if (instance != NULL)
    self->help = acme_problem_words (instance, ACME_JSON_WORDS_MAX);
  return FALSE;
}

gboolean
acme_problem_set_body (AcmeProblem *self, guint status, const char *body, gsize len)
{
  g_autoptr (JsonObject)
      object = acme_json_parse (body, len, G_MAXUINT16, NULL); /* not JSON: shown as it is */
  g_autofree char *text = NULL;
  g_autofree char *shown = NULL;

  if (object != NULL
      && (acme_json_get_string (object, "type") != NULL
          || acme_json_get_string (object, "detail") != NULL))
    return acme_problem_set_object (self, object, status);
  text = g_strndup (body != NULL ? body : "", len);
  shown = acme_problem_words (text, BODY_SHOWN_MAX);
  if (*shown != '\0')
    acme_problem_set (self, "protocol", "status %u: %s", status, shown);
  else
    acme_problem_set (self, "protocol", "status %u without a word", status);
  self->status = status;
  return FALSE;
}

gboolean
acme_problem_is (const AcmeProblem *self, const char *word)
{
  return self->type != NULL && g_str_has_prefix (self->type, ACME_PROBLEM_URN)
      && strcmp (self->type + strlen (ACME_PROBLEM_URN), word) == 0;
}

gboolean
acme_problem_is_profile (const AcmeProblem *self)
{
  if (acme_problem_is (self, "invalidProfile"))
    return TRUE;
  return (acme_problem_is (self, "malformed") || acme_problem_is (self, "unauthorized"))
      && self->detail != NULL && strcasestr (self->detail, "profile") != NULL;
}
