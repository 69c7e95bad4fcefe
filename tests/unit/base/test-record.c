/* test-record.c: tests of records: written, read, wiped, and damaged in every way.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-record.h"

#include <string.h>

enum { TAG_KEY = 1, TAG_BOX = 2, TAG_NUMBER = 3, TAG_TEXT = 4 };

static void
test_write (DetourRecord *record)
{
  gsize outer, inner;

  detour_record_put (record, TAG_KEY | DETOUR_RECORD_MUST, "secret", 6);
  outer = detour_record_begin (record, TAG_BOX);
  detour_record_put_number (record, TAG_NUMBER, G_MAXUINT64 - 1);
  detour_record_put_number (record, TAG_NUMBER, 0);
  inner = detour_record_begin (record, TAG_BOX);
  detour_record_put_text (record, TAG_TEXT, "grüße");
  detour_record_put_text (record, TAG_TEXT, NULL);
  detour_record_end (record, inner);
  detour_record_end (record, outer);
  detour_record_put (record, TAG_TEXT, NULL, 0);
}

static DetourRecordItem
test_next (DetourRecordReader *reader, guint16 tag)
{
  DetourRecordItem item;

  g_assert_cmpint (detour_record_next (reader, &item), ==, DETOUR_RECORD_ITEM);
  g_assert_cmpuint (item.tag, ==, tag);
  return item;
}

static void
test_round_trip (void)
{
  g_auto (DetourRecord) record = { NULL };
  DetourRecordReader reader, outer, inner;
  DetourRecordItem item;
  g_autofree char *text = NULL, *empty = NULL;
  char secret[6];
  guint64 number;

  test_write (&record);
  reader = (DetourRecordReader) { record.data, record.len };
  item = test_next (&reader, TAG_KEY | DETOUR_RECORD_MUST);
  g_assert_true (detour_record_copy (&item, secret, sizeof secret));
  g_assert_cmpmem (secret, sizeof secret, "secret", 6);
  g_assert_false (detour_record_copy (&item, secret, 5));
  g_assert_false (detour_record_number (&item, G_MAXUINT64, &number));

  item = test_next (&reader, TAG_BOX);
  outer = detour_record_inside (&item);
  item = test_next (&outer, TAG_NUMBER);
  g_assert_true (detour_record_number (&item, G_MAXUINT64 - 1, &number));
  g_assert_cmpuint (number, ==, G_MAXUINT64 - 1);
  g_assert_false (detour_record_number (&item, G_MAXUINT64 - 2, &number));
  item = test_next (&outer, TAG_BOX);
  inner = detour_record_inside (&item);
  item = test_next (&inner, TAG_TEXT);
  text = detour_record_dup_text (&item, 7);
  g_assert_cmpstr (text, ==, "grüße");
  g_assert_null (detour_record_dup_text (&item, 6));
  g_assert_cmpint (detour_record_next (&inner, &item), ==, DETOUR_RECORD_END);
  g_assert_cmpint (detour_record_next (&outer, &item), ==, DETOUR_RECORD_END);

  item = test_next (&reader, TAG_TEXT);
  empty = detour_record_dup_text (&item, 0);
  g_assert_cmpstr (empty, ==, "");
  g_assert_cmpint (detour_record_next (&reader, &item), ==, DETOUR_RECORD_END);
}

static void
test_no_text (void)
{
  const DetourRecordItem items[] = {
    { TAG_TEXT, (const guint8 *) "a\0b", 3 },
    { TAG_TEXT, (const guint8 *) "\xff", 1 },
    { TAG_TEXT, (const guint8 *) "\xc3", 1 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (items); i++)
    g_assert_null (detour_record_dup_text (&items[i], 100));
}

/* Whatever is cut off, the reader says so and looks at nothing that is not there, which the
 * sanitizer would see in a copy of that length. */
static void
test_cut (void)
{
  g_auto (DetourRecord) record = { NULL };

  test_write (&record);
  for (gsize len = 0; len < record.len; len++)
    {
      g_autofree guint8 *copy = g_memdup2 (record.data, MAX (len, 1));
      DetourRecordReader reader = { copy, len };
      DetourRecordItem item;
      DetourRecordStep step;
      gsize used = 0;

      while ((step = detour_record_next (&reader, &item)) == DETOUR_RECORD_ITEM)
        used += DETOUR_RECORD_HEAD_SIZE + item.len;
      g_assert_true (step == (used == len ? DETOUR_RECORD_END : DETOUR_RECORD_DAMAGED));
    }
}

/* What was written is nowhere any more where the record had it, also after it had to grow. */
static void
test_wiped (void)
{
  g_auto (DetourRecord) record = { NULL };
  const guint8 *data;

  detour_record_put (&record, TAG_KEY, "secret", 6);
  data = record.data;
  detour_record_empty (&record);
  g_assert_cmpuint (record.len, ==, 0);
  g_assert_true (record.data == data);
  for (gsize i = 0; i < DETOUR_RECORD_HEAD_SIZE + 6; i++)
    g_assert_cmpuint (data[i], ==, 0);
}

static void
test_grows (void)
{
  g_auto (DetourRecord) record = { NULL };
  g_autofree guint8 *block = g_malloc (100000);
  gsize mark = detour_record_begin (&record, TAG_BOX);
  DetourRecordReader reader, inside;
  DetourRecordItem item;

  for (guint i = 0; i < 50; i++)
    {
      memset (block, (int) i, 100000);
      detour_record_put (&record, TAG_KEY, block, 2000 * i);
    }
  detour_record_end (&record, mark);
  reader = (DetourRecordReader) { record.data, record.len };
  item = test_next (&reader, TAG_BOX);
  inside = detour_record_inside (&item);
  for (guint i = 0; i < 50; i++)
    {
      memset (block, (int) i, 100000);
      item = test_next (&inside, TAG_KEY);
      g_assert_cmpmem (item.data, item.len, block, 2000 * i);
    }
  g_assert_cmpint (detour_record_next (&inside, &item), ==, DETOUR_RECORD_END);
  g_assert_cmpint (detour_record_next (&reader, &item), ==, DETOUR_RECORD_END);
}

/* Takes items until one has the tag TAG_KEY. */
static gboolean
test_take (const DetourRecordItem *item, gpointer user)
{
  guint *n = user;

  if (item->tag == TAG_KEY)
    return FALSE;
  *n += 1;
  return TRUE;
}

static void
test_inside (void)
{
  g_auto (DetourRecord) record = { NULL };
  g_autofree char *text = NULL;
  DetourRecordItem item;
  guint n = 0;

  detour_record_put_number (&record, TAG_NUMBER, 7);
  detour_record_put_text (&record, TAG_TEXT, "first");
  detour_record_put_text (&record, TAG_TEXT, "second");
  item = (DetourRecordItem) { TAG_BOX, record.data, record.len };
  g_assert_true (detour_record_take_inside (&item, test_take, &n));
  g_assert_cmpuint (n, ==, 3);
  text = detour_record_find_text (&item, TAG_TEXT, 5);
  g_assert_cmpstr (text, ==, "first");
  g_assert_null (detour_record_find_text (&item, TAG_TEXT, 4));
  g_assert_null (detour_record_find_text (&item, TAG_KEY, 5));

  n = 0;
  item.len--;
  g_assert_false (detour_record_take_inside (&item, test_take, &n));
  g_assert_cmpuint (n, ==, 2);

  n = 0;
  detour_record_put_text (&record, TAG_KEY, "refused");
  detour_record_put_number (&record, TAG_NUMBER, 8);
  item = (DetourRecordItem) { TAG_BOX, record.data, record.len };
  g_assert_false (detour_record_take_inside (&item, test_take, &n));
  g_assert_cmpuint (n, ==, 3);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/record/round-trip", test_round_trip);
  g_test_add_func ("/record/no-text", test_no_text);
  g_test_add_func ("/record/cut", test_cut);
  g_test_add_func ("/record/wiped", test_wiped);
  g_test_add_func ("/record/grows", test_grows);
  g_test_add_func ("/record/inside", test_inside);
  return g_test_run ();
}
