/* test-log-journal.c: what a journal gets, from short records to long ones, and a journal that
 * does not listen. SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-bench.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "detour-log.h"

extern const DetourPlugin detour_plugin;

static PluginBench *
start (int *journal, const char *keys)
{
  PluginBench *bench = plugin_bench_new (&detour_plugin);
  g_autofree char *text = g_strconcat ("[log journal]\nsocket = @DIR@/journal\n", keys, NULL);

  *journal = plugin_bench_bind (bench, "journal", SOCK_DGRAM);
  plugin_bench_load_good (bench, text);
  plugin_bench_start (bench);
  return bench;
}

/* One datagram, or the sealed file that came in its place. */
static GBytes *
receive (int journal)
{
  static guint8 buffer[1 << 18];
  union {
    struct cmsghdr header;
    guint8 bytes[CMSG_SPACE (sizeof (int))];
  } control = { 0 };
  struct iovec iov = { buffer, sizeof buffer };
  struct msghdr message = {
    .msg_iov = &iov,
    .msg_iovlen = 1,
    .msg_control = &control,
    .msg_controllen = sizeof control,
  };
  gssize n = recvmsg (journal, &message, MSG_CMSG_CLOEXEC);
  struct stat info;
  gpointer data;
  GBytes *bytes;
  int fd;

  g_assert_cmpint (n, >=, 0);
  if (CMSG_FIRSTHDR (&message) == NULL)
    return g_bytes_new (buffer, (gsize) n);

  g_assert_cmpint (n, ==, 0);
  memcpy (&fd, CMSG_DATA (&control.header), sizeof fd);
  /* The journal refuses a file that could change while it reads. */
  g_assert_cmphex (fcntl (fd, F_GET_SEALS), ==,
                   F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  g_assert_cmpint (fstat (fd, &info), ==, 0);
  data = g_malloc ((gsize) info.st_size);
  g_assert_cmpint (pread (fd, data, (gsize) info.st_size, 0), ==, info.st_size);
  bytes = g_bytes_new_take (data, (gsize) info.st_size);
  close (fd);
  return bytes;
}

/* Fields of a record in the journal's form; every value is followed by a NUL of ours. */
static GHashTable *
parse (GBytes *bytes)
{
  GHashTable *fields = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  gsize left;
  const char *p = g_bytes_get_data (bytes, &left);

  while (left > 0)
    {
      const char *end = memchr (p, '\n', left);
      gsize name_len;
      guint64 len;

      g_assert_nonnull (end);
      name_len = (gsize) (end - p);
      g_assert_null (memchr (p, '=', name_len));
      g_assert_cmpuint (left - name_len - 1, >=, sizeof len);
      memcpy (&len, end + 1, sizeof len);
      len = GUINT64_FROM_LE (len);
      g_assert_cmpuint (left - name_len - 1 - sizeof len, >, len);
      g_assert_cmpint (end[1 + sizeof len + len], ==, '\n');
      g_assert_true (g_hash_table_insert (fields, g_strndup (p, name_len),
                                          g_strndup (end + 1 + sizeof len, len)));
      p = end + 1 + sizeof len + len + 1;
      left -= name_len + 1 + sizeof len + len + 1;
    }
  return fields;
}

static void
expect (GHashTable *fields, const char *name, const char *value)
{
  g_assert_cmpstr (g_hash_table_lookup (fields, name), ==, value);
}

static void
test_fields (void)
{
  int journal;
  g_autoptr (PluginBench) bench = start (&journal, "");
  g_autoptr (GHashTable) fields = NULL;
  g_autoptr (GBytes) bytes = NULL;

  g_log_structured ("test", G_LOG_LEVEL_WARNING, "CODE_FUNC", G_STRFUNC, DETOUR_LOG_CONN, "17",
                    DETOUR_LOG_REASON, "two\nlines\nMESSAGE=fake", "_PID", "1", "lower", "x",
                    "MESSAGE", "hello");
  bytes = receive (journal);
  fields = parse (bytes);
  expect (fields, "MESSAGE", "hello");
  expect (fields, "PRIORITY", "4");
  expect (fields, "SYSLOG_IDENTIFIER", "detourd");
  expect (fields, "GLIB_DOMAIN", "test");
  expect (fields, "CODE_FUNC", G_STRFUNC);
  expect (fields, DETOUR_LOG_CONN, "17");
  expect (fields, DETOUR_LOG_REASON, "two\nlines\nMESSAGE=fake");
  g_assert_cmpuint (g_hash_table_size (fields), ==, 7);
  g_assert_cmpuint (plugin_bench_counter (bench, "records"), ==, 1);
  close (journal);
}

/* The identifier is the UUID of version 5 for the name; `python3 -c 'import uuid; print (uuid.uuid5
 * (uuid.UUID ("011ce079-c085-401a-b5d5-424351643931"), "session-end").hex)'` gives the same. */
static void
test_event (void)
{
  int journal;
  g_autoptr (PluginBench) bench = start (&journal, "");
  g_autoptr (GHashTable) fields = NULL;
  g_autoptr (GBytes) bytes = NULL;

  g_log_structured ("test", G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "session-end", "MESSAGE", "bye");
  bytes = receive (journal);
  fields = parse (bytes);
  expect (fields, DETOUR_LOG_EVENT, "session-end");
  expect (fields, "MESSAGE_ID", "b10219be04f15394b113f5c26b714eaa");
  close (journal);
}

static void
test_priorities (void)
{
  static const struct {
    GLogLevelFlags level;
    const char *priority;
  } cases[] = {
    { G_LOG_LEVEL_CRITICAL, "3" }, { G_LOG_LEVEL_WARNING, "4" }, { G_LOG_LEVEL_MESSAGE, "5" },
    { G_LOG_LEVEL_INFO, "6" },     { G_LOG_LEVEL_DEBUG, "7" },
  };
  int journal;
  g_autoptr (PluginBench) bench = start (&journal, "level = debug\n");

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GHashTable) fields = NULL;
      g_autoptr (GBytes) bytes = NULL;

      g_log_structured ("test", cases[i].level, "MESSAGE", "hello");
      bytes = receive (journal);
      fields = parse (bytes);
      expect (fields, "PRIORITY", cases[i].priority);
    }
  g_assert_cmpuint (plugin_bench_counter (bench, "records"), ==, G_N_ELEMENTS (cases));
  close (journal);
}

static void
test_long_record (void)
{
  int journal;
  g_autoptr (PluginBench) bench = start (&journal, "");
  g_autofree char *reason = g_strnfill (3 << 20, 'x');
  g_autoptr (GHashTable) fields = NULL;
  g_autoptr (GBytes) bytes = NULL;

  g_log_structured ("test", G_LOG_LEVEL_MESSAGE, DETOUR_LOG_REASON, reason, "MESSAGE", "long");
  bytes = receive (journal);
  fields = parse (bytes);
  expect (fields, "MESSAGE", "long");
  expect (fields, DETOUR_LOG_REASON, reason);
  g_assert_cmpuint (plugin_bench_counter (bench, "records"), ==, 1);
  close (journal);
}

static void
test_privacy (void)
{
  int journal;
  g_autoptr (PluginBench) bench = start (&journal, "privacy = none\n");
  g_autoptr (GHashTable) fields = NULL;
  g_autoptr (GBytes) bytes = NULL;

  g_log_structured ("test", G_LOG_LEVEL_MESSAGE, DETOUR_LOG_ADDRESS, "[2001:db8::7]:4711",
                    "MESSAGE", "2001:db8::7 was rude");
  bytes = receive (journal);
  fields = parse (bytes);
  expect (fields, "MESSAGE", "- was rude");
  expect (fields, DETOUR_LOG_ADDRESS, NULL);
  g_assert_cmpuint (plugin_bench_counter (bench, "records"), ==, 1);
  close (journal);
}

static void
test_no_journal (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *error = NULL;

  plugin_bench_load_good (bench, "[log journal]\nsocket = @DIR@/journal\n");
  error = plugin_bench_start_error (bench);
  g_assert_true (g_str_has_prefix (error, "bench.conf:2: [log journal] socket: no journal at "));
  g_assert_nonnull (strstr (error, "No such file or directory; where there is no systemd, use "));
}

static void
test_long_path (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *name = g_strnfill (200, 'a');
  g_autofree char *text = g_strdup_printf ("[log journal]\nsocket = /%s\n", name);
  g_autofree char *errors = plugin_bench_load (bench, text);

  g_assert_nonnull (strstr (errors, "has 201 bytes; a socket's path has at most 107"));
}

/* It goes away and comes back under the same name, as after an update of systemd. */
static void
test_journal_restarts (void)
{
  int journal;
  g_autoptr (PluginBench) bench = start (&journal, "");
  g_autoptr (GHashTable) fields = NULL;
  g_autoptr (GBytes) bytes = NULL;

  close (journal);
  g_log_structured ("test", G_LOG_LEVEL_MESSAGE, "MESSAGE", "nobody hears");
  g_assert_cmpuint (plugin_bench_counter (bench, "lost"), ==, 1);
  journal = plugin_bench_bind (bench, "journal", SOCK_DGRAM);
  g_log_structured ("test", G_LOG_LEVEL_MESSAGE, "MESSAGE", "back again");
  bytes = receive (journal);
  fields = parse (bytes);
  expect (fields, "MESSAGE", "back again");
  close (journal);
}

/* Nobody reads; this test ends because nothing blocks. */
static void
test_full_journal (void)
{
  enum {
    RECORDS = 10000,
  };
  int journal;
  g_autoptr (PluginBench) bench = start (&journal, "");
  guint64 lost;

  for (guint i = 0; i < RECORDS; i++)
    g_log_structured ("test", G_LOG_LEVEL_MESSAGE, "MESSAGE", "record %u", i);
  lost = plugin_bench_counter (bench, "lost");
  g_assert_cmpuint (lost, >, 0);
  g_assert_cmpuint (lost + plugin_bench_counter (bench, "records"), ==, RECORDS);
  close (journal);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  detour_log_init ();
  g_test_add_func ("/log-journal/fields-of-any-value", test_fields);
  g_test_add_func ("/log-journal/event-has-an-identifier", test_event);
  g_test_add_func ("/log-journal/priorities", test_priorities);
  g_test_add_func ("/log-journal/long-record-goes-as-a-file", test_long_record);
  g_test_add_func ("/log-journal/privacy", test_privacy);
  g_test_add_func ("/log-journal/no-journal-is-a-start-error", test_no_journal);
  g_test_add_func ("/log-journal/path-too-long-for-a-socket", test_long_path);
  g_test_add_func ("/log-journal/journal-that-restarts", test_journal_restarts);
  g_test_add_func ("/log-journal/full-journal-does-not-block", test_full_journal);
  return g_test_run ();
}
