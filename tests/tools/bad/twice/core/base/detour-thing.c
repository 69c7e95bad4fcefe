/* detour-thing.c: takes the greater and the lesser of what changes meanwhile.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

gint64
detour_thing_left_us (gint64 end_us)
{
  gint64 left_us = MAX (end_us - g_get_monotonic_time (), 0);
  guint n = MIN (strlen (text),
                 (gsize) g_random_int_range (1, 9));
  int ready = CLAMP (MAX (left_us, epoll_wait (fd, events, n, 0)), 0, 5);
  gint64 now_us = g_get_monotonic_time () + MAX (thing_length (self), 1);

  /* MIN (g_get_real_time (), 0) is only spoken of. */
  return ready > 0 ? MIN (now_us, 7) : n;
}
