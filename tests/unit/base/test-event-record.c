/* test-event-record.c: tests of events that are written down for another program.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-event-record.h"

#define TAG 7u

static const DetourKey key = { { 1, 2, 3 } };

static const DetourEvent whole = {
  .kind = DETOUR_EVENT_ADMITTED,
  .key = &key,
  .address = "192.0.2.1:4711",
  .source = "auth/friends",
  .label = "„Änne“",
  .class_ = "friends",
  .tenant = "red",
  .text = "on the list",
  .result = 1,
  .flags = 2,
  .first_us = 1000,
  .last_us = 2000,
  .count = 3,
};

static DetourRecordItem
item_of (const DetourRecord *record)
{
  DetourRecordReader reader = { record->data, record->len };
  DetourRecordItem item;

  g_assert_cmpint (detour_record_next (&reader, &item), ==, DETOUR_RECORD_ITEM);
  g_assert_cmpuint (item.tag, ==, TAG);
  return item;
}

static void
test_round_trip (void)
{
  g_auto (DetourRecord) record = { NULL };
  g_autoptr (GPtrArray) events = NULL;
  const DetourEvent *event;
  DetourRecordItem item;

  detour_events_clear ();
  detour_event_record_write (&whole, &record, TAG);
  item = item_of (&record);
  g_assert_true (detour_event_record_read (&item));
  events = detour_events_read (0, NULL);
  g_assert_cmpuint (events->len, ==, 1);
  event = events->pdata[0];
  g_assert_cmpint (event->kind, ==, whole.kind);
  g_assert_true (detour_key_equal (event->key, &key));
  g_assert_cmpstr (event->address, ==, whole.address);
  g_assert_cmpstr (event->source, ==, whole.source);
  g_assert_cmpstr (event->label, ==, whole.label);
  g_assert_cmpstr (event->class_, ==, whole.class_);
  g_assert_cmpstr (event->tenant, ==, whole.tenant);
  g_assert_cmpstr (event->text, ==, whole.text);
  g_assert_cmpuint (event->result, ==, 1);
  g_assert_cmpuint (event->flags, ==, 2);
  g_assert_cmpint (event->first_us, ==, 1000);
  g_assert_cmpint (event->last_us, ==, 2000);
  g_assert_cmpuint (event->count, ==, 3);
}

static void
test_the_least (void)
{
  g_auto (DetourRecord) record = { NULL };
  g_autoptr (GPtrArray) events = NULL;
  const DetourEvent *event;
  DetourRecordItem item;

  detour_events_clear ();
  detour_event_record_write (&(DetourEvent) { .kind = DETOUR_EVENT_RELOAD, .last_us = 5 }, &record,
                             TAG);
  item = item_of (&record);
  g_assert_true (detour_event_record_read (&item));
  events = detour_events_read (0, NULL);
  g_assert_cmpuint (events->len, ==, 1);
  event = events->pdata[0];
  g_assert_null (event->key);
  g_assert_null (event->text);
  g_assert_cmpuint (event->count, ==, 1);
}

/* What this program noted before it read the record is newer than what is there. */
static void
test_the_same_again (void)
{
  g_auto (DetourRecord) record = { NULL };
  g_autoptr (GPtrArray) events = NULL;
  DetourEvent later = whole;
  const DetourEvent *event;
  DetourRecordItem item;

  detour_events_clear ();
  later.first_us = later.last_us = 5000;
  later.count = 0;
  detour_events_add (&later);
  detour_event_record_write (&whole, &record, TAG);
  item = item_of (&record);
  g_assert_true (detour_event_record_read (&item));
  events = detour_events_read (0, NULL);
  g_assert_cmpuint (events->len, ==, 1);
  event = events->pdata[0];
  g_assert_cmpint (event->first_us, ==, 1000);
  g_assert_cmpint (event->last_us, ==, 5000);
  g_assert_cmpuint (event->count, ==, 4);
}

/* Wherever it is cut, or changed by a bit, nothing worse happens than that it is refused. */
static void
test_damaged (void)
{
  g_auto (DetourRecord) record = { NULL };
  DetourRecordItem item;

  detour_event_record_write (&whole, &record, TAG);
  item = item_of (&record);
  for (gsize len = 0; len < item.len; len++)
    {
      g_autofree guint8 *copy = g_memdup2 (item.data, len);

      detour_event_record_read (&(DetourRecordItem) { TAG, copy, len });
    }
  for (gsize i = 0; i < item.len * 8; i++)
    {
      g_autofree guint8 *copy = g_memdup2 (item.data, item.len);

      copy[i / 8] ^= (guint8) (1u << i % 8);
      detour_event_record_read (&(DetourRecordItem) { TAG, copy, item.len });
    }
  g_assert_false (detour_event_record_read (&(DetourRecordItem) { TAG, NULL, 0 }));
}

/* A newer program knows kinds that this one does not. */
static void
test_unknown_kind (void)
{
  g_auto (DetourRecord) record = { NULL };

  detour_events_clear ();
  detour_record_put_text (&record, 1, "landslide");
  g_assert_false (detour_event_record_read (&(DetourRecordItem) { TAG, record.data, record.len }));
  g_assert_cmpuint (detour_events_last (), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/event-record/unknown-kind", test_unknown_kind);
  g_test_add_func ("/event-record/round-trip", test_round_trip);
  g_test_add_func ("/event-record/the-least", test_the_least);
  g_test_add_func ("/event-record/the-same-again", test_the_same_again);
  g_test_add_func ("/event-record/damaged", test_damaged);
  return g_test_run ();
}
