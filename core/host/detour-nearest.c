/* detour-nearest.c: finds the most similar word, for suggestions.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-nearest.h"

#include <string.h>

#define WORD_MAX 64

/* Edit distance: letters inserted, removed, replaced or swapped with their neighbour. */
static guint
nearest_slips (const char *a, gsize n_a, const char *b, gsize n_b)
{
  guint rows[3][WORD_MAX + 1];

  for (gsize j = 0; j <= n_b; j++)
    rows[0][j] = (guint) j;
  for (gsize i = 1; i <= n_a; i++)
    {
      guint *now = rows[i % 3];
      const guint *before = rows[(i - 1) % 3];
      const guint *two_before = rows[(i + 1) % 3];

      now[0] = (guint) i;
      for (gsize j = 1; j <= n_b; j++)
        {
          guint best = before[j - 1] + (a[i - 1] != b[j - 1]);

          best = MIN (best, before[j] + 1);
          best = MIN (best, now[j - 1] + 1);
          if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
            best = MIN (best, two_before[j - 2] + 1);
          now[j] = best;
        }
    }
  return rows[n_a % 3][n_b];
}

const char *
detour_nearest (const char *word, const char *const *candidates)
{
  const char *best = NULL;
  guint fewest = G_MAXUINT;
  gsize n_word = strlen (word);

  if (n_word == 0 || n_word > WORD_MAX)
    return NULL;
  for (; *candidates != NULL; candidates++)
    {
      gsize n = strlen (*candidates);
      guint d;

      if (n > WORD_MAX)
        continue;
      d = nearest_slips (word, n_word, *candidates, n);
      if (d <= (MAX (n, n_word) + 2) / 3 && d < n && d < fewest)
        {
          fewest = d;
          best = *candidates;
        }
    }
  return best;
}

const char *
detour_nearest_key (const char *word, const char *const *candidates)
{
  g_autofree char *end = g_strconcat ("-", word, NULL);

  for (guint i = 0; candidates[i] != NULL; i++)
    if (g_str_has_suffix (candidates[i], end))
      return candidates[i];
  return detour_nearest (word, candidates);
}
