/* test-auth-keys.c: the plugin in a real host: verdicts, reload, and lists that change under it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-bench.h"

#include <glib/gstdio.h>
#include <string.h>

#include "test-program.h"

extern const DetourPlugin detour_plugin;

#define HEX_OF(byte)                                                                             \
  byte byte byte byte byte byte byte byte byte byte byte byte byte byte byte byte byte byte byte \
      byte byte byte byte byte byte byte byte byte byte byte byte byte
#define KEY_A "nodekey:" HEX_OF ("aa")
#define KEY_B "nodekey:" HEX_OF ("BB")

/* What the instance says of the key whose bytes are all @byte: "allow LABEL" or "deny REASON". */
static char *
ask (PluginBench *bench, guint8 byte)
{
  guint8 key[DETOUR_KEY_SIZE];
  g_autoptr (DetourVerdict) verdict = NULL;

  memset (key, byte, sizeof key);
  verdict = plugin_bench_verify (bench, key);
  switch (verdict->result)
    {
    case DETOUR_AUTH_ALLOW:
      return g_strdup_printf ("allow %s%s%s", verdict->label != NULL ? verdict->label : "-",
                              verdict->class_ != NULL ? " of class " : "",
                              verdict->class_ != NULL ? verdict->class_ : "");
    case DETOUR_AUTH_DENY:
      return g_strdup_printf ("deny %s", verdict->reason);
    case DETOUR_AUTH_UNAVAILABLE:
    default:
      return g_strdup ("unavailable");
    }
}

static void
expect (PluginBench *bench, guint8 byte, const char *answer)
{
  g_autofree char *seen = ask (bench, byte);
  g_autofree char *short_seen = g_strdelimit (g_strdup (seen), "\n", ' ');

  if (g_str_equal (answer, "deny"))
    g_assert_true (g_str_has_prefix (short_seen, "deny not in "));
  else
    g_assert_cmpstr (short_seen, ==, answer);
}

static PluginBench *
start_file (const char *text)
{
  PluginBench *bench = plugin_bench_new (&detour_plugin);

  plugin_bench_write (bench, "friends.keys", text);
  plugin_bench_load_good (bench, "[auth keys]\nfile = @DIR@/friends.keys\n");
  plugin_bench_start (bench);
  return bench;
}

static void
test_verdicts (void)
{
  g_autoptr (PluginBench)
      bench = start_file ("# friends\n" KEY_A " Anna's laptop\n" KEY_B " class=staff\n");
  g_autofree char *path = plugin_bench_path (bench, "friends.keys");
  g_autofree char *denied = g_strconcat ("deny not in ", path, NULL);
  g_autofree char *expected = g_strconcat ("2 keys from ", path, NULL);
  g_autofree char *summary = detour_instance_dup_summary (bench->instance);

  expect (bench, 0xaa, "allow Anna's laptop");
  expect (bench, 0xbb, "allow - of class staff");
  expect (bench, 0xcc, denied);
  g_assert_cmpstr (summary, ==, expected);
  g_assert_cmpuint (plugin_bench_counter (bench, "allowed"), ==, 2);
  g_assert_cmpuint (plugin_bench_counter (bench, "denied"), ==, 1);
  g_assert_cmpuint (plugin_bench_counter (bench, "keys"), ==, 2);
}

static void
test_directory (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);

  plugin_bench_write (bench, "a.keys", KEY_A " a\n");
  plugin_bench_write (bench, "b.keys", KEY_B " b\n");
  plugin_bench_write (bench, "c.txt", "garbage\n");
  plugin_bench_load_good (bench, "[auth team]\nplugin = keys\ndirectory = @DIR@\n");
  plugin_bench_start (bench);
  expect (bench, 0xaa, "allow a");
  expect (bench, 0xbb, "allow b");
  expect (bench, 0xcc, "deny");
}

static void
test_refused_lists (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *path = plugin_bench_path (bench, "bad.keys");
  g_autofree char *first = g_strconcat (path, ":1: not a node key", NULL);
  g_autofree char *second = g_strconcat (path, ":3: not a node key", NULL);
  g_autofree char *missing = NULL;
  g_autofree char *errors = NULL;
  g_autofree char *limit = NULL;

  missing = plugin_bench_load (bench, "[auth keys]\nfile = @DIR@/bad.keys\n");
  g_assert_nonnull (strstr (missing, "bench.conf:2: [auth keys] file: "));
  g_assert_nonnull (strstr (missing, "cannot be read: No such file or directory"));

  plugin_bench_write (bench, "bad.keys", "nodekey:0\n" KEY_A "\nfriend\n");
  errors = plugin_bench_load (bench, "[auth keys]\nfile = @DIR@/bad.keys\n");
  g_test_message ("%s", errors);
  g_assert_nonnull (strstr (errors, first));
  g_assert_nonnull (strstr (errors, second));

  plugin_bench_write (bench, "bad.keys", KEY_A "\n" KEY_B "\n");
  limit = plugin_bench_load (bench, "[auth keys]\nfile = @DIR@/bad.keys\nmax-entries = 1\n");
  g_assert_nonnull (strstr (limit, ":2: more than 1 keys; raise max-entries"));
}

static void
test_file_or_directory (void)
{
  static const struct {
    const char *keys, *error;
  } cases[] = {
    { "", "[auth keys] file: not set; name a file or a directory with node keys" },
    { "file = @DIR@/friends.keys\ndirectory = @DIR@\n",
      "bench.conf:3: [auth keys] directory: file is set too; keep one of them" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
      g_autofree char *text = g_strconcat ("[auth keys]\n", cases[i].keys, NULL);
      g_autofree char *errors = NULL;

      plugin_bench_write (bench, "friends.keys", KEY_A "\n");
      errors = plugin_bench_load (bench, text);
      g_assert_nonnull (errors);
      g_assert_nonnull (strstr (errors, cases[i].error));
    }
}

/* The list is good when the configuration is checked and gone when the instance starts. */
static void
test_gone_at_start (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *path = plugin_bench_path (bench, "friends.keys");
  g_autofree char *error = NULL;

  plugin_bench_write (bench, "friends.keys", KEY_A "\n");
  plugin_bench_load_good (bench, "[auth keys]\nfile = @DIR@/friends.keys\n");
  g_remove (path);
  error = plugin_bench_start_error (bench);
  g_assert_nonnull (strstr (error, "cannot be read: No such file or directory"));
}

static gboolean
has_changed (gpointer data)
{
  return ((PluginBench *) data)->n_auth_changed > 0;
}

static gboolean
has_reload_error (gpointer data)
{
  return plugin_bench_counter (data, "reload_errors") > 0;
}

/* Nobody calls: the directory is watched. */
static void
test_watch_file (void)
{
  g_autoptr (PluginBench) bench = start_file (KEY_A "\n");

  bench->n_auth_changed = 0;
  plugin_bench_write (bench, "friends.keys", KEY_B " b\n");
  plugin_bench_wait (has_changed, bench);
  expect (bench, 0xaa, "deny");
  expect (bench, 0xbb, "allow b");
}

static void
test_watch_directory (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *path = plugin_bench_path (bench, "a.keys");

  plugin_bench_write (bench, "a.keys", KEY_A " a\n");
  plugin_bench_load_good (bench, "[auth keys]\ndirectory = @DIR@\n");
  plugin_bench_start (bench);

  bench->n_auth_changed = 0;
  plugin_bench_write (bench, "b.keys", KEY_B " b\n");
  plugin_bench_wait (has_changed, bench);
  expect (bench, 0xaa, "allow a");
  expect (bench, 0xbb, "allow b");

  bench->n_auth_changed = 0;
  g_remove (path);
  plugin_bench_wait (has_changed, bench);
  expect (bench, 0xaa, "deny");
  expect (bench, 0xbb, "allow b");
}

static guint n_warnings;

static GLogWriterOutput
count_warnings (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
  n_warnings += (level & G_LOG_LEVEL_WARNING) != 0 ? 1 : 0;
  return G_LOG_WRITER_HANDLED;
}

static void
test_bad_change (void)
{
  g_autoptr (PluginBench) bench = start_file (KEY_A " a\n");
  g_autofree char *trouble = NULL;
  g_autofree char *no_trouble = NULL;

  bench->n_auth_changed = 0;
  plugin_bench_write (bench, "friends.keys", KEY_B " b\nsomething else\n");
  plugin_bench_wait (has_reload_error, bench);
  trouble = detour_instance_dup_trouble (bench->instance);
  g_assert_nonnull (strstr (trouble, "the list before it is in force: "));
  g_assert_nonnull (strstr (trouble, "friends.keys:2: not a node key"));
  expect (bench, 0xaa, "allow a");
  expect (bench, 0xbb, "deny");
  g_assert_cmpuint (bench->n_auth_changed, ==, 0);

  /* The same errors again are counted and not told again. */
  n_warnings = 0;
  plugin_bench_reload (bench);
  plugin_bench_reload (bench);
  g_assert_cmpuint (plugin_bench_counter (bench, "reload_errors"), >=, 3);
  g_assert_cmpuint (n_warnings, ==, 0);
  plugin_bench_write (bench, "friends.keys", "other errors\n");
  plugin_bench_reload (bench);
  g_assert_cmpuint (n_warnings, ==, 1);

  plugin_bench_write (bench, "friends.keys", KEY_B " b\n");
  plugin_bench_reload (bench);
  no_trouble = detour_instance_dup_trouble (bench->instance);
  g_assert_cmpstr (no_trouble, ==, NULL);
  expect (bench, 0xaa, "deny");
  expect (bench, 0xbb, "allow b");
  g_assert_cmpuint (bench->n_auth_changed, ==, 1);
}

/* Empty files are easily made, and then nobody comes in. */
static void
test_empty_list (void)
{
  g_autoptr (PluginBench) bench = NULL;
  g_autofree char *trouble = NULL;
  g_autofree char *later = NULL;
  g_autofree char *again = NULL;

  n_warnings = 0;
  bench = start_file ("# nobody yet\n");
  trouble = detour_instance_dup_trouble (bench->instance);
  g_assert_nonnull (strstr (trouble, "there is no key in "));
  g_assert_cmpuint (n_warnings, ==, 1);
  plugin_bench_write (bench, "friends.keys", "# still nobody\n");
  plugin_bench_reload (bench);
  g_assert_cmpuint (n_warnings, ==, 1);

  plugin_bench_write (bench, "friends.keys", KEY_A "\n");
  plugin_bench_reload (bench);
  later = detour_instance_dup_trouble (bench->instance);
  g_assert_cmpstr (later, ==, NULL);
  expect (bench, 0xaa, "allow -");

  plugin_bench_write (bench, "friends.keys", "");
  plugin_bench_reload (bench);
  again = detour_instance_dup_trouble (bench->instance);
  g_assert_nonnull (strstr (again, "there is no key in "));
  g_assert_cmpuint (n_warnings, ==, 2);
}

static void
test_same_list (void)
{
  g_autoptr (PluginBench) bench = start_file (KEY_A " a\n");

  bench->n_auth_changed = 0;
  plugin_bench_write (bench, "friends.keys", "# a comment more\n" KEY_A "  a\n");
  plugin_bench_reload (bench);
  g_assert_cmpuint (bench->n_auth_changed, ==, 0);
  plugin_bench_write (bench, "friends.keys", KEY_A " another label\n");
  plugin_bench_reload (bench);
  g_assert_cmpuint (bench->n_auth_changed, ==, 1);
  expect (bench, 0xaa, "allow another label");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  test_log_reaches_writer ();
  g_log_set_writer_func (count_warnings, NULL, NULL);
  g_test_add_func ("/auth-keys/listed-keys-are-admitted", test_verdicts);
  g_test_add_func ("/auth-keys/directory-of-lists", test_directory);
  g_test_add_func ("/auth-keys/bad-lists-are-refused", test_refused_lists);
  g_test_add_func ("/auth-keys/either-file-or-directory", test_file_or_directory);
  g_test_add_func ("/auth-keys/list-is-gone-at-the-start", test_gone_at_start);
  g_test_add_func ("/auth-keys/changed-file-is-seen", test_watch_file);
  g_test_add_func ("/auth-keys/changed-directory-is-seen", test_watch_directory);
  g_test_add_func ("/auth-keys/bad-change-keeps-the-list", test_bad_change);
  g_test_add_func ("/auth-keys/empty-list-is-trouble", test_empty_list);
  g_test_add_func ("/auth-keys/same-list-is-no-change", test_same_list);
  return g_test_run ();
}
