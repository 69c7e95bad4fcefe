/* acme-header.c: what a CA says in the headers of its answers.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-header.h"

#include <stdio.h>
#include <string.h>

/* A year: more is a mistake, and sums with it must not wrap. */
#define RETRY_AFTER_MAX_S (365 * G_GINT64_CONSTANT (86400))

gboolean
acme_header_is_url (const char *url)
{
  g_autoptr (GUri) uri = NULL;

  if (strnlen (url, ACME_URL_MAX + 1) > ACME_URL_MAX)
    return FALSE;
  for (const char *c = url; *c != '\0'; c++)
    if ((guchar) *c <= ' ' || (guchar) *c >= 0x7f)
      return FALSE;
  uri = g_uri_parse (url, G_URI_FLAGS_NONE, NULL);
  return uri != NULL && g_strcmp0 (g_uri_get_scheme (uri), "https") == 0
      && g_uri_get_host (uri) != NULL && *g_uri_get_host (uri) != '\0'
      && g_uri_get_userinfo (uri) == NULL && g_uri_get_fragment (uri) == NULL;
}

char *
acme_header_resolve (const char *base, const char *target)
{
  g_autofree char *url = NULL;

  /* What is absolute stays as it is, byte for byte, because that is what is signed. */
  if (acme_header_is_url (target))
    return g_strdup (target);
  if (strnlen (target, ACME_URL_MAX + 1) > ACME_URL_MAX)
    return NULL;
  url = g_uri_resolve_relative (base, target, G_URI_FLAGS_ENCODED, NULL);
  return url != NULL && acme_header_is_url (url) ? g_steal_pointer (&url) : NULL;
}

/* Times --------------------------------------------------------------------------------------- */

/* "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994". */
static gboolean
acme_header_parse_date (const char *value, gint64 *out_s)
{
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  char name[4] = "";
  int day, year, hour, minute, second;
  const char *rest = strchr (value, ',');
  const char *month;
  g_autoptr (GDateTime) time = NULL;

  if (rest != NULL
      && (sscanf (rest + 1, " %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT", &day, name, &year, &hour,
                  &minute, &second)
              == 6
          || sscanf (rest + 1, " %2d-%3[A-Za-z]-%4d %2d:%2d:%2d GMT", &day, name, &year, &hour,
                     &minute, &second)
                 == 6))
    {
      if (year < 100)
        year += year < 70 ? 2000 : 1900;
    }
  else if (rest != NULL
           || sscanf (value, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d", name, &day, &hour,
                      &minute, &second, &year)
                  != 6)
    return FALSE;
  month = strlen (name) == 3 ? strstr (months, name) : NULL;
  if (month == NULL || (month - months) % 3 != 0)
    return FALSE;
  if (second == 60)
    second = 59;
  time = g_date_time_new_utc (year, (int) (month - months) / 3 + 1, day, hour, minute, second);
  if (time == NULL)
    return FALSE;
  *out_s = g_date_time_to_unix (time);
  return TRUE;
}

gint64
acme_header_retry_after (const char *value, gint64 now_s)
{
  guint64 seconds;
  gint64 then_s;

  while (*value == ' ' || *value == '\t')
    value++;
  if (g_ascii_isdigit (*value))
    {
      char *end;

      seconds = g_ascii_strtoull (value, &end, 10);
      while (*end == ' ' || *end == '\t')
        end++;
      return *end == '\0' ? (gint64) MIN (seconds, (guint64) RETRY_AFTER_MAX_S) : 0;
    }
  if (!acme_header_parse_date (value, &then_s) || then_s <= now_s)
    return 0;
  return MIN (then_s - now_s, RETRY_AFTER_MAX_S);
}

gint64
acme_header_retry_after_words (const char *words, gint64 now_s)
{
  const char *until = strstr (words, "retry after ");
  int year, month, day, hour, minute, second;
  g_autoptr (GDateTime) time = NULL;
  gint64 then_s;

  if (until == NULL
      || sscanf (until, "retry after %4d-%2d-%2d %2d:%2d:%2d UTC", &year, &month, &day, &hour,
                 &minute, &second)
             != 6)
    return 0;
  time = g_date_time_new_utc (year, month, day, hour, minute, second);
  then_s = time != NULL ? g_date_time_to_unix (time) : 0;
  return then_s > now_s ? MIN (then_s - now_s, RETRY_AFTER_MAX_S) : 0;
}

GDateTime *
acme_header_parse_time (const char *text)
{
  /* GLib takes more of ISO 8601 than RFC 3339 has, all of which says what it means, but one form:
   * without a zone it could be any. */
  g_autoptr (GTimeZone) utc = NULL;
  gsize len = strlen (text);

  if (len < strlen ("2026-01-01T00:00:00Z") || len > 40
      || (text[10] != 'T' && text[10] != 't' && text[10] != ' ')
      || strpbrk (text + 19, "Zz+-") == NULL)
    return NULL;
  utc = g_time_zone_new_utc ();
  return g_date_time_new_from_iso8601 (text, utc);
}

/* Links --------------------------------------------------------------------------------------- */

/* The next @stop, or the end, that is outside of quotes. */
static const char *
acme_header_skip_to (const char *from, const char *end, char stop)
{
  gboolean quoted = FALSE;

  for (; from < end && (quoted || *from != stop); from++)
    if (*from == '"')
      quoted = !quoted;
  return from;
}

/* rel="next alternate": whether @rel is one of the words. Changes @parameter. */
static gboolean
acme_header_is_rel (char *parameter, const char *rel)
{
  g_auto (GStrv) words = NULL;
  char *value = strchr (parameter, '=');

  if (value == NULL)
    return FALSE;
  *value++ = '\0';
  if (g_ascii_strcasecmp (g_strstrip (parameter), "rel") != 0)
    return FALSE;
  words = g_strsplit_set (value, " \t\"", 32);
  for (guint i = 0; words[i] != NULL; i++)
    if (g_ascii_strcasecmp (words[i], rel) == 0)
      return TRUE;
  return FALSE;
}

/* Whether the parameters from @from to @end have that relation. */
static gboolean
acme_header_has_rel (const char *from, const char *end, const char *rel)
{
  while (from < end)
    {
      const char *next = acme_header_skip_to (from, end, ';');
      g_autofree char *parameter = g_strndup (from, (gsize) (next - from));

      if (acme_header_is_rel (parameter, rel))
        return TRUE;
      from = next + 1;
    }
  return FALSE;
}

void
acme_header_add_links (const char *value, const char *base, const char *rel, GPtrArray *found,
                       guint max)
{
  const char *open;

  while ((open = strchr (value, '<')) != NULL && found->len < max)
    {
      const char *close = strchr (open, '>');
      const char *end;

      if (close == NULL)
        break;
      end = acme_header_skip_to (close, close + strlen (close), ',');
      if (acme_header_has_rel (close + 1, end, rel))
        {
          g_autofree char *target = g_strndup (open + 1, (gsize) (close - open - 1));
          char *url = acme_header_resolve (base, target);

          if (url != NULL)
            g_ptr_array_add (found, url);
        }
      value = end;
    }
}
