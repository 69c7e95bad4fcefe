/* test-event-ring.c: records of varying length, of which the oldest make room.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-event-ring.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A record that says how long it is, filled with its number. */
static guint64
add (DetourEventRing *ring, guint8 number, guint8 size)
{
  guint64 place;
  guint8 *record = detour_event_ring_add (ring, size, &place);

  memset (record, number, size);
  record[0] = size;
  g_assert_true (detour_event_ring_get (ring, place) == record);
  return place;
}

/* Each record is whole, and they are the last ones in their order. Returns how many there are. */
static guint
check (const DetourEventRing *ring, guint8 last)
{
  guint64 place;
  guint n = 0;
  guint8 before = 0;

  for (guint8 *record = detour_event_ring_first (ring, &place); record != NULL;
       record = detour_event_ring_after (ring, &place))
    {
      for (guint8 i = 2; i < record[0]; i++)
        g_assert_cmpuint (record[i], ==, record[1]);
      if (n > 0)
        g_assert_cmpuint (record[1], ==, (guint8) (before + 1));
      before = record[1];
      n++;
    }
  g_assert_cmpuint (before, ==, last);
  return n;
}

static void
test_wrap (void)
{
  DetourEventRing ring;

  detour_event_ring_init (&ring, 1024);
  for (guint i = 1; i < 2000; i++)
    {
      add (&ring, (guint8) i, (guint8) (2 + i * 37 % 200));
      g_assert_cmpuint (ring.end - ring.begin, <=, ring.cap);
      g_assert_cmpuint (check (&ring, (guint8) i), >=, MIN (i, 4));
    }
  detour_event_ring_clear (&ring);
}

static void
test_places (void)
{
  DetourEventRing ring;
  guint64 first, place;

  detour_event_ring_init (&ring, 1024);
  g_assert_null (detour_event_ring_first (&ring, &place));
  g_assert_null (detour_event_ring_get (&ring, 0));
  g_assert_null (detour_event_ring_get (&ring, G_MAXUINT64));
  first = add (&ring, 1, 120);
  g_assert_true (detour_event_ring_is_recent (&ring, first));
  for (guint8 i = 2; i <= 5; i++)
    add (&ring, i, 120);
  g_assert_false (detour_event_ring_is_recent (&ring, first));
  g_assert_nonnull (detour_event_ring_get (&ring, first));
  for (guint8 i = 6; i <= 9; i++)
    add (&ring, i, 120);
  g_assert_null (detour_event_ring_get (&ring, first));
  detour_event_ring_clear (&ring);
}

/* Pages of the ring's memory that the process has. */
static guint
count_pages (const DetourEventRing *ring)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE), n = (ring->cap + page - 1) / page;
  g_autofree unsigned char *there = g_malloc (n);
  guint found = 0;

  g_assert_no_errno (mincore (ring->data, ring->cap, there));
  for (gsize i = 0; i < n; i++)
    found += there[i] & 1u;
  return found;
}

static void
test_memory (void)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE);
  DetourEventRing ring;

  detour_event_ring_init (&ring, 64 * page);
  g_assert_cmpuint (count_pages (&ring), ==, 0);
  for (guint i = 0; i < page / 256; i++)
    add (&ring, (guint8) i, 248);
  g_assert_cmpuint (count_pages (&ring), ==, 1);
  for (guint i = 0; i < 3 * 64 * page / 256; i++)
    add (&ring, (guint8) i, 248);
  g_assert_cmpuint (count_pages (&ring), ==, 64);
  detour_event_ring_clear (&ring);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/event-ring/oldest-make-room", test_wrap);
  g_test_add_func ("/event-ring/a-place-tells-what-is-gone", test_places);
  g_test_add_func ("/event-ring/takes-memory-as-records-come", test_memory);
  return g_test_run ();
}
