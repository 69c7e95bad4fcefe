/* test-log.c: where messages go, and in which state they arrive.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-log.h"

#include <string.h>

#include "test-program.h"

typedef struct {
  GString *text; /* "level domain message|…" */
  guint n_fields;
  gboolean talks;
} Sink;

static void
sink_write (gpointer data, const DetourLogRecord *record)
{
  Sink *self = data;

  g_string_append_printf (self->text, "%s %s %s|", detour_log_level_name (record->level),
                          record->domain, record->message);
  self->n_fields = (guint) record->n_fields;
  g_assert_cmpint (record->real_us, >, 0);
  if (self->talks)
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, "MESSAGE", "a sink that talks");
}

static const DetourLogFuncs sink_funcs = { sink_write };

static void
sink_init (Sink *self)
{
  memset (self, 0, sizeof *self);
  self->text = g_string_new (NULL);
  detour_log_add_sink (&sink_funcs, self, G_LOG_LEVEL_DEBUG, DETOUR_LOG_PRIVACY_FULL);
}

static void
sink_clear (Sink *self)
{
  detour_log_remove_sink (self);
  g_string_free (self->text, TRUE);
}

static void
assert_text (Sink *self, const char *expected)
{
  g_assert_cmpstr (self->text->str, ==, expected);
  g_string_truncate (self->text, 0);
}

static void
every_sink_gets_every_record (void)
{
  Sink a, b;

  sink_init (&a);
  sink_init (&b);
  g_message ("one");
  g_log_structured ("other", G_LOG_LEVEL_DEBUG, "DETOUR_CONN", "7", "MESSAGE", "two %d", 2);
  assert_text (&a, "message detour-test one|debug other two 2|");
  assert_text (&b, "message detour-test one|debug other two 2|");
  g_assert_cmpuint (a.n_fields, >=, 3);
  sink_clear (&a);
  g_info ("three");
  assert_text (&b, "info detour-test three|");
  sink_clear (&b);
}

/* Only what somebody wants is made into a record at all. */
static void
least_level (void)
{
  Sink grave = { g_string_new (NULL), 0, FALSE };
  Sink chatty = { g_string_new (NULL), 0, FALSE };

  detour_log_add_sink (&sink_funcs, &grave, G_LOG_LEVEL_WARNING, DETOUR_LOG_PRIVACY_FULL);
  g_message ("dropped");
  g_warning ("kept");
  assert_text (&grave, "warning detour-test kept|");
  detour_log_add_sink (&sink_funcs, &chatty, G_LOG_LEVEL_INFO, DETOUR_LOG_PRIVACY_FULL);
  g_info ("kept");
  g_debug ("dropped");
  assert_text (&chatty, "info detour-test kept|");
  sink_clear (&chatty);
  g_string_truncate (grave.text, 0);
  g_info ("dropped again");
  assert_text (&grave, "");
  sink_clear (&grave);
}

static void
one_line_of_utf8 (void)
{
  static const struct {
    const char *text;
    gssize len;
    const char *escaped;
  } cases[] = {
    { "plain", -1, "plain" },
    { "", -1, "" },
    { "größer ✓", -1, "größer ✓" },
    { "a\nb\r\tc", -1, "a\\x0ab\\x0d\\x09c" },
    { "\x1b[2J", -1, "\\x1b[2J" },
    { "\xff\xfe", -1, "\\xff\\xfe" },
    { "cut \xc3", -1, "cut \\xc3" },
    { "nul\0l", 5, "nul\\x00l" },
    { "\xc2\x85\xe2\x80\xa8", -1, "\\x85\\x2028" },
    { "a\u202eb\u202a\u202c\u2066\u2069", -1, "a\\x202eb\\x202a\\x202c\\x2066\\x2069" },
    { "\u200e\u200f\u061c", -1, "\\x200e\\x200f\\x61c" },
    /* They join or part letters, and are no danger. */
    { "\u200c\u200d", -1, "\u200c\u200d" },
    { "abc", 2, "ab" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *escaped = detour_log_escape (cases[i].text, cases[i].len);

      g_assert_cmpstr (escaped, ==, cases[i].escaped);
    }
}

static void
messages_are_escaped (void)
{
  const GLogField fields[] = { { "MESSAGE", "two\nlines", 5 } };
  Sink sink;

  sink_init (&sink);
  g_message ("%s", "forged\nmessage: all is well\x1b[0m\xff");
  g_log_structured_array (G_LOG_LEVEL_MESSAGE, fields, 1);
  assert_text (
      &sink,
      "message detour-test forged\\x0amessage: all is well\\x1b[0m\\xff|message  two\\x0al|");
  sink_clear (&sink);
}

static void
repeated_warnings_are_counted (void)
{
  Sink sink;

  sink_init (&sink);
  for (guint i = 0; i < 5; i++)
    g_warning ("again");
  assert_text (&sink, "warning detour-test again|");
  g_message ("other");
  assert_text (&sink,
               "warning detour-test last message repeated 4 times|message detour-test other|");
  g_message ("other"); /* what is normal life is written each time */
  assert_text (&sink, "message detour-test other|");
  g_warning ("again");
  g_warning ("again");
  detour_log_flush ();
  detour_log_flush ();
  assert_text (&sink,
               "warning detour-test again|warning detour-test last message repeated 1 time|");
  sink_clear (&sink);
}

static void
sink_that_talks (void)
{
  if (g_test_subprocess ())
    {
      Sink sink;

      sink_init (&sink);
      sink.talks = TRUE;
      g_message ("hello");
      assert_text (&sink, "message detour-test hello|");
      sink_clear (&sink);
      return;
    }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stderr ("*a sink that talks*");
}

static void
no_sink (void)
{
  if (g_test_subprocess ())
    {
      g_unsetenv ("G_MESSAGES_DEBUG");
      g_debug ("unheard");
      g_info ("unheard");
      g_message ("heard\n");
      g_warning ("heard twice");
      return;
    }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stderr ("*message: heard\\x0a\nwarning: heard twice\n*");
  g_test_trap_assert_stderr_unmatched ("*unheard*");
}

/* Each thread says its own numbers; none may be lost, and none cut. */
static gpointer
speak (gpointer data)
{
  for (guint i = 0; i < 500; i++)
    g_message ("%s%u", (const char *) data, i);
  return NULL;
}

static void
many_threads (void)
{
  g_auto (GStrv) lines = NULL;
  GThread *a, *b;
  Sink sink;

  sink_init (&sink);
  a = g_thread_new ("a", speak, (gpointer) "a");
  b = g_thread_new ("b", speak, (gpointer) "b");
  g_thread_join (a);
  g_thread_join (b);
  lines = g_strsplit (sink.text->str, "|", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 1001);
  for (guint i = 0; i < 1000; i++)
    g_assert_true (g_str_has_prefix (lines[i], "message detour-test "));
  sink_clear (&sink);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  test_log_reaches_writer ();
  g_log_set_always_fatal (G_LOG_FATAL_MASK);
  detour_log_init ();
  detour_log_init ();
  g_test_add_func ("/log/every-sink-gets-every-record", every_sink_gets_every_record);
  g_test_add_func ("/log/what-nobody-wants-is-dropped", least_level);
  g_test_add_func ("/log/one-line-of-utf8", one_line_of_utf8);
  g_test_add_func ("/log/messages-are-escaped", messages_are_escaped);
  g_test_add_func ("/log/repeated-warnings-are-counted", repeated_warnings_are_counted);
  g_test_add_func ("/log/sink-that-talks", sink_that_talks);
  g_test_add_func ("/log/no-sink", no_sink);
  g_test_add_func ("/log/many-threads", many_threads);
  return g_test_run ();
}
