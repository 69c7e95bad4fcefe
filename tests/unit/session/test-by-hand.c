/* test-by-hand.c: tests of what an operator has set, written down and read back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-by-hand.h"

static void
fill (DetourByHand *hand)
{
  detour_by_hand_init (hand);
  hand->announcement = g_strdup ("back at noon: „mittags“");
  hand->log_level = G_LOG_LEVEL_INFO;
  g_ptr_array_add (hand->started, g_strdup ("http/home"));
  g_ptr_array_add (hand->stopped, g_strdup ("service/stun"));
  g_ptr_array_add (hand->stopped, g_strdup ("auth/friends"));
  hand->is_draining = TRUE;
  hand->ends_when_drained = TRUE;
  hand->drain = (DetourServerDrain) { 1000, 2000, 3, 4, TRUE, 5 };
}

static void
assert_empty (const DetourByHand *hand)
{
  g_assert_null (hand->announcement);
  g_assert_cmpint (hand->log_level, ==, 0);
  g_assert_cmpuint (hand->started->len + hand->stopped->len, ==, 0);
  g_assert_false (hand->is_draining || hand->ends_when_drained);
  g_assert_cmpint (hand->drain.for_us, ==, 0);
}

/* The item that @record begins with. */
static DetourRecordItem
item_of (const DetourRecord *record)
{
  DetourRecordReader reader = { record->data, record->len };
  DetourRecordItem item;

  g_assert_cmpint (detour_record_next (&reader, &item), ==, DETOUR_RECORD_ITEM);
  g_assert_cmpuint (item.tag, ==, DETOUR_HANDOVER_BY_HAND);
  return item;
}

static void
test_round_trip (void)
{
  g_auto (DetourByHand) before, after;
  g_auto (DetourRecord) record = { NULL };
  DetourRecordItem item;

  fill (&before);
  detour_by_hand_init (&after);
  detour_by_hand_write (&before, &record);
  item = item_of (&record);
  g_assert_true (detour_by_hand_read (&after, &item));
  g_assert_cmpstr (after.announcement, ==, before.announcement);
  g_assert_cmpint (after.log_level, ==, G_LOG_LEVEL_INFO);
  g_assert_cmpuint (after.started->len, ==, 1);
  g_assert_cmpstr (after.started->pdata[0], ==, "http/home");
  g_assert_cmpuint (after.stopped->len, ==, 2);
  g_assert_cmpstr (after.stopped->pdata[1], ==, "auth/friends");
  g_assert_true (after.is_draining && after.ends_when_drained && after.drain.is_done);
  g_assert_cmpint (after.drain.begin_real_us, ==, 1000);
  g_assert_cmpint (after.drain.for_us, ==, 2000);
  g_assert_cmpuint (after.drain.keep, ==, 3);
  g_assert_cmpuint (after.drain.n_begin, ==, 4);
  g_assert_cmpuint (after.drain.salt, ==, 5);
}

static void
test_nothing_was_set (void)
{
  g_auto (DetourByHand) before, after;
  g_auto (DetourRecord) record = { NULL };
  DetourRecordItem item;

  detour_by_hand_init (&before);
  detour_by_hand_init (&after);
  detour_by_hand_write (&before, &record);
  item = item_of (&record);
  g_assert_true (detour_by_hand_read (&after, &item));
  assert_empty (&after);
}

/* One that was cut anywhere leaves nothing of itself, or what was whole. */
static void
test_cut (void)
{
  g_auto (DetourByHand) before;
  g_auto (DetourRecord) record = { NULL };
  DetourRecordItem whole;

  fill (&before);
  detour_by_hand_write (&before, &record);
  whole = item_of (&record);
  for (gsize len = 0; len < whole.len; len++)
    {
      g_autofree guint8 *copy = g_memdup2 (whole.data, len);
      const DetourRecordItem item = { whole.tag, copy, len };
      g_auto (DetourByHand) after;

      detour_by_hand_init (&after);
      if (!detour_by_hand_read (&after, &item))
        assert_empty (&after);
    }
}

/* An item with one inner one is refused, and leaves nothing. */
static void
expect_refused (guint16 tag, gconstpointer data, gsize len)
{
  g_auto (DetourByHand) after;
  g_auto (DetourRecord) record = { NULL };
  DetourRecordItem item = { DETOUR_HANDOVER_BY_HAND, NULL, 0 };

  detour_record_put_text (&record, 3, "http/home");
  detour_record_put (&record, tag, data, len);
  item.data = record.data;
  item.len = record.len;
  detour_by_hand_init (&after);
  g_assert_false (detour_by_hand_read (&after, &item));
  assert_empty (&after);
}

static void
test_refused (void)
{
  g_autofree char *too_long = g_strnfill (257, 'x');
  g_auto (DetourRecord) drain = { NULL };

  expect_refused (1, too_long, 257);
  expect_refused (1, "no \xff text", 9);
  expect_refused (2, "loud", 4);
  expect_refused (4, too_long, 257);
  expect_refused (99 | DETOUR_RECORD_MUST, "", 0);
  detour_record_put_number (&drain, 5, 2);
  expect_refused (5, drain.data, drain.len);
}

/* A newer program may say more. */
static void
test_unknown_is_skipped (void)
{
  g_auto (DetourByHand) after;
  g_auto (DetourRecord) record = { NULL };
  DetourRecordItem item = { DETOUR_HANDOVER_BY_HAND, NULL, 0 };

  detour_record_put_text (&record, 99, "whatever");
  detour_record_put_text (&record, 1, "noon");
  item.data = record.data;
  item.len = record.len;
  detour_by_hand_init (&after);
  g_assert_true (detour_by_hand_read (&after, &item));
  g_assert_cmpstr (after.announcement, ==, "noon");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/by-hand/round-trip", test_round_trip);
  g_test_add_func ("/by-hand/nothing-was-set", test_nothing_was_set);
  g_test_add_func ("/by-hand/cut", test_cut);
  g_test_add_func ("/by-hand/refused", test_refused);
  g_test_add_func ("/by-hand/unknown-is-skipped", test_unknown_is_skipped);
  return g_test_run ();
}
