/* test-auth-chain.c: equal requests share a flight; what is clear is not asked; what is concluded
 * is what is told.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-auth-chain.h"
#include "fake-auth.h"
#include "test-program.h"

#define SECOND G_USEC_PER_SEC

typedef struct {
  FakeAuth *fake;
  DetourAuthInstance *instance; /* "auth/a", the only one */
  DetourAuthChain *chain;
  GString *told;       /* result and instance of all that was told */
  GString *concluded;  /* the same with the number of clients */
  const char *banned;  /* an application name */
  gboolean denies_all; /* whatever the chain says */
} Bench;

static const char marks[] = "+-?";

static DetourVerdict *
precheck (gpointer user, const DetourAuthRequest *request)
{
  static const DetourVerdict denied = { .result = DETOUR_AUTH_DENY, .instance = "precheck" };
  const Bench *bench = user;

  return g_strcmp0 (request->app_name, bench->banned) == 0 ? detour_verdict_new (&denied) : NULL;
}

static DetourVerdict *
conclude (gpointer user, const DetourAuthRequest *request, DetourVerdict *verdict, guint n)
{
  Bench *bench = user;
  DetourVerdict fields = *verdict;

  g_string_append_printf (bench->concluded, "%c%s x%u%s ", marks[verdict->result],
                          verdict->instance, n,
                          verdict->flags & DETOUR_VERDICT_RECHECK ? " recheck" : "");
  if (!bench->denies_all)
    return detour_verdict_ref (verdict);
  fields.result = DETOUR_AUTH_DENY;
  return detour_verdict_new (&fields);
}

static const DetourAuthChainFuncs funcs = { precheck, conclude };

static void
set_chain (Bench *bench, gboolean has_instance)
{
  const DetourAuthChainTerms terms = { .timeout_us = 5 * SECOND, .grace_us = G_TIME_SPAN_HOUR };
  g_autoptr (GPtrArray) instances = g_ptr_array_new ();

  if (has_instance)
    g_ptr_array_add (instances, bench->instance);
  detour_auth_chain_set (bench->chain, instances, &terms);
}

static Bench *
bench_new (void)
{
  Bench *bench = g_new0 (Bench, 1);

  bench->fake = fake_auth_new ();
  bench->instance = detour_auth_instance_new ("auth/a", &fake_auth_port, bench->fake);
  detour_auth_instance_set_negative_ttl (bench->instance, 30 * SECOND);
  bench->chain = detour_auth_chain_new (&fake_auth_port, bench->fake, &funcs, bench);
  bench->told = g_string_new (NULL);
  bench->concluded = g_string_new (NULL);
  set_chain (bench, TRUE);
  return bench;
}

static void
bench_free (Bench *bench)
{
  g_clear_pointer (&bench->chain, detour_auth_chain_free);
  detour_auth_instance_close (bench->instance);
  detour_auth_instance_unref (bench->instance);
  fake_auth_free (bench->fake);
  g_string_free (bench->told, TRUE);
  g_string_free (bench->concluded, TRUE);
  g_free (bench);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Bench, bench_free)

static void
on_verdict (DetourVerdict *verdict, gpointer data)
{
  g_string_append_printf (((Bench *) data)->told, "%c%s ", marks[verdict->result],
                          verdict->instance);
}

static gboolean
ask_name (Bench *bench, guint8 byte, const char *app_name, gboolean is_recheck)
{
  DetourAuthRequest fields = fake_request_fields (byte);
  g_autoptr (DetourAuthRequest) request = NULL;

  fields.app_name = app_name;
  request = detour_auth_request_new (&fields);
  return detour_auth_chain_ask (bench->chain, request, is_recheck, on_verdict, bench);
}

static gboolean
ask (Bench *bench, guint8 byte)
{
  return ask_name (bench, byte, NULL, FALSE);
}

static void
answer (Bench *bench, DetourAuthResult result)
{
  fake_auth_answer (bench->fake, "auth/a", result, "so");
}

static void
pass (Bench *bench, gint64 us)
{
  fake_auth_pass (bench->fake, us);
  detour_auth_chain_tick (bench->chain);
}

static void
expect (GString *seen, const char *expected)
{
  g_assert_cmpstr (seen->str, ==, expected);
  g_string_truncate (seen, 0);
}

static void
test_single_flight (void)
{
  g_autoptr (Bench) bench = bench_new ();

  g_assert_false (ask (bench, 1));
  g_assert_true (ask (bench, 1));
  g_assert_true (ask (bench, 1));
  g_assert_false (ask (bench, 2));
  g_assert_false (ask_name (bench, 1, "other", FALSE));
  /* A recheck is another matter: it asks anew. */
  g_assert_false (ask_name (bench, 1, NULL, TRUE));
  g_assert_true (ask_name (bench, 1, NULL, TRUE));
  g_assert_cmpuint (fake_auth_n_open (bench->fake, NULL), ==, 4);
  answer (bench, DETOUR_AUTH_ALLOW);
  expect (bench->told, "+auth/a +auth/a +auth/a ");
  expect (bench->concluded, "+auth/a x3 ");
  answer (bench, DETOUR_AUTH_DENY);
  answer (bench, DETOUR_AUTH_DENY);
  answer (bench, DETOUR_AUTH_DENY);
  expect (bench->concluded, "-auth/a x1 -auth/a x1 -auth/a x2 recheck ");
  /* The flight is over: the next one begins another, or has the cached verdict. */
  expect (bench->told, "-auth/a -auth/a -auth/a -auth/a ");
}

static void
test_precheck (void)
{
  g_autoptr (Bench) bench = bench_new ();

  bench->banned = "bad";
  g_assert_false (ask_name (bench, 1, "bad", FALSE));
  expect (bench->told, "-precheck ");
  g_assert_false (ask_name (bench, 1, "good", FALSE));
  expect (bench->told, "");
  g_assert_cmpuint (fake_auth_n_open (bench->fake, NULL), ==, 1);
  /* What becomes clear on the way counts. */
  bench->banned = "good";
  detour_auth_chain_restart (bench->chain);
  expect (bench->told, "-precheck ");
  answer (bench, DETOUR_AUTH_ALLOW);
  expect (bench->told, "");
}

static void
test_without_instances (void)
{
  g_autoptr (Bench) bench = bench_new ();

  ask (bench, 1);
  set_chain (bench, FALSE);
  expect (bench->told, "+open ");
  ask (bench, 1);
  expect (bench->told, "+open ");
  answer (bench, DETOUR_AUTH_DENY);
  expect (bench->told, "");
}

static void
test_conclusion_is_told (void)
{
  g_autoptr (Bench) bench = bench_new ();

  bench->denies_all = TRUE;
  ask (bench, 1);
  answer (bench, DETOUR_AUTH_ALLOW);
  expect (bench->concluded, "+auth/a x1 ");
  expect (bench->told, "-auth/a ");
}

/* A denial after a provisional verdict revokes; nothing else does. */
static void
test_provisional (void)
{
  static const struct {
    DetourAuthResult result;
    guint revoked;
    const char *concluded;
  } cases[] = {
    { DETOUR_AUTH_ALLOW, 0, "+auth/a x2 +auth/a x1 " },
    { DETOUR_AUTH_DENY, 1, "+auth/a x2 +auth/a x1 -auth/a x1 " },
    { DETOUR_AUTH_UNAVAILABLE, 0, "+auth/a x2 +auth/a x1 " },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (Bench) bench = bench_new ();

      ask (bench, 1);
      answer (bench, DETOUR_AUTH_ALLOW);
      pass (bench, G_TIME_SPAN_MINUTE);
      g_string_truncate (bench->told, 0);
      g_string_truncate (bench->concluded, 0);

      ask (bench, 1);
      ask (bench, 1);
      pass (bench, SECOND);
      expect (bench->told, "+auth/a +auth/a ");
      /* One that comes now does not wait either. */
      g_assert_false (ask (bench, 1));
      expect (bench->told, "+auth/a ");
      answer (bench, cases[i].result);
      expect (bench->told, "");
      expect (bench->concluded, cases[i].concluded);
      g_assert_cmpuint (bench->fake->revoked->len, ==, cases[i].revoked);
    }
}

static void
test_deadline_holds_across_a_restart (void)
{
  g_autoptr (Bench) bench = bench_new ();

  ask (bench, 1);
  pass (bench, 3 * SECOND);
  detour_auth_chain_restart (bench->chain);
  pass (bench, 2 * SECOND - 1);
  expect (bench->told, "");
  pass (bench, 1);
  expect (bench->told, "?auth/a ");
}

static void
test_freed (void)
{
  g_autoptr (Bench) bench = bench_new ();

  ask (bench, 1);
  ask (bench, 1);
  ask (bench, 2);
  g_clear_pointer (&bench->chain, detour_auth_chain_free);
  expect (bench->told, "?admission ?admission ?admission ");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_writer_func (test_log_nothing, NULL, NULL);
  g_test_add_func ("/auth-chain/equal-requests-share-a-flight", test_single_flight);
  g_test_add_func ("/auth-chain/what-is-clear-is-not-asked", test_precheck);
  g_test_add_func ("/auth-chain/without-instances-it-is-open", test_without_instances);
  g_test_add_func ("/auth-chain/the-conclusion-is-told", test_conclusion_is_told);
  g_test_add_func ("/auth-chain/only-a-denial-revokes", test_provisional);
  g_test_add_func ("/auth-chain/deadline-holds-across-a-restart",
                   test_deadline_holds_across_a_restart);
  g_test_add_func ("/auth-chain/freed-with-clients-waiting", test_freed);
  return g_test_run ();
}
