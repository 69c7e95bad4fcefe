/* test-auth-walk.c: the walk along the chain: which instance decides, which is waited for, what
 * grace does.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-auth-walk.h"
#include "fake-auth.h"
#include "test-program.h"

#define SECOND G_USEC_PER_SEC

/* A walk along up to three instances, "auth/a" to "auth/c", and what it said. */
typedef struct {
  FakeAuth *fake;
  DetourAuthInstance *instances[3];
  guint n;
  DetourAuthWalkTerms terms;
  DetourAuthWalk *walk;
  GString *verdicts;
  gboolean is_over;
} Bench;

static const char *const names[] = { "auth/a", "auth/b", "auth/c" };

static void
on_verdict (DetourVerdict *verdict, gboolean is_final, gpointer user)
{
  static const char *const results[] = { "allow", "deny", "unavailable" };
  Bench *bench = user;

  g_assert_false (bench->is_over);
  g_string_append_printf (bench->verdicts, "%s%s%s by %s%s%s%s",
                          bench->verdicts->len > 0 ? "; " : "", is_final ? "" : "provisional ",
                          results[verdict->result], verdict->instance + strlen ("auth/"),
                          verdict->flags & DETOUR_VERDICT_CACHED ? " cached" : "",
                          verdict->flags & DETOUR_VERDICT_GRACE ? " grace" : "",
                          verdict->label != NULL ? " label" : "");
  bench->is_over = is_final;
  if (is_final)
    g_clear_pointer (&bench->walk, detour_auth_walk_free);
}

static Bench *
bench_new (guint n, gboolean match_all)
{
  Bench *bench = g_new0 (Bench, 1);

  bench->fake = fake_auth_new ();
  bench->n = n;
  for (guint i = 0; i < n; i++)
    {
      bench->instances[i] = detour_auth_instance_new (names[i], &fake_auth_port, bench->fake);
      detour_auth_instance_set_negative_ttl (bench->instances[i], 30 * SECOND);
    }
  bench->terms.match_all = match_all;
  bench->terms.grace_us = G_TIME_SPAN_HOUR;
  bench->terms.patience_us = SECOND;
  bench->verdicts = g_string_new (NULL);
  return bench;
}

static void
bench_free (Bench *bench)
{
  g_clear_pointer (&bench->walk, detour_auth_walk_free);
  for (guint i = 0; i < bench->n; i++)
    {
      detour_auth_instance_close (bench->instances[i]);
      detour_auth_instance_unref (bench->instances[i]);
    }
  fake_auth_free (bench->fake);
  g_string_free (bench->verdicts, TRUE);
  g_free (bench);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Bench, bench_free)

static void
start (Bench *bench, guint8 byte)
{
  g_autoptr (DetourAuthRequest) request = fake_request (byte);

  g_clear_pointer (&bench->walk, detour_auth_walk_free);
  g_string_truncate (bench->verdicts, 0);
  bench->is_over = FALSE;
  bench->terms.deadline_us = bench->fake->now_us + 5 * SECOND;
  bench->walk = detour_auth_walk_new (request, bench->instances, bench->n, &bench->terms,
                                      on_verdict, bench);
  detour_auth_walk_start (bench->walk, bench->fake->now_us);
}

static void
pass (Bench *bench, gint64 us)
{
  fake_auth_pass (bench->fake, us);
  if (bench->walk != NULL)
    detour_auth_walk_tick (bench->walk, bench->fake->now_us);
}

/* Lets @who ("a") answer: '+' allow, '-' deny, '?' unavailable. */
static void
answer (Bench *bench, char who, char what)
{
  char instance[] = "auth/x";

  instance[5] = who;
  fake_auth_answer (bench->fake, instance,
                    what == '+'   ? DETOUR_AUTH_ALLOW
                    : what == '-' ? DETOUR_AUTH_DENY
                                  : DETOUR_AUTH_UNAVAILABLE,
                    "so");
}

static void
test_chain (void)
{
  static const struct {
    gboolean all;
    const char *answers; /* of a, b, c in this order; fewer: the rest is not asked */
    const char *verdicts;
  } cases[] = {
    { FALSE, "+", "allow by a label" },
    { FALSE, "-+", "allow by b label" },
    { FALSE, "?+", "allow by b label" },
    { FALSE, "---", "deny by c" },
    { FALSE, "-?-", "unavailable by b" },
    { FALSE,
      "?"
      "?-",
      "unavailable by b" },
    { FALSE, "??+", "allow by c label" },
    { TRUE, "-", "deny by a" },
    { TRUE, "+-", "deny by b" },
    { TRUE, "+++", "allow by c label" },
    { TRUE, "?-", "deny by b" },
    { TRUE, "+?+", "unavailable by b" },
    { TRUE, "???", "unavailable by c" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (Bench) bench = bench_new (3, cases[i].all);

      start (bench, 1);
      for (guint k = 0; cases[i].answers[k] != '\0'; k++)
        {
          /* One after the other. */
          g_assert_cmpstr (bench->verdicts->str, ==, "");
          g_assert_cmpuint (fake_auth_n_open (bench->fake, NULL), ==, 1);
          answer (bench, (char) ('a' + k), cases[i].answers[k]);
        }
      g_assert_cmpstr (bench->verdicts->str, ==, cases[i].verdicts);
      g_assert_true (bench->is_over);
      g_assert_cmpuint (fake_auth_n_open (bench->fake, NULL), ==, 0);
    }
}

static void
test_patience (void)
{
  g_autoptr (Bench) bench = bench_new (2, FALSE);

  start (bench, 1);
  pass (bench, SECOND - 1);
  g_assert_cmpuint (fake_auth_n_open (bench->fake, "auth/b"), ==, 0);
  pass (bench, 1);
  g_assert_cmpuint (fake_auth_n_open (bench->fake, "auth/b"), ==, 1);
  answer (bench, 'b', '+');
  g_assert_cmpstr (bench->verdicts->str, ==, "allow by b label");
}

/* One that gave no verdict last time is not waited for. */
static void
test_down (void)
{
  g_autoptr (Bench) bench = bench_new (2, FALSE);

  start (bench, 1);
  answer (bench, 'a', '?');
  answer (bench, 'b', '-');
  start (bench, 2);
  g_assert_cmpuint (fake_auth_n_open (bench->fake, "auth/a"), ==, 1);
  g_assert_cmpuint (fake_auth_n_open (bench->fake, "auth/b"), ==, 1);
  answer (bench, 'b', '-');
  g_assert_cmpstr (bench->verdicts->str, ==, "");
  answer (bench, 'a', '+');
  g_assert_cmpstr (bench->verdicts->str, ==, "allow by a label");
  /* It is well again. */
  start (bench, 3);
  g_assert_cmpuint (fake_auth_n_open (bench->fake, NULL), ==, 1);
  answer (bench, 'a', '-');
}

static void
test_deadline (void)
{
  g_autoptr (Bench) bench = bench_new (2, FALSE);

  start (bench, 1);
  pass (bench, 2 * SECOND);
  answer (bench, 'b', '-');
  pass (bench, 3 * SECOND - 1);
  g_assert_cmpstr (bench->verdicts->str, ==, "");
  pass (bench, 1);
  g_assert_cmpstr (bench->verdicts->str, ==, "unavailable by a");

  /* Its answer comes too late for this one, and in time for the next. */
  answer (bench, 'a', '+');
  start (bench, 1);
  g_assert_cmpstr (bench->verdicts->str, ==, "allow by a cached label");
}

static void
test_memory (void)
{
  g_autoptr (Bench) bench = bench_new (2, FALSE);

  start (bench, 1);
  answer (bench, 'a', '-');
  answer (bench, 'b', '-');
  start (bench, 1);
  g_assert_cmpstr (bench->verdicts->str, ==, "deny by b cached");
  pass (bench, 31 * SECOND);
  start (bench, 1);
  g_assert_cmpuint (fake_auth_n_open (bench->fake, "auth/a"), ==, 1);
  answer (bench, 'a', '+');

  bench->terms.asks_anew = TRUE;
  start (bench, 1);
  g_assert_cmpstr (bench->verdicts->str, ==, "");
  answer (bench, 'a', '+');
  g_assert_cmpstr (bench->verdicts->str, ==, "allow by a label");
}

static void
test_grace (void)
{
  g_autoptr (Bench) bench = bench_new (1, FALSE);

  start (bench, 1);
  answer (bench, 'a', '+');
  pass (bench, G_TIME_SPAN_MINUTE);
  start (bench, 1);
  answer (bench, 'a', '?');
  g_assert_cmpstr (bench->verdicts->str, ==, "allow by a grace label");
  /* Not an unknown one. */
  start (bench, 2);
  answer (bench, 'a', '?');
  g_assert_cmpstr (bench->verdicts->str, ==, "unavailable by a");

  /* Nor for ever, nor when it is off. */
  bench->terms.grace_us = 0;
  start (bench, 1);
  answer (bench, 'a', '?');
  g_assert_cmpstr (bench->verdicts->str, ==, "unavailable by a");
  bench->terms.grace_us = G_TIME_SPAN_HOUR;
  pass (bench, G_TIME_SPAN_HOUR);
  start (bench, 1);
  answer (bench, 'a', '?');
  g_assert_cmpstr (bench->verdicts->str, ==, "unavailable by a");
}

/* A known key does not wait for one that is late; what is said later counts all the same. */
static void
test_provisional (void)
{
  g_autoptr (Bench) bench = bench_new (1, FALSE);

  start (bench, 1);
  answer (bench, 'a', '+');
  pass (bench, G_TIME_SPAN_MINUTE);
  start (bench, 1);
  g_assert_cmpstr (bench->verdicts->str, ==, "");
  pass (bench, SECOND);
  g_assert_cmpstr (bench->verdicts->str, ==, "provisional allow by a grace label");
  answer (bench, 'a', '-');
  g_assert_cmpstr (bench->verdicts->str, ==, "provisional allow by a grace label; deny by a");

  /* Denied: there is no grace any more. */
  start (bench, 2);
  answer (bench, 'a', '+');
  pass (bench, G_TIME_SPAN_MINUTE);
  start (bench, 2);
  pass (bench, 5 * SECOND);
  g_assert_cmpstr (bench->verdicts->str, ==, "allow by a grace label");
  /* It is down by now, so that nobody waits. */
  start (bench, 2);
  g_assert_cmpstr (bench->verdicts->str, ==, "provisional allow by a grace label");
  pass (bench, 5 * SECOND);
  g_assert_cmpstr (bench->verdicts->str, ==,
                   "provisional allow by a grace label; allow by a grace label");
}

static void
test_grace_of_all (void)
{
  g_autoptr (Bench) bench = bench_new (2, TRUE);

  start (bench, 1);
  answer (bench, 'a', '+');
  answer (bench, 'b', '+');
  pass (bench, G_TIME_SPAN_MINUTE);
  start (bench, 1);
  answer (bench, 'a', '?');
  g_assert_cmpstr (bench->verdicts->str, ==, "");
  answer (bench, 'b', '+');
  g_assert_cmpstr (bench->verdicts->str, ==, "allow by a grace label");
  pass (bench, G_TIME_SPAN_MINUTE);
  start (bench, 1);
  answer (bench, 'a', '?');
  answer (bench, 'b', '-');
  g_assert_cmpstr (bench->verdicts->str, ==, "deny by b");
}

static void
test_stopped (void)
{
  g_autoptr (Bench) bench = bench_new (2, FALSE);

  start (bench, 1);
  answer (bench, 'a', '+');
  bench->terms.is_stopped = TRUE;
  start (bench, 1);
  g_assert_cmpstr (bench->verdicts->str, ==, "allow by a grace label");
  start (bench, 2);
  g_assert_cmpstr (bench->verdicts->str, ==, "unavailable by b");
  g_assert_cmpuint (fake_auth_n_open (bench->fake, NULL), ==, 0);
}

static void
test_freed (void)
{
  g_autoptr (Bench) bench = bench_new (2, FALSE);

  start (bench, 1);
  g_clear_pointer (&bench->walk, detour_auth_walk_free);
  answer (bench, 'a', '+');
  g_assert_cmpstr (bench->verdicts->str, ==, "");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_writer_func (test_log_nothing, NULL, NULL);
  g_test_add_func ("/auth-walk/who-decides", test_chain);
  g_test_add_func ("/auth-walk/a-late-instance-does-not-hold-up-the-next", test_patience);
  g_test_add_func ("/auth-walk/one-that-is-down-is-not-waited-for", test_down);
  g_test_add_func ("/auth-walk/ends-in-time", test_deadline);
  g_test_add_func ("/auth-walk/takes-verdicts-from-the-cache", test_memory);
  g_test_add_func ("/auth-walk/grace-for-known-keys", test_grace);
  g_test_add_func ("/auth-walk/provisional-verdict-by-grace-and-final-one", test_provisional);
  g_test_add_func ("/auth-walk/grace-is-no-allowance-by-others", test_grace_of_all);
  g_test_add_func ("/auth-walk/nobody-takes-part", test_stopped);
  g_test_add_func ("/auth-walk/freed-on-the-way", test_freed);
  return g_test_run ();
}
