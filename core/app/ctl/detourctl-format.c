/* detourctl-format.c: numbers, times and texts as people read them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-format.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detour-log.h"

#define NO_BREAK_SPACE "\302\240"

#define SECOND G_GUINT64_CONSTANT (1000000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

char *
detourctl_format_count (guint64 value)
{
  /* TRANSLATORS: stands between groups of three digits. */
  const char *separator = C_ ("thousands", ",");
  g_autofree char *digits = g_strdup_printf ("%" G_GUINT64_FORMAT, value);
  gsize n = strlen (digits);
  GString *out = g_string_new (NULL);

  for (gsize i = 0; i < n; i++)
    {
      if (i > 0 && (n - i) % 3 == 0)
        g_string_append (out, separator);
      g_string_append_c (out, digits[i]);
    }
  return g_string_free (out, FALSE);
}

/* Up to @decimals digits behind the point, without zeros at the end. */
static char *
ctl_format_decimal (double value, guint decimals)
{
  char digits[G_ASCII_DTOSTR_BUF_SIZE];
  char format[8];
  char *point;
  gsize n;

  g_snprintf (format, sizeof format, "%%.%uf", decimals);
  g_ascii_formatd (digits, sizeof digits, format, value);
  point = strchr (digits, '.');
  if (point == NULL)
    return detourctl_format_count (g_ascii_strtoull (digits, NULL, 10));
  n = strlen (digits);
  while (digits[n - 1] == '0')
    digits[--n] = '\0';
  *point = '\0';
  {
    g_autofree char *whole = detourctl_format_count (g_ascii_strtoull (digits, NULL, 10));

    if (point[1] == '\0')
      return g_steal_pointer (&whole);
    /* TRANSLATORS: the decimal point. */
    return g_strconcat (whole, C_ ("decimal", "."), point + 1, NULL);
  }
}

/* Three significant digits. */
static char *
ctl_format_three (double value)
{
  return ctl_format_decimal (value, value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

char *
detourctl_format_rate (guint64 bytes, guint64 duration_us)
{
  static const char *const units[] = { N_ ("bit/s"), N_ ("kbit/s"), N_ ("Mbit/s"), N_ ("Gbit/s"),
                                       N_ ("Tbit/s") };
  double value = (double) bytes * 8 * SECOND / (double) MAX (duration_us, 1);
  g_autofree char *number = NULL;
  guint unit = 0;

  for (; value >= 999.5 && unit + 1 < G_N_ELEMENTS (units); unit++)
    value /= 1000;
  number = unit == 0 ? ctl_format_decimal (value, 0) : ctl_format_three (value);
  return g_strdup_printf ("%s %s", number, _ (units[unit]));
}

char *
detourctl_format_size (guint64 bytes)
{
  static const char *const units[] = { N_ ("B"),   N_ ("KiB"), N_ ("MiB"),
                                       N_ ("GiB"), N_ ("TiB"), N_ ("PiB") };
  double value = (double) bytes;
  g_autofree char *number = NULL;
  guint unit = 0;

  for (; value >= 1023.5 && unit + 1 < G_N_ELEMENTS (units); unit++)
    value /= 1024;
  number = unit == 0 ? detourctl_format_count (bytes)
                     : ctl_format_decimal (value, value >= 100 ? 0 : 1);
  return g_strdup_printf ("%s %s", number, _ (units[unit]));
}

char *
detourctl_format_per_second (guint64 n, guint64 duration_us)
{
  double value = (double) n * SECOND / (double) MAX (duration_us, 1);

  return ctl_format_decimal (value, value >= 10 || value == 0 ? 0 : 1);
}

char *
detourctl_format_share (guint64 part, guint64 whole)
{
  double share = whole > 0 ? 100.0 * (double) part / (double) whole : 0;
  g_autofree char *number = NULL;

  if (part > 0 && share < 0.01)
    /* TRANSLATORS: a percentage; write the number like those beside it. */
    return g_strdup (_ ("< 0.01 %"));
  number = ctl_format_decimal (share, share >= 10 ? 0 : 2);
  return g_strdup_printf ("%s %%", number);
}

char *
detourctl_format_duration (guint64 us)
{
  guint64 n;
  g_autofree char *count = NULL;

  if (us >= 2 * DAY)
    {
      count = detourctl_format_count (n = us / DAY);
      return g_strdup_printf (ngettext ("%s day", "%s days", n), count);
    }
  if (us >= 2 * HOUR)
    {
      count = detourctl_format_count (n = us / HOUR);
      return g_strdup_printf (ngettext ("%s hour", "%s hours", n), count);
    }
  if (us >= 2 * MINUTE)
    {
      count = detourctl_format_count (n = us / MINUTE);
      return g_strdup_printf (ngettext ("%s minute", "%s minutes", n), count);
    }
  count = detourctl_format_count (n = us / SECOND);
  return g_strdup_printf (ngettext ("%s second", "%s seconds", n), count);
}

char *
detourctl_format_latency (guint64 us)
{
  double ms = (double) us / 1000;
  g_autofree char *number = ms < 1000 ? ctl_format_decimal (ms, ms >= 100 ? 0 : 1)
                                      : ctl_format_decimal (ms / 1000, 1);

  return g_strdup_printf (ms < 1000 ? _ ("%s ms") : _ ("%s s"), number);
}

char *
detourctl_format_age (guint64 us)
{
  /* TRANSLATORS: short forms of days, hours, minutes and seconds, for a narrow column of a table.
   */
  if (us >= DAY)
    return g_strdup_printf (_ ("%ud %uh"), (guint) (us / DAY), (guint) (us % DAY / HOUR));
  if (us >= HOUR)
    return g_strdup_printf (_ ("%uh %um"), (guint) (us / HOUR), (guint) (us % HOUR / MINUTE));
  if (us >= MINUTE)
    return g_strdup_printf (_ ("%um %us"), (guint) (us / MINUTE), (guint) (us % MINUTE / SECOND));
  return g_strdup_printf (_ ("%us"), (guint) (us / SECOND));
}

char *
detourctl_format_time (guint64 us)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc ((gint64) (us / SECOND));

  return time != NULL ? g_date_time_format (time, "%Y-%m-%dT%H:%M:%SZ") : g_strdup ("");
}

char *
detourctl_format_links (const char *clients, guint64 n_links)
{
  g_autofree char *links = detourctl_format_count (n_links);

  if (n_links == 0)
    return g_strdup (clients);
  /* TRANSLATORS: "12 clients kept", and a number of connections to other servers. */
  return g_strdup_printf (
      ngettext ("%s and %s link of the mesh", "%s and %s links of the mesh", (gulong) n_links),
      clients, links);
}

char *
detourctl_format_kept (guint64 n_clients, guint64 n_links)
{
  g_autofree char *count = detourctl_format_count (n_clients);
  g_autofree char *clients = g_strdup_printf (
      ngettext ("%s client kept", "%s clients kept", (gulong) n_clients), count);

  return detourctl_format_links (clients, n_links);
}

char *
detourctl_format_safe (const char *text)
{
  return detour_log_escape (text, -1);
}

char *
detourctl_format_clause (const char *text)
{
  gsize len = strlen (text);

  while (len > 0 && strchr (". \n", text[len - 1]) != NULL)
    len--;
  return g_strndup (text, len);
}

char *
detourctl_format_middle (const char *text, guint width)
{
  char *out = g_utf8_make_valid (text, -1);
  g_autofree char *valid = g_strdup (out);
  glong n = g_utf8_strlen (valid, -1);
  glong head = MIN (n / 2, (glong) width), tail = head;

  /* Characters have different widths: those in the middle go until the rest fits. */
  while (detourctl_format_width (out) > width && head > 0)
    {
      g_autofree char *first = g_utf8_substring (valid, 0, head);

      g_free (out);
      out = g_strdup_printf ("%s…%s", first, g_utf8_offset_to_pointer (valid, n - tail));
      if (tail < head)
        head--;
      else
        tail--;
    }
  return out;
}

char *
detourctl_format_word (const char *text)
{
  static const char plain[] = G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "/._-+:@=,";

  return *text != '\0' && strspn (text, plain) == strlen (text) ? g_strdup (text)
                                                                : g_shell_quote (text);
}

guint
detourctl_format_width (const char *text)
{
  guint width = 0;

  for (; *text != '\0'; text = g_utf8_next_char (text))
    {
      gunichar c = g_utf8_get_char (text);

      if (!g_unichar_iszerowidth (c))
        width += g_unichar_iswide (c) ? 2 : 1;
    }
  return width;
}

char *
detourctl_format_wrap (const char *text, guint first, guint indent, guint width)
{
  g_auto (GStrv) words = g_strsplit (text, " ", -1);
  GString *out = g_string_new (NULL);
  guint column = first;
  gboolean at_start = TRUE;

  for (guint i = 0; words[i] != NULL; i++)
    {
      guint n = detourctl_format_width (words[i]);

      /* Spaces at the end and at the beginning of a line are left out. */
      if (n == 0
          && (at_start || words[i + 1] == NULL
              || column + 2 + detourctl_format_width (words[i + 1]) > width))
        continue;
      if (!at_start && column + 1 + n > width)
        {
          g_string_append_c (out, '\n');
          g_string_append_printf (out, "%*s", (int) indent, "");
          column = indent;
          at_start = TRUE;
        }
      if (!at_start)
        {
          g_string_append_c (out, ' ');
          column++;
        }
      g_string_append (out, words[i]);
      column += n;
      at_start = FALSE;
    }
  g_string_replace (out, NO_BREAK_SPACE, " ", 0);
  return g_string_free (out, FALSE);
}
