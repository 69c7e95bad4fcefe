/* test-ring.c: tests that a ring keeps order, content and its limit.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-ring.h"

#include <glib.h>
#include <string.h>

static gboolean
put (DetourRing *ring, guint8 value, gsize len)
{
  guint8 *room = detour_ring_reserve (ring, len);

  if (room == NULL)
    return FALSE;
  g_assert_cmpuint ((gsize) room % 16, ==, 0);
  memset (room, value, len);
  return TRUE;
}

static guint8 *
take (DetourRing *ring, guint8 value, gsize expected_len)
{
  gsize len;
  guint8 *message = detour_ring_next (ring, &len);

  g_assert_nonnull (message);
  g_assert_cmpuint (len, ==, expected_len);
  for (gsize i = 0; i < len; i++)
    g_assert_cmpuint (message[i], ==, value);
  return message;
}

static void
test_published_together (void)
{
  DetourRing *ring = detour_ring_new (1024);
  gsize len;

  g_assert_false (detour_ring_publish (ring));
  g_assert_true (detour_ring_is_empty (ring));
  g_assert_true (put (ring, 1, 10));
  g_assert_true (put (ring, 2, 0));
  g_assert_true (put (ring, 3, 33));
  g_assert_null (detour_ring_next (ring, &len));
  g_assert_true (detour_ring_is_empty (ring));
  g_assert_true (detour_ring_publish (ring));
  g_assert_false (detour_ring_publish (ring));
  g_assert_false (detour_ring_is_empty (ring));
  take (ring, 1, 10);
  take (ring, 2, 0);
  take (ring, 3, 33);
  g_assert_null (detour_ring_next (ring, &len));
  g_assert_true (detour_ring_is_empty (ring));
  detour_ring_free (ring);
}

static void
test_borrowed_until_release (void)
{
  DetourRing *ring = detour_ring_new (1024);
  guint8 *first;
  guint n = 0;

  while (put (ring, 7, 100))
    n++;
  g_assert_cmpuint (n, ==, 1024 / 128);
  g_assert_cmpuint (detour_ring_n_refused (ring), ==, 1);
  detour_ring_publish (ring);
  first = take (ring, 7, 100);
  take (ring, 7, 100);
  /* Taken, but not given back. */
  g_assert_false (put (ring, 8, 100));
  g_assert_cmpuint (first[99], ==, 7);
  detour_ring_release (ring);
  g_assert_true (put (ring, 8, 100));
  g_assert_true (put (ring, 9, 100));
  g_assert_false (put (ring, 10, 0));
  g_assert_cmpuint (detour_ring_n_refused (ring), ==, 3);
  detour_ring_publish (ring);
  for (guint i = 2; i < n; i++)
    take (ring, 7, 100);
  take (ring, 8, 100);
  take (ring, 9, 100);
  g_assert_true (detour_ring_is_empty (ring));
  detour_ring_free (ring);
}

static void
test_longest_message_fits_anywhere (void)
{
  DetourRing *ring = detour_ring_new (1024);
  gsize max = detour_ring_message_max (ring);

  g_assert_cmpuint (max, ==, 1024 / 2 - DETOUR_RING_OVERHEAD);
  g_assert_null (detour_ring_reserve (ring, max + 1));
  g_assert_null (detour_ring_reserve (ring, G_MAXSIZE));
  g_assert_cmpuint (detour_ring_n_refused (ring), ==, 2);
  for (guint start = 0; start < 1024; start += 16)
    {
      g_assert_true (put (ring, 1, max));
      detour_ring_publish (ring);
      take (ring, 1, max);
      detour_ring_release (ring);
      g_assert_true (put (ring, 2, 0));
      detour_ring_publish (ring);
      take (ring, 2, 0);
      detour_ring_release (ring);
    }
  detour_ring_free (ring);
}

/* Lengths at random, round and round, against a queue of lengths. */
static void
test_random (void)
{
  DetourRing *ring = detour_ring_new (4096);
  g_autoptr (GQueue) lens = g_queue_new ();
  guint8 next_in = 0, next_out = 0;

  for (guint i = 0; i < 100000; i++)
    {
      gsize len = (gsize) g_test_rand_int_range (0, i % 7 == 0 ? 2000 : 100);

      if (put (ring, next_in, len))
        {
          g_queue_push_tail (lens, GSIZE_TO_POINTER (len));
          next_in++;
        }
      if (g_test_rand_int_range (0, 3) == 0)
        {
          detour_ring_publish (ring);
          while (g_test_rand_int_range (0, 20) > 0 && !detour_ring_is_empty (ring))
            take (ring, next_out++, GPOINTER_TO_SIZE (g_queue_pop_head (lens)));
          if (g_test_rand_int_range (0, 2) == 0)
            detour_ring_release (ring);
        }
    }
  detour_ring_publish (ring);
  while (!g_queue_is_empty (lens))
    take (ring, next_out++, GPOINTER_TO_SIZE (g_queue_pop_head (lens)));
  g_assert_true (detour_ring_is_empty (ring));
  detour_ring_free (ring);
}

/* The consumer learns that somebody waits for the room it gives back, once. */
static void
test_wanted_room (void)
{
  DetourRing *ring = detour_ring_new (1024);
  size_t len;

  while (detour_ring_reserve (ring, 200) != NULL)
    ;
  detour_ring_publish (ring);
  detour_ring_want_room (ring);
  g_assert_null (detour_ring_reserve (ring, 200));
  g_assert_false (detour_ring_release (ring));
  g_assert_nonnull (detour_ring_next (ring, &len));
  g_assert_true (detour_ring_release (ring));
  g_assert_nonnull (detour_ring_next (ring, &len));
  g_assert_false (detour_ring_release (ring));
  g_assert_nonnull (detour_ring_reserve (ring, 200));
  detour_ring_free (ring);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ring/published-together", test_published_together);
  g_test_add_func ("/ring/borrowed-until-release", test_borrowed_until_release);
  g_test_add_func ("/ring/longest-message-fits-anywhere", test_longest_message_fits_anywhere);
  g_test_add_func ("/ring/wanted-room", test_wanted_room);
  g_test_add_func ("/ring/random-lengths", test_random);
  return g_test_run ();
}
