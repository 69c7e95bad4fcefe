/* test-queue.c: tests which packet goes when a client's queue is full, and in which order the
 * others come out.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-queue.h"

static const DetourQueueLimits limits_default = { .packets = 32, .bytes = 256 * 1024 };

typedef struct {
  DetourQueue *queue;
  DetourQueueLimits limits;
  GString *dropped; /* numbers of the packets, oldest first */
} Fixture;

static void
setup (Fixture *f, gconstpointer data)
{
  f->limits = limits_default;
  f->dropped = g_string_new (NULL);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  detour_queue_clear (&f->queue, NULL, NULL);
  g_string_free (f->dropped, TRUE);
}

static void
note_drop (const DetourQueued *packet, DetourQueue **queue, gpointer user)
{
  g_string_append_printf (user, "%s%c%u", ((GString *) user)->len > 0 ? " " : "",
                          packet->kind == DETOUR_QUEUE_DISCO ? 'd' : 'p', packet->frame[5]);
}

/* A packet of @len bytes, known by the first byte of its source, @n. */
static void
push (Fixture *f, DetourQueueKind kind, guint8 n, gsize len)
{
  g_autofree guint8 *frame = g_malloc0 (DETOUR_FRAME_RECV_HEAD_SIZE + len);
  DetourKey source = { { n } };

  detour_frame_put_recv_head (frame, &source, (guint32) len);
  detour_queue_push (&f->queue, NULL, &f->limits, kind, frame, DETOUR_FRAME_RECV_HEAD_SIZE + len,
                     note_drop, f->dropped);
}

static void
assert_pops (Fixture *f, char kind, guint n, gsize len)
{
  gsize next_len = detour_queue_next_len (f->queue);
  g_autofree DetourQueued *packet = detour_queue_pop (&f->queue);

  g_assert_nonnull (packet);
  g_assert_cmpuint (packet->len, ==, next_len);
  g_assert_cmpuint (packet->len, ==, DETOUR_FRAME_RECV_HEAD_SIZE + len);
  g_assert_cmpuint (detour_queued_packet_len (packet), ==, len);
  g_assert_cmpint (packet->kind == DETOUR_QUEUE_DISCO ? 'd' : 'p', ==, kind);
  g_assert_cmpuint (packet->frame[0], ==, DETOUR_FRAME_RECV_PACKET);
  g_assert_cmpuint (packet->frame[5], ==, n);
}

static void
test_empty (Fixture *f, gconstpointer data)
{
  g_assert_null (detour_queue_pop (&f->queue));
  g_assert_cmpuint (detour_queue_next_len (f->queue), ==, 0);
  g_assert_cmpuint (detour_queue_n_packets (f->queue), ==, 0);
  g_assert_cmpuint (detour_queue_n_bytes (f->queue), ==, 0);
  push (f, DETOUR_QUEUE_DATA, 1, 100);
  push (f, DETOUR_QUEUE_DATA, 2, 0);
  g_assert_cmpuint (detour_queue_n_packets (f->queue), ==, 2);
  g_assert_cmpuint (detour_queue_n_bytes (f->queue), ==, 174);
  assert_pops (f, 'p', 1, 100);
  g_assert_nonnull (f->queue);
  assert_pops (f, 'p', 2, 0);
  g_assert_null (f->queue);
}

static void
test_content (Fixture *f, gconstpointer data)
{
  static const guint8 frame[] = "\x05\x00\x00\x00\x25ssssssssssssssssssssssssssssssssHello";
  g_autofree DetourQueued *packet = NULL;

  detour_queue_push (&f->queue, NULL, &f->limits, DETOUR_QUEUE_DATA, frame, 42, NULL, NULL);
  packet = detour_queue_pop (&f->queue);
  g_assert_cmpmem (packet->frame, packet->len, frame, 42);
  g_assert_null (f->queue);
}

static void
test_oldest_of_its_line_goes (Fixture *f, gconstpointer data)
{
  push (f, DETOUR_QUEUE_DISCO, 200, 62);
  for (guint8 n = 1; n <= 34; n++)
    push (f, DETOUR_QUEUE_DATA, n, 10);
  g_assert_cmpstr (f->dropped->str, ==, "p1 p2");
  g_assert_cmpuint (detour_queue_n_packets (f->queue), ==, 33);
  for (guint8 n = 201; n <= 232; n++)
    push (f, DETOUR_QUEUE_DISCO, n, 62);
  g_assert_cmpstr (f->dropped->str, ==, "p1 p2 d200");
  g_assert_cmpuint (detour_queue_n_packets (f->queue), ==, 64);
}

static void
test_lines_take_turns (Fixture *f, gconstpointer data)
{
  for (guint8 n = 1; n <= 4; n++)
    push (f, DETOUR_QUEUE_DATA, n, 10);
  for (guint8 n = 101; n <= 102; n++)
    push (f, DETOUR_QUEUE_DISCO, n, 62);
  assert_pops (f, 'p', 1, 10);
  assert_pops (f, 'd', 101, 62);
  assert_pops (f, 'p', 2, 10);
  assert_pops (f, 'd', 102, 62);
  assert_pops (f, 'p', 3, 10);
  push (f, DETOUR_QUEUE_DISCO, 103, 62);
  assert_pops (f, 'd', 103, 62);
  assert_pops (f, 'p', 4, 10);
  g_assert_null (f->queue);
}

static void
test_byte_limit (Fixture *f, gconstpointer data)
{
  const gsize frame = DETOUR_FRAME_RECV_HEAD_SIZE + 1000;

  f->limits.bytes = 4 * frame;
  for (guint8 n = 1; n <= 4; n++)
    push (f, DETOUR_QUEUE_DATA, n, 1000);
  g_assert_cmpstr (f->dropped->str, ==, "");
  g_assert_cmpuint (detour_queue_n_bytes (f->queue), ==, 4 * frame);
  /* One byte too many; a long one pushes out several. */
  push (f, DETOUR_QUEUE_DATA, 5, 0);
  g_assert_cmpstr (f->dropped->str, ==, "p1");
  push (f, DETOUR_QUEUE_DATA, 6, 2001);
  g_assert_cmpstr (f->dropped->str, ==, "p1 p2 p3");
  assert_pops (f, 'p', 4, 1000);
  assert_pops (f, 'p', 5, 0);
  assert_pops (f, 'p', 6, 2001);
}

/* A line that is empty always takes one, whatever the other holds; so at most one frame is held
 * beyond the limit. */
static void
test_neither_line_starves (Fixture *f, gconstpointer data)
{
  f->limits.bytes = 4 * (DETOUR_FRAME_RECV_HEAD_SIZE + 1000);
  for (guint8 n = 1; n <= 4; n++)
    push (f, DETOUR_QUEUE_DATA, n, 1000);
  push (f, DETOUR_QUEUE_DISCO, 101, 1000);
  g_assert_cmpstr (f->dropped->str, ==, "");
  g_assert_cmpuint (detour_queue_n_packets (f->queue), ==, 5);
  /* Each pays for itself from now on. */
  push (f, DETOUR_QUEUE_DISCO, 102, 1000);
  g_assert_cmpstr (f->dropped->str, ==, "d101");
  push (f, DETOUR_QUEUE_DATA, 5, 1000);
  g_assert_cmpstr (f->dropped->str, ==, "d101 p1 p2");
  g_assert_cmpuint (detour_queue_n_bytes (f->queue), ==, f->limits.bytes);
}

static void
test_longer_than_the_limit (Fixture *f, gconstpointer data)
{
  f->limits.bytes = 100;
  push (f, DETOUR_QUEUE_DATA, 1, 65536);
  g_assert_cmpuint (detour_queue_n_packets (f->queue), ==, 1);
  push (f, DETOUR_QUEUE_DATA, 2, 65536);
  g_assert_cmpstr (f->dropped->str, ==, "p1");
  push (f, DETOUR_QUEUE_DATA, 3, 0);
  g_assert_cmpstr (f->dropped->str, ==, "p1 p2");
  assert_pops (f, 'p', 3, 0);
  g_assert_null (f->queue);
}

static void
test_clear (Fixture *f, gconstpointer data)
{
  push (f, DETOUR_QUEUE_DATA, 1, 10);
  push (f, DETOUR_QUEUE_DISCO, 2, 62);
  push (f, DETOUR_QUEUE_DATA, 3, 10);
  detour_queue_clear (&f->queue, note_drop, f->dropped);
  g_assert_null (f->queue);
  g_assert_cmpuint (f->dropped->len, ==, strlen ("p1 d2 p3"));
  detour_queue_clear (&f->queue, note_drop, f->dropped);
}

static void
notice (Fixture *f, guint8 n)
{
  guint8 frame[6] = { DETOUR_FRAME_PEER_GONE, 0, 0, 0, 1, n };

  detour_queue_push_notice (&f->queue, NULL, frame, sizeof frame);
}

static void
assert_pops_notice (Fixture *f, guint n)
{
  g_autofree DetourQueued *queued = detour_queue_pop (&f->queue);

  g_assert_nonnull (queued);
  g_assert_cmpint (queued->kind, ==, DETOUR_QUEUE_NOTICE);
  g_assert_cmpuint (queued->frame[5], ==, n);
}

static void
test_notices (Fixture *f, gconstpointer data)
{
  notice (f, 1);
  push (f, DETOUR_QUEUE_DATA, 10, 10);
  push (f, DETOUR_QUEUE_DATA, 11, 10);
  push (f, DETOUR_QUEUE_DISCO, 12, 62);
  notice (f, 2);
  notice (f, 3);
  push (f, DETOUR_QUEUE_DISCO, 13, 62);
  g_assert_cmpuint (detour_queue_n_packets (f->queue), ==, 4);
  g_assert_cmpuint (detour_queue_n_notices (f->queue), ==, 3);
  assert_pops_notice (f, 1);
  assert_pops (f, 'p', 10, 10);
  assert_pops (f, 'd', 12, 62);
  assert_pops (f, 'p', 11, 10);
  assert_pops_notice (f, 2);
  assert_pops_notice (f, 3);
  assert_pops (f, 'd', 13, 62);
  g_assert_null (f->queue);
}

enum { N_QUEUES = 100 };

typedef struct {
  DetourQueueBudget budget;
  DetourQueue *queues[N_QUEUES];
  guint n_over; /* packets that went because the budget was passed */
} Budgeted;

/* Other packets go because their own queue has too many. */
static void
dropped_of_a_large_queue (const DetourQueued *packet, DetourQueue **queue, gpointer user)
{
  Budgeted *all = user;
  gsize before = detour_queue_n_bytes (*queue) + packet->len;

  if (all->budget.n_bytes + packet->len <= all->budget.max_bytes)
    return;
  all->n_over++;
  for (guint i = 0; i < N_QUEUES; i++)
    g_assert_cmpuint (detour_queue_n_bytes (all->queues[i]), <, 2 * before);
}

/* A hundred queues of random sizes with a budget: it is never passed, and what goes is of a queue
 * that is at least half as large as the largest. */
static void
test_budget (Fixture *f, gconstpointer data)
{
  Budgeted all = { .budget = { .max_bytes = 100000 } };
  g_autofree guint8 *frame = g_malloc0 (DETOUR_FRAME_RECV_HEAD_SIZE + 2000);
  DetourKey key = { { 1 } };

  for (guint i = 0; i < 20000; i++)
    {
      guint n = (guint) g_test_rand_int_range (0, N_QUEUES);
      gsize len = (gsize) g_test_rand_int_range (0, 2000), sum = 0, largest = 0;

      if (i % 7 == 0)
        {
          g_free (detour_queue_pop (&all.queues[n]));
          continue;
        }
      detour_frame_put_recv_head (frame, &key, (guint32) len);
      detour_queue_push (&all.queues[n], &all.budget, &f->limits,
                         i % 3 == 0 ? DETOUR_QUEUE_DISCO : DETOUR_QUEUE_DATA, frame,
                         DETOUR_FRAME_RECV_HEAD_SIZE + len, dropped_of_a_large_queue, &all);
      for (guint k = 0; k < N_QUEUES; k++)
        {
          sum += detour_queue_n_bytes (all.queues[k]);
          largest = MAX (largest, detour_queue_n_bytes (all.queues[k]));
        }
      g_assert_cmpuint (all.budget.n_bytes, ==, sum);
      g_assert_cmpuint (sum, <=, all.budget.max_bytes);
      g_assert_cmpuint (largest, <, 12 * all.budget.max_bytes / N_QUEUES);
    }
  for (guint k = 0; k < N_QUEUES; k++)
    {
      DetourQueue *moved = NULL;

      detour_queue_move (&moved, NULL, &all.queues[k]);
      g_assert_null (all.queues[k]);
      detour_queue_clear (&moved, NULL, NULL);
    }
  g_assert_cmpuint (all.n_over, >, 1000);
  g_assert_cmpuint (all.budget.n_bytes, ==, 0);
  for (guint i = 0; i < DETOUR_QUEUE_SIZE_CLASSES; i++)
    g_assert_null (all.budget.classes[i].first);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/queue/" name, Fixture, NULL, setup, func, teardown)
  ADD ("exists-while-something-waits", test_empty);
  ADD ("frame-is-copied-whole", test_content);
  ADD ("oldest-of-its-line-goes", test_oldest_of_its_line_goes);
  ADD ("lines-take-turns", test_lines_take_turns);
  ADD ("byte-limit-drops-as-many-as-needed", test_byte_limit);
  ADD ("neither-line-starves-the-other", test_neither_line_starves);
  ADD ("frame-longer-than-the-limit-passes-alone", test_longer_than_the_limit);
  ADD ("clear-reports-every-packet", test_clear);
  ADD ("notice-comes-behind-what-came-before", test_notices);
  ADD ("budget-of-all-queues", test_budget);
#undef ADD
  return g_test_run ();
}
