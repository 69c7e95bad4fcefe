/* test-log-memory.c: tests of the memory that holds the last lines of the log.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-log-memory.h"

#include <string.h>

#define KEY "nodekey:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void
add (GLogLevelFlags level, const char *message, DetourLogPrivacy privacy)
{
  const GLogField fields[] = {
    { "MESSAGE", message, -1 },
    { DETOUR_LOG_EVENT, "test", -1 },
    { DETOUR_LOG_KEY, KEY, -1 },
    { "CODE_FILE", "left out", -1 },
  };
  const DetourLogRecord record = { level,   "domain",
                                   message, g_get_real_time (),
                                   fields,  G_N_ELEMENTS (fields) };

  detour_log_memory_add (&record, privacy);
}

static const DetourLogLine *
line_at (GPtrArray *lines, guint i)
{
  g_assert_cmpuint (i, <, lines->len);
  return lines->pdata[i];
}

static const char *
message_of (const DetourLogLine *line)
{
  return detour_log_line_next (line, line->texts);
}

/* An empty memory of a size; gives the number of the line before its first one. */
static guint64
begin (gsize size)
{
  detour_log_memory_set_size (0);
  detour_log_memory_set_size (size);
  return detour_log_memory_last ();
}

static void
test_what_a_line_holds (void)
{
  guint64 first = begin (65536), next, lost;
  g_autoptr (GPtrArray) lines = NULL;
  const char *text;

  add (G_LOG_LEVEL_WARNING, "hello", DETOUR_LOG_PRIVACY_FULL);
  lines = detour_log_memory_read (first, G_LOG_LEVEL_DEBUG, 10, FALSE, &next, &lost);
  g_assert_cmpuint (lines->len, ==, 1);
  g_assert_cmpuint (next, ==, first + 1);
  g_assert_cmpuint (lost, ==, 0);
  g_assert_cmpuint (line_at (lines, 0)->number, ==, first + 1);
  g_assert_cmpint (line_at (lines, 0)->level, ==, G_LOG_LEVEL_WARNING);
  text = line_at (lines, 0)->texts;
  for (const char *const *expected =
           (const char *const[]) { "domain", "hello", "event", "test", "key", KEY, NULL };
       *expected != NULL; expected++, text = detour_log_line_next (line_at (lines, 0), text))
    g_assert_cmpstr (text, ==, *expected);
  g_assert_null (text);
}

static void
test_masked (void)
{
  guint64 first = begin (65536), next, lost;
  g_autoptr (GPtrArray) lines = NULL;
  const DetourLogLine *line;

  add (G_LOG_LEVEL_MESSAGE, "client 01234567 is here", DETOUR_LOG_PRIVACY_NONE);
  lines = detour_log_memory_read (first, G_LOG_LEVEL_DEBUG, 10, FALSE, &next, &lost);
  line = line_at (lines, 0);
  g_assert_cmpstr (message_of (line), ==, "client - is here");
  for (const char *text = line->texts; text != NULL; text = detour_log_line_next (line, text))
    g_assert_null (strstr (text, "0123"));
}

static void
test_which_lines (void)
{
  guint64 first = begin (65536), next, lost;
  g_autoptr (GPtrArray) grave = NULL;
  g_autoptr (GPtrArray) page = NULL;
  g_autoptr (GPtrArray) rest = NULL;
  g_autoptr (GPtrArray) newest = NULL;

  add (G_LOG_LEVEL_MESSAGE, "one", DETOUR_LOG_PRIVACY_FULL);
  add (G_LOG_LEVEL_WARNING, "two", DETOUR_LOG_PRIVACY_FULL);
  add (G_LOG_LEVEL_DEBUG, "three", DETOUR_LOG_PRIVACY_FULL);
  add (G_LOG_LEVEL_CRITICAL, "four", DETOUR_LOG_PRIVACY_FULL);
  add (G_LOG_LEVEL_MESSAGE, "five", DETOUR_LOG_PRIVACY_FULL);

  grave = detour_log_memory_read (first, G_LOG_LEVEL_WARNING, 10, FALSE, &next, &lost);
  g_assert_cmpuint (grave->len, ==, 2);
  g_assert_cmpstr (message_of (line_at (grave, 1)), ==, "four");
  g_assert_cmpuint (next, ==, first + 5);

  page = detour_log_memory_read (first, G_LOG_LEVEL_MESSAGE, 2, FALSE, &next, &lost);
  g_assert_cmpstr (message_of (line_at (page, 1)), ==, "two");
  rest = detour_log_memory_read (next, G_LOG_LEVEL_MESSAGE, 2, FALSE, &next, &lost);
  g_assert_cmpstr (message_of (line_at (rest, 0)), ==, "four");
  g_assert_cmpstr (message_of (line_at (rest, 1)), ==, "five");
  g_assert_cmpuint (lost, ==, 0);

  newest = detour_log_memory_read (first, G_LOG_LEVEL_MESSAGE, 2, TRUE, &next, &lost);
  g_assert_cmpuint (newest->len, ==, 2);
  g_assert_cmpstr (message_of (line_at (newest, 0)), ==, "four");
  g_assert_cmpuint (next, ==, first + 5);
}

static void
test_bounded (void)
{
  guint64 first = begin (8192), next, lost;
  g_autofree char *giant = g_strnfill (100000, 'x');
  g_autoptr (GPtrArray) lines = NULL;
  gsize bytes = 0;

  for (guint i = 0; i < 1000; i++)
    add (G_LOG_LEVEL_MESSAGE, "a line", DETOUR_LOG_PRIVACY_FULL);
  lines = detour_log_memory_read (first, G_LOG_LEVEL_DEBUG, 10000, FALSE, &next, &lost);
  g_assert_cmpuint (lines->len + lost, ==, 1000);
  g_assert_cmpuint (lines->len, >, 20);
  for (guint i = 0; i < lines->len; i++)
    bytes += sizeof (DetourLogLine) + line_at (lines, i)->len;
  g_assert_cmpuint (bytes, <, 8192);
  g_clear_pointer (&lines, g_ptr_array_unref);

  /* One that would fill it alone is not kept, and what was lost is still known. */
  add (G_LOG_LEVEL_MESSAGE, giant, DETOUR_LOG_PRIVACY_FULL);
  lines = detour_log_memory_read (first, G_LOG_LEVEL_DEBUG, 10000, FALSE, &next, &lost);
  g_assert_cmpuint (lines->len + lost, ==, 1001);
  g_clear_pointer (&lines, g_ptr_array_unref);

  detour_log_memory_set_size (0);
  g_assert_false (detour_log_memory_is_on ());
  add (G_LOG_LEVEL_MESSAGE, "not kept", DETOUR_LOG_PRIVACY_FULL);
  lines = detour_log_memory_read (first, G_LOG_LEVEL_DEBUG, 10000, FALSE, &next, &lost);
  g_assert_cmpuint (lines->len, ==, 0);
}

#define N_THREADS 4u
#define N_EACH    1000u

static gpointer
write_many (gpointer data)
{
  for (guint i = 0; i < N_EACH; i++)
    add (G_LOG_LEVEL_MESSAGE, data, DETOUR_LOG_PRIVACY_HASH);
  return NULL;
}

/* Every line is read once or told as lost, whoever writes meanwhile. */
static void
test_threads (void)
{
  guint64 after = begin (32768), last = after + N_THREADS * N_EACH, n_read = 0, n_lost = 0;
  GThread *threads[N_THREADS];

  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("writer", write_many, (gpointer) "from a thread");
  while (after < last)
    {
      guint64 before = after, lost;
      g_autoptr (GPtrArray)
          lines = detour_log_memory_read (before, G_LOG_LEVEL_DEBUG, 100, FALSE, &after, &lost);

      n_read += lines->len;
      n_lost += lost;
      for (guint i = 0; i < lines->len; i++)
        g_assert_cmpuint (line_at (lines, i)->number, ==, before + lost + i + 1);
    }
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (n_read + n_lost, ==, N_THREADS * N_EACH);
}

static DetourRecordItem
item_of (const DetourRecord *record)
{
  DetourRecordReader reader = { record->data, record->len };
  DetourRecordItem item;

  g_assert_cmpint (detour_record_next (&reader, &item), ==, DETOUR_RECORD_ITEM);
  return item;
}

/* Lines of the program before stand in front of those of this one. */
static void
test_lines_of_before (void)
{
  g_auto (DetourRecord) record = { NULL };
  guint64 first, next, lost;
  g_autoptr (GPtrArray) lines = NULL;
  DetourRecordItem item;

  begin (65536);
  add (G_LOG_LEVEL_WARNING, "one", DETOUR_LOG_PRIVACY_FULL);
  add (G_LOG_LEVEL_DEBUG, "two", DETOUR_LOG_PRIVACY_FULL);
  detour_log_memory_write (&record, 3, 0);
  first = begin (65536);
  add (G_LOG_LEVEL_MESSAGE, "three", DETOUR_LOG_PRIVACY_FULL);
  item = item_of (&record);
  g_assert_true (detour_log_memory_take (&item));
  lines = detour_log_memory_read (first, G_LOG_LEVEL_DEBUG, 10, FALSE, &next, &lost);
  g_assert_cmpuint (lines->len, ==, 3);
  g_assert_cmpuint (lost, ==, 0);
  g_assert_cmpstr (message_of (line_at (lines, 0)), ==, "one");
  g_assert_cmpint (line_at (lines, 0)->level, ==, G_LOG_LEVEL_WARNING);
  g_assert_cmpstr (message_of (line_at (lines, 1)), ==, "two");
  g_assert_cmpstr (message_of (line_at (lines, 2)), ==, "three");
  for (guint i = 0; i < 3; i++)
    g_assert_cmpuint (line_at (lines, i)->number, ==, first + i + 1);
}

/* Only the latest of them where there is less room. */
static void
test_lines_of_before_in_less_room (void)
{
  g_auto (DetourRecord) record = { NULL };
  guint64 next, lost;
  g_autoptr (GPtrArray) lines = NULL;
  DetourRecordItem item;

  begin (1 << 20);
  for (guint i = 0; i < 1000; i++)
    {
      g_autofree char *text = g_strdup_printf ("line %u", i);

      add (G_LOG_LEVEL_MESSAGE, text, DETOUR_LOG_PRIVACY_FULL);
    }
  detour_log_memory_write (&record, 3, 0);
  begin (8192);
  item = item_of (&record);
  g_assert_true (detour_log_memory_take (&item));
  lines = detour_log_memory_read (0, G_LOG_LEVEL_DEBUG, 2000, FALSE, &next, &lost);
  g_assert_cmpuint (lines->len, >, 10);
  g_assert_cmpuint (lines->len, <, 100);
  g_assert_cmpstr (message_of (line_at (lines, lines->len - 1)), ==, "line 999");
}

/* Cut or changed anywhere, it gives whole lines or none. */
static void
test_damaged_lines_of_before (void)
{
  g_auto (DetourRecord) record = { NULL };
  DetourRecordItem item;

  begin (65536);
  add (G_LOG_LEVEL_WARNING, "one", DETOUR_LOG_PRIVACY_FULL);
  detour_log_memory_write (&record, 3, 0);
  item = item_of (&record);
  for (gsize i = 0; i < item.len * 9; i++)
    {
      gsize len = i < item.len ? i : item.len;
      g_autofree guint8 *copy = g_memdup2 (item.data, len);
      g_autoptr (GPtrArray) lines = NULL;
      guint64 next, lost;

      if (i >= item.len)
        copy[(i - item.len) / 8] ^= (guint8) (1u << (i - item.len) % 8);
      begin (65536);
      detour_log_memory_take (&(DetourRecordItem) { 3, copy, len });
      lines = detour_log_memory_read (0, G_LOG_LEVEL_DEBUG, 10, FALSE, &next, &lost);
      g_assert_cmpuint (lines->len, <=, 1);
      for (const char *text = lines->len > 0 ? line_at (lines, 0)->texts : NULL; text != NULL;
           text = detour_log_line_next (line_at (lines, 0), text))
        g_assert_true (g_utf8_validate (text, -1, NULL));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/log-memory/what-a-line-holds", test_what_a_line_holds);
  g_test_add_func ("/log-memory/masked", test_masked);
  g_test_add_func ("/log-memory/which-lines", test_which_lines);
  g_test_add_func ("/log-memory/bounded", test_bounded);
  g_test_add_func ("/log-memory/threads", test_threads);
  g_test_add_func ("/log-memory/lines-of-before", test_lines_of_before);
  g_test_add_func ("/log-memory/lines-of-before-in-less-room", test_lines_of_before_in_less_room);
  g_test_add_func ("/log-memory/damaged-lines-of-before", test_damaged_lines_of_before);
  return g_test_run ();
}
