/* fleet-diff.c: what changes from one text to another, for people.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-diff.h"

#include <string.h>

/* Unchanged lines that are shown around a change. */
#define AROUND 3u
/* Of the table below; what is larger is shown as taken away and put there as a whole. */
#define CELLS_MAX (4u << 20)

typedef struct {
  char **before, **after; /* lines between what both begin and end with */
  guint n_before, n_after;
} Middle;

/* One line of the answer. */
typedef struct {
  char sign; /* '-', '+', ' ' */
  const char *text;
} Line;

static void
fleet_diff_add (GArray *lines, char sign, const char *text)
{
  Line line = { sign, text };

  g_array_append_val (lines, line);
}

/* Length of the longest common sequence of the lines from each pair of places on. */
static guint32 *
fleet_diff_table (const Middle *middle)
{
  gsize width = middle->n_after + 1;
  guint32 *table = g_new0 (guint32, (middle->n_before + 1) * width);

  for (guint i = middle->n_before; i-- > 0;)
    for (guint k = middle->n_after; k-- > 0;)
      table[i * width + k] = strcmp (middle->before[i], middle->after[k]) == 0
                               ? table[(i + 1) * width + k + 1] + 1
                               : MAX (table[(i + 1) * width + k], table[i * width + k + 1]);
  return table;
}

static void
fleet_diff_compare (const Middle *middle, GArray *lines)
{
  gboolean is_small = (guint64) (middle->n_before + 1) * (middle->n_after + 1) <= CELLS_MAX;
  g_autofree guint32 *table = is_small ? fleet_diff_table (middle) : NULL;
  gsize width = middle->n_after + 1;
  guint i = 0, k = 0;

  while (i < middle->n_before || k < middle->n_after)
    {
      gboolean both = i < middle->n_before && k < middle->n_after;

      if (both && table != NULL && strcmp (middle->before[i], middle->after[k]) == 0)
        {
          fleet_diff_add (lines, ' ', middle->before[i++]);
          k++;
        }
      else if (i < middle->n_before
               && (!both || table == NULL
                   || table[(i + 1) * width + k] >= table[i * width + k + 1]))
        {
          fleet_diff_add (lines, '-', middle->before[i++]);
        }
      else
        {
          fleet_diff_add (lines, '+', middle->after[k++]);
        }
    }
}

/* Whether a change is within reach of the line. */
static gboolean
fleet_diff_is_shown (const GArray *lines, guint at)
{
  guint first = at > AROUND ? at - AROUND : 0;

  for (guint i = first; i < MIN (at + AROUND + 1, lines->len); i++)
    if (g_array_index (lines, Line, i).sign != ' ')
      return TRUE;
  return FALSE;
}

static char *
fleet_diff_write (const GArray *lines)
{
  GString *out = g_string_new (NULL);
  guint n_before = 1, n_after = 1;
  gboolean was_shown = FALSE;

  for (guint i = 0; i < lines->len; i++)
    {
      const Line *line = &g_array_index (lines, Line, i);
      gboolean shown = fleet_diff_is_shown (lines, i);

      if (shown && !was_shown)
        g_string_append_printf (out, "@@ -%u +%u @@\n", n_before, n_after);
      if (shown)
        g_string_append_printf (out, "%c%s\n", line->sign, line->text);
      was_shown = shown;
      n_before += line->sign != '+';
      n_after += line->sign != '-';
    }
  return g_string_free (out, FALSE);
}

/* Lines of a text, whose last one may have an end. */
static guint
fleet_diff_count (char **lines)
{
  guint n = g_strv_length (lines);

  return n > 0 && *lines[n - 1] == '\0' ? n - 1 : n;
}

char *
fleet_diff (const char *before, const char *after)
{
  g_auto (GStrv) old = g_strsplit (before, "\n", -1);
  g_auto (GStrv) new = g_strsplit (after, "\n", -1);
  g_autoptr (GArray) lines = g_array_new (FALSE, FALSE, sizeof (Line));
  guint n_old = fleet_diff_count (old), n_new = fleet_diff_count (new);
  guint first = 0, last = 0;
  Middle middle;

  while (first < MIN (n_old, n_new) && strcmp (old[first], new[first]) == 0)
    fleet_diff_add (lines, ' ', old[first++]);
  while (last < MIN (n_old, n_new) - first
         && strcmp (old[n_old - last - 1], new[n_new - last - 1]) == 0)
    last++;
  middle = (Middle) { old + first, new + first, n_old - first - last, n_new - first - last };
  fleet_diff_compare (&middle, lines);
  for (guint i = last; i > 0; i--)
    fleet_diff_add (lines, ' ', old[n_old - i]);
  return fleet_diff_write (lines);
}
