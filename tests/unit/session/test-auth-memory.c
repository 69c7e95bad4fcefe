/* test-auth-memory.c: what an auth instance knows outlasts a restart, and lives no longer by it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <sodium.h>

#include <glib/gstdio.h>

#include "detour-auth-memory.h"
#include "detour-verdict-file.h"
#include "test-program.h"

#define GRACE_US (24 * G_TIME_SPAN_HOUR)
#define HOUR_US  G_TIME_SPAN_HOUR

/* All that was logged since it was looked at. */
static GString *logged;

static GLogWriterOutput
on_log (GLogLevelFlags level, const GLogField *fields, gsize n, gpointer user)
{
  for (gsize i = 0; i < n; i++)
    if (g_str_equal (fields[i].key, "MESSAGE"))
      g_string_append_printf (logged, "%s\n", (const char *) fields[i].value);
  return G_LOG_WRITER_HANDLED;
}

static void
expect_log (const char *pattern)
{
  g_assert_true (g_pattern_match_simple (pattern, logged->str));
  g_string_truncate (logged, 0);
}

static const guint8 private_key[DETOUR_KEY_SIZE] = { 1, 2, 3 };

/* A daemon, as far as it matters here, that is started again and again. */
typedef struct {
  gint64 now_us, real_us;
  char *folder, *path;
  DetourVerdictStore *store;
  DetourAuthMemory *memory;
  const char *source;
  gint64 grace_us;
} Life;

static void
collect (gpointer user, DetourVerdictDraft *draft)
{
  detour_auth_memory_collect (((Life *) user)->memory, draft);
}

static gint64
now_us (gpointer user)
{
  return ((Life *) user)->now_us;
}

static gint64
real_us (gpointer user)
{
  return ((Life *) user)->real_us;
}

static const DetourVerdictStorePort port = { collect, now_us, real_us };

static void
life_begin (Life *life)
{
  life->memory = detour_auth_memory_new ("auth/a", 100, 100);
  detour_auth_memory_set_source (life->memory, life->source);
  life->store = detour_verdict_store_new (life->path, private_key, life->grace_us, &port, life);
  detour_auth_memory_set_store (life->memory, life->store);
  detour_verdict_store_settle (life->store);
}

static void
life_end (Life *life)
{
  g_clear_pointer (&life->store, detour_verdict_store_free);
  detour_auth_memory_set_store (life->memory, NULL);
  g_clear_pointer (&life->memory, detour_auth_memory_free);
}

/* The clock of the process begins anew. */
static void
life_restart (Life *life)
{
  life_end (life);
  life->now_us = G_USEC_PER_SEC;
  life_begin (life);
}

static void
life_pass (Life *life, gint64 us)
{
  life->now_us += us;
  life->real_us += us;
}

static Life *
life_new (void)
{
  Life *life = g_new0 (Life, 1);

  life->now_us = 1000 * G_USEC_PER_SEC;
  life->real_us = G_GINT64_CONSTANT (1900000000) * G_USEC_PER_SEC;
  life->folder = g_dir_make_tmp ("detour-test-XXXXXX", NULL);
  life->path = g_build_filename (life->folder, "verdicts", NULL);
  life->source = "somebody";
  life->grace_us = GRACE_US;
  life_begin (life);
  return life;
}

static void
life_free (Life *life)
{
  g_autofree char *broken = g_strconcat (life->path, ".broken", NULL);

  life_end (life);
  g_unlink (life->path);
  g_unlink (broken);
  g_assert_cmpint (g_rmdir (life->folder), ==, 0);
  g_free (life->path);
  g_free (life->folder);
  g_free (life);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Life, life_free)

static DetourAuthRequest *
request (guint8 byte, const char *address)
{
  DetourAuthRequest fields = { .address = address };

  memset (fields.key, byte, sizeof fields.key);
  return detour_auth_request_new (&fields);
}

static void
say_full (Life *life, guint8 byte, DetourAuthResult result, const char *label, const char *class_,
          gint64 ttl_us)
{
  g_autoptr (DetourAuthRequest) asked = request (byte, "192.0.2.1");
  const DetourVerdict fields = { .result = result,
                                 .instance = "auth/a",
                                 .label = label,
                                 .class_ = class_,
                                 .until_us = ttl_us != 0 ? life->now_us + ttl_us : 0 };
  g_autoptr (DetourVerdict) verdict = detour_verdict_new (&fields);

  detour_auth_memory_put (life->memory, asked, verdict, life->now_us,
                          life->now_us + (ttl_us != 0 ? ttl_us : 5 * G_USEC_PER_SEC));
}

static void
say (Life *life, guint8 byte, DetourAuthResult result)
{
  say_full (life, byte, result, NULL, NULL, 0);
}

static gboolean
has_grace (Life *life, guint8 byte)
{
  g_autoptr (DetourAuthRequest) asked = request (byte, "192.0.2.1");

  return detour_auth_memory_find_allowed (life->memory, detour_auth_request_key (asked),
                                          life->now_us - life->grace_us)
      != NULL;
}

static gboolean
holds_for (Life *life, guint8 byte, const char *address)
{
  g_autoptr (DetourAuthRequest) asked = request (byte, address);

  return detour_auth_memory_find (life->memory, asked, life->now_us) != NULL;
}

/* Rows in the file, when everything is written; -1: there is none. */
static int
n_written (Life *life)
{
  g_autofree char *text = NULL;
  g_autoptr (DetourVerdictFile) file = NULL;
  gsize len;
  int n = 0;

  if (!g_file_get_contents (life->path, &text, &len, NULL))
    return -1;
  file = detour_verdict_file_parse (text, len, NULL);
  g_assert_nonnull (file);
  for (guint i = 0; i < file->sections->len; i++)
    n += (int) ((const DetourVerdictSection *) file->sections->pdata[i])->rows->len;
  return n;
}

static gboolean
on_patience (gpointer data)
{
  *(gboolean *) data = TRUE;
  return G_SOURCE_REMOVE;
}

static void
wait_written (Life *life, int n)
{
  gboolean is_over = FALSE;
  guint timer = g_timeout_add_seconds (30, on_patience, &is_over);

  while (n_written (life) != n && !is_over)
    {
      g_main_context_iteration (NULL, FALSE);
      g_thread_yield ();
    }
  g_assert_false (is_over);
  g_source_remove (timer);
}

static void
test_restart (void)
{
  g_autoptr (Life) life = life_new ();
  g_autoptr (DetourAuthRequest) asked = request (1, "192.0.2.1");
  const DetourVerdict *verdict;

  say_full (life, 1, DETOUR_AUTH_ALLOW, "laptop", "family", 0);
  say (life, 2, DETOUR_AUTH_DENY);
  life_restart (life);
  g_assert_cmpint (n_written (life), ==, 1);
  g_assert_cmpuint (detour_auth_memory_size (life->memory), ==, 1);
  verdict = detour_auth_memory_find_allowed (life->memory, detour_auth_request_key (asked),
                                             life->now_us - life->grace_us);
  g_assert_cmpstr (verdict->label, ==, "laptop");
  g_assert_cmpstr (verdict->class_, ==, "family");
  g_assert_cmpstr (verdict->instance, ==, "auth/a");
  g_assert_cmpuint (detour_auth_memory_size (life->memory), ==, 1);
  g_assert_false (has_grace (life, 2));
  g_assert_false (holds_for (life, 1, "192.0.2.1"));
  /* Those that nobody asked for stay as well. */
  life_restart (life);
  life_restart (life);
  g_assert_true (has_grace (life, 1));
}

static void
test_no_longer (void)
{
  g_autoptr (Life) life = life_new ();

  say (life, 1, DETOUR_AUTH_ALLOW);
  for (guint i = 0; i < 23; i++)
    {
      life_pass (life, HOUR_US);
      life_restart (life);
      /* Asked for or not: its time goes on. */
      if (i % 2 == 0)
        g_assert_true (has_grace (life, 1));
    }
  g_assert_true (has_grace (life, 1));
  life_pass (life, HOUR_US + G_USEC_PER_SEC);
  g_assert_false (has_grace (life, 1));
  life_restart (life);
  g_assert_false (has_grace (life, 1));
}

static void
test_holds (void)
{
  g_autoptr (Life) life = life_new ();

  say_full (life, 1, DETOUR_AUTH_ALLOW, NULL, NULL, HOUR_US);
  say_full (life, 2, DETOUR_AUTH_ALLOW, NULL, NULL, HOUR_US);
  say_full (life, 3, DETOUR_AUTH_ALLOW, NULL, NULL, HOUR_US);
  life_pass (life, HOUR_US / 2);
  life_restart (life);
  g_assert_true (holds_for (life, 1, "192.0.2.1"));
  g_assert_false (holds_for (life, 1, "192.0.2.2"));
  life_pass (life, HOUR_US / 2);
  g_assert_false (holds_for (life, 1, "192.0.2.1"));
  g_assert_false (holds_for (life, 2, "192.0.2.1"));
  g_assert_true (has_grace (life, 2));
  life_restart (life);
  g_assert_false (holds_for (life, 3, "192.0.2.1"));
  g_assert_true (has_grace (life, 3));
}

/* The instance said that its verdicts may be different, before the restart or after it. */
static void
test_forgotten (void)
{
  g_autoptr (Life) life = life_new ();

  say_full (life, 1, DETOUR_AUTH_ALLOW, NULL, NULL, HOUR_US);
  detour_auth_memory_forget (life->memory);
  life_restart (life);
  g_assert_false (holds_for (life, 1, "192.0.2.1"));
  g_assert_true (has_grace (life, 1));
  say_full (life, 2, DETOUR_AUTH_ALLOW, NULL, NULL, HOUR_US);
  life_restart (life);
  detour_auth_memory_forget (life->memory);
  g_assert_false (holds_for (life, 2, "192.0.2.1"));
  life_restart (life);
  g_assert_false (holds_for (life, 2, "192.0.2.1"));
  g_assert_true (has_grace (life, 2));
}

static void
test_gone_at_once (void)
{
  g_autoptr (Life) life = life_new ();

  for (guint8 i = 1; i <= 5; i++)
    say (life, i, DETOUR_AUTH_ALLOW);
  life_restart (life);
  g_assert_cmpint (n_written (life), ==, 5);
  /* It was not asked for; it was; it is dropped without being asked for, and with. */
  say (life, 1, DETOUR_AUTH_DENY);
  wait_written (life, 4);
  life_pass (life, DETOUR_VERDICT_STORE_SOON_US);
  g_assert_true (has_grace (life, 2));
  say (life, 2, DETOUR_AUTH_DENY);
  wait_written (life, 3);
  life_pass (life, DETOUR_VERDICT_STORE_SOON_US);
  for (guint8 i = 3; i <= 4; i++)
    {
      g_autoptr (DetourAuthRequest) asked = request (i, "192.0.2.1");

      g_assert_true (i == 3 || has_grace (life, i));
      detour_auth_memory_drop (life->memory, detour_auth_request_key (asked));
      wait_written (life, 5 - i);
      g_assert_false (has_grace (life, i));
      life_pass (life, DETOUR_VERDICT_STORE_SOON_US);
    }
  g_assert_true (has_grace (life, 5));
}

static void
test_source (void)
{
  g_autoptr (Life) life = life_new ();

  say (life, 1, DETOUR_AUTH_ALLOW);
  detour_auth_memory_set_source (life->memory, "somebody");
  g_assert_true (has_grace (life, 1));
  detour_auth_memory_set_source (life->memory, "somebody else");
  g_assert_false (has_grace (life, 1));
  say (life, 2, DETOUR_AUTH_ALLOW);
  /* The settings that are in force at the next start are the ones of before. */
  life_restart (life);
  expect_log ("*auth/a asks another source*1 keys*");
  g_assert_false (has_grace (life, 2));
  wait_written (life, 0);
}

static void
test_clock_behind (void)
{
  g_autoptr (Life) life = life_new ();

  say (life, 1, DETOUR_AUTH_ALLOW);
  life_end (life);
  life->real_us -= 2 * HOUR_US;
  life_begin (life);
  expect_log ("*the clock is 7200 s behind*");
  g_assert_false (has_grace (life, 1));
  /* What happens meanwhile is written, and does not make the clock look right. */
  say (life, 2, DETOUR_AUTH_ALLOW);
  life_restart (life);
  expect_log ("*the clock is 7200 s behind*");
  g_assert_false (has_grace (life, 1));
  life->real_us += 2 * HOUR_US;
  g_assert_true (has_grace (life, 1));
  g_assert_true (has_grace (life, 2));
}

/* It was wrong before, and is right now. */
static void
test_clock_stays_behind (void)
{
  g_autoptr (Life) life = life_new ();

  say (life, 1, DETOUR_AUTH_ALLOW);
  life_end (life);
  life->real_us -= 10000 * HOUR_US;
  life_begin (life);
  expect_log ("*s behind*");
  life_pass (life, HOUR_US);
  say (life, 2, DETOUR_AUTH_ALLOW);
  life_restart (life);
  expect_log ("*the clock is still behind*");
  g_assert_true (has_grace (life, 2));
  g_assert_false (has_grace (life, 1));
}

static void
test_clock_ahead (void)
{
  g_autoptr (Life) life = life_new ();

  say_full (life, 1, DETOUR_AUTH_ALLOW, NULL, NULL, HOUR_US);
  life_end (life);
  life->real_us += 10000 * HOUR_US;
  life_begin (life);
  g_assert_false (has_grace (life, 1));
  g_assert_false (holds_for (life, 1, "192.0.2.1"));
}

/* While the daemon runs: somebody sets it, or the machine sleeps. */
static void
test_clock_jumps (void)
{
  g_autoptr (Life) life = life_new ();

  say (life, 1, DETOUR_AUTH_ALLOW);
  life_pass (life, 20 * HOUR_US);
  life->real_us -= 10 * HOUR_US;
  /* Nothing was written before, so nothing says that the clock is behind. */
  life_restart (life);
  g_assert_true (has_grace (life, 1));
  life_pass (life, 4 * HOUR_US + G_USEC_PER_SEC);
  g_assert_false (has_grace (life, 1));

  say (life, 2, DETOUR_AUTH_ALLOW);
  life->real_us += 23 * HOUR_US;
  life_restart (life);
  g_assert_true (has_grace (life, 2));
  life_pass (life, 2 * HOUR_US);
  g_assert_false (has_grace (life, 2));
}

static void
test_off (void)
{
  g_autoptr (Life) life = life_new ();

  say (life, 1, DETOUR_AUTH_ALLOW);
  life_restart (life);
  g_assert_cmpint (n_written (life), ==, 1);
  detour_verdict_store_set_grace (life->store, 0);
  wait_written (life, 0);
  g_assert_false (has_grace (life, 1));
  say (life, 2, DETOUR_AUTH_ALLOW);
  life->grace_us = 0;
  life_restart (life);
  g_assert_cmpint (n_written (life), ==, -1);
  life->grace_us = GRACE_US;
  detour_verdict_store_set_grace (life->store, GRACE_US);
  say (life, 3, DETOUR_AUTH_ALLOW);
  life_restart (life);
  g_assert_true (has_grace (life, 3));
}

static void
test_unwritable (void)
{
  g_autoptr (Life) life = life_new ();
  g_autofree char *path = g_build_filename (life->folder, "none", "verdicts", NULL);

  life_end (life);
  g_free (life->path);
  life->path = g_steal_pointer (&path);
  life_begin (life);
  say (life, 1, DETOUR_AUTH_ALLOW);
  life_restart (life);
  expect_log ("*which keys were allowed cannot be kept*");
  g_assert_false (has_grace (life, 1));
}

int
main (int argc, char *argv[])
{
  int result;

  g_test_init (&argc, &argv, NULL);
  test_log_reaches_writer ();
  g_assert_cmpint (sodium_init (), >=, 0);
  logged = g_string_new (NULL);
  g_log_set_writer_func (on_log, NULL, NULL);
  g_test_add_func ("/auth-memory/outlasts-a-restart", test_restart);
  g_test_add_func ("/auth-memory/no-longer-by-a-restart", test_no_longer);
  g_test_add_func ("/auth-memory/verdicts-hold-as-long-as-the-instance-said", test_holds);
  g_test_add_func ("/auth-memory/forgotten-verdicts-do-not-come-back", test_forgotten);
  g_test_add_func ("/auth-memory/revoked-keys-are-gone-at-once", test_gone_at_once);
  g_test_add_func ("/auth-memory/another-source", test_source);
  g_test_add_func ("/auth-memory/clock-behind", test_clock_behind);
  g_test_add_func ("/auth-memory/clock-stays-behind", test_clock_stays_behind);
  g_test_add_func ("/auth-memory/clock-ahead", test_clock_ahead);
  g_test_add_func ("/auth-memory/clock-jumps", test_clock_jumps);
  g_test_add_func ("/auth-memory/off", test_off);
  g_test_add_func ("/auth-memory/unwritable", test_unwritable);
  result = g_test_run ();
  g_string_free (logged, TRUE);
  return result;
}
