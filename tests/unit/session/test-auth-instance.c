/* test-auth-instance.c: one instance as the chain asks it: limit, queue, cache, being down,
 * numbers.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-auth.h"
#include "test-program.h"

#define ASKING_MAX DETOUR_AUTH_INSTANCE_ASKING_MAX

static guint n_answers;

static void
on_answer (DetourVerdict *verdict, gpointer data)
{
  n_answers++;
}

static DetourAuthInstance *
instance_new (FakeAuth *fake)
{
  DetourAuthInstance *instance = detour_auth_instance_new ("auth/a", &fake_auth_port, fake);

  detour_auth_instance_set_negative_ttl (instance, 30 * G_USEC_PER_SEC);
  n_answers = 0;
  return instance;
}

static DetourAuthQuery *
ask (DetourAuthInstance *instance, guint8 byte)
{
  g_autoptr (DetourAuthRequest) request = fake_request (byte);

  return detour_auth_instance_ask (instance, request, on_answer, NULL);
}

static gboolean
recalls (DetourAuthInstance *instance, guint8 byte)
{
  g_autoptr (DetourAuthRequest) request = fake_request (byte);

  return detour_auth_instance_recall (instance, request) != NULL;
}

static DetourAuthInstanceInfo
info_of (DetourAuthInstance *instance)
{
  DetourAuthInstanceInfo info;

  detour_auth_instance_info (instance, &info);
  return info;
}

static void
test_limit (void)
{
  g_autoptr (FakeAuth) fake = fake_auth_new ();
  g_autoptr (DetourAuthInstance) instance = instance_new (fake);

  for (guint i = 0; i < ASKING_MAX + 10; i++)
    ask (instance, (guint8) i);
  g_assert_cmpuint (fake_auth_n_open (fake, NULL), ==, ASKING_MAX);
  g_assert_cmpuint (info_of (instance).n_asking, ==, ASKING_MAX);
  g_assert_cmpuint (info_of (instance).n_waiting, ==, 10);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_ALLOW, NULL);
  g_assert_cmpuint (n_answers, ==, 1);
  g_assert_cmpuint (fake_auth_n_open (fake, NULL), ==, ASKING_MAX);
  /* First come, first served. */
  g_assert_cmpuint (((FakeCall *) fake->calls->pdata[ASKING_MAX - 1])->key.bytes[0], ==,
                    ASKING_MAX);
  while (fake_auth_n_open (fake, NULL) > 0)
    fake_auth_answer (fake, "auth/a", DETOUR_AUTH_ALLOW, NULL);
  g_assert_cmpuint (n_answers, ==, ASKING_MAX + 10);
  g_assert_cmpuint (info_of (instance).n_asking, ==, 0);
  g_assert_cmpuint (info_of (instance).asked, ==, ASKING_MAX + 10);
}

static void
test_withdrawn (void)
{
  g_autoptr (FakeAuth) fake = fake_auth_new ();
  g_autoptr (DetourAuthInstance) instance = instance_new (fake);
  DetourAuthQuery *asks[ASKING_MAX + 2];

  for (guint i = 0; i < ASKING_MAX + 2; i++)
    asks[i] = ask (instance, (guint8) i);
  /* One that waits is gone without a trace, one that is out makes room. */
  detour_auth_instance_withdraw (instance, asks[ASKING_MAX], FALSE);
  g_assert_cmpuint (info_of (instance).n_waiting, ==, 1);
  detour_auth_instance_withdraw (instance, asks[0], FALSE);
  g_assert_cmpuint (info_of (instance).n_waiting, ==, 0);
  g_assert_cmpuint (fake_auth_n_open (fake, NULL), ==, ASKING_MAX + 1);
  g_assert_false (detour_auth_instance_is_down (instance));

  /* Its answer reaches nobody, and is remembered. */
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_ALLOW, NULL);
  g_assert_cmpuint (n_answers, ==, 0);
  g_assert_true (recalls (instance, 0));
  g_assert_false (recalls (instance, 1));
}

static void
test_time_to_live (void)
{
  static const struct {
    DetourAuthResult result;
    gint64 ttl_s, holds_s;
  } cases[] = {
    { DETOUR_AUTH_ALLOW, 0, 5 },          { DETOUR_AUTH_ALLOW, 7, 7 },
    { DETOUR_AUTH_ALLOW, 1000000, 3600 }, { DETOUR_AUTH_DENY, 0, 30 },
    { DETOUR_AUTH_DENY, 7, 7 },           { DETOUR_AUTH_DENY, 1000000, 30 },
    { DETOUR_AUTH_UNAVAILABLE, 0, 0 },    { DETOUR_AUTH_UNAVAILABLE, 7, 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (FakeAuth) fake = fake_auth_new ();
      g_autoptr (DetourAuthInstance) instance = instance_new (fake);
      DetourVerdict fields = { .result = cases[i].result, .instance = "auth/a" };

      ask (instance, 1);
      if (cases[i].ttl_s > 0)
        fields.until_us = fake->now_us + cases[i].ttl_s * G_USEC_PER_SEC;
      fake_auth_answer_full (fake, &fields);
      g_assert_cmpint (recalls (instance, 1), ==, cases[i].holds_s > 0);
      if (cases[i].holds_s == 0)
        continue;
      fake_auth_pass (fake, cases[i].holds_s * G_USEC_PER_SEC - 1);
      g_assert_true (recalls (instance, 1));
      fake_auth_pass (fake, 1);
      g_assert_false (recalls (instance, 1));
    }
}

/* What was asked before everything changed is not believed afterwards. */
static void
test_forget_on_the_way (void)
{
  g_autoptr (FakeAuth) fake = fake_auth_new ();
  g_autoptr (DetourAuthInstance) instance = instance_new (fake);

  ask (instance, 1);
  detour_auth_instance_forget (instance);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_DENY, "not there");
  g_assert_false (recalls (instance, 1));
  ask (instance, 1);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_DENY, "not there");
  g_assert_true (recalls (instance, 1));
  detour_auth_instance_forget (instance);
  g_assert_false (recalls (instance, 1));
}

static void
test_down (void)
{
  g_autoptr (FakeAuth) fake = fake_auth_new ();
  g_autoptr (DetourAuthInstance) instance = instance_new (fake);
  DetourAuthQuery *late;

  g_assert_false (detour_auth_instance_is_down (instance));
  ask (instance, 1);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_UNAVAILABLE, "its socket is gone");
  g_assert_true (detour_auth_instance_is_down (instance));
  g_assert_cmpstr (info_of (instance).trouble, ==, "its socket is gone");
  ask (instance, 1);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_DENY, NULL);
  g_assert_false (detour_auth_instance_is_down (instance));
  g_assert_null (info_of (instance).trouble);

  late = ask (instance, 2);
  detour_auth_instance_withdraw (instance, late, TRUE);
  g_assert_true (detour_auth_instance_is_down (instance));
  g_assert_cmpuint (info_of (instance).timeouts, ==, 1);

  /* An instance that says that its verdicts changed is taken to be up, until shown otherwise. */
  detour_auth_instance_forget (instance);
  g_assert_false (detour_auth_instance_is_down (instance));
  ask (instance, 3);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_UNAVAILABLE, NULL);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_UNAVAILABLE, NULL);
  g_assert_true (detour_auth_instance_is_down (instance));
  g_assert_cmpstr (info_of (instance).trouble, ==, "no reason given");
}

static guint n_logged;

static GLogWriterOutput
count_lines (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
  n_logged++;
  return G_LOG_WRITER_HANDLED;
}

static void
test_told_once (void)
{
  for (guint told = 0; told < 2; told++)
    {
      g_autoptr (FakeAuth) fake = fake_auth_new ();
      g_autoptr (DetourAuthInstance) instance = instance_new (fake);

      fake->tells_trouble = told;
      n_logged = 0;
      for (guint i = 0; i < 3; i++)
        {
          ask (instance, 1);
          fake_auth_answer (fake, "auth/a", DETOUR_AUTH_UNAVAILABLE, "it is away");
        }
      g_assert_true (detour_auth_instance_is_down (instance));
      g_assert_cmpuint (n_logged, ==, told ? 0 : 1);
      ask (instance, 1);
      fake_auth_answer (fake, "auth/a", DETOUR_AUTH_DENY, NULL);
      g_assert_cmpuint (n_logged, ==, told ? 0 : 2);
    }
}

static void
test_stopped_and_started (void)
{
  static const struct {
    gboolean takes_part;
    guint n_logged;
  } steps[] = { { FALSE, 0 }, { TRUE, 0 }, { TRUE, 0 }, { FALSE, 1 },
                { FALSE, 0 }, { TRUE, 1 }, { TRUE, 0 }, { FALSE, 1 } };
  g_autoptr (FakeAuth) fake = fake_auth_new ();
  g_autoptr (DetourAuthInstance) instance = instance_new (fake);

  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      g_ptr_array_set_size (fake->stopped, 0);
      if (!steps[i].takes_part)
        fake_auth_stop_instance (fake, "auth/a");
      n_logged = 0;
      detour_auth_instance_log_part (instance, 0);
      g_assert_cmpuint (n_logged, ==, steps[i].n_logged);
    }
}

static void
test_numbers (void)
{
  g_autoptr (FakeAuth) fake = fake_auth_new ();
  g_autoptr (DetourAuthInstance) instance = instance_new (fake);
  DetourAuthInstanceInfo info;

  info = info_of (instance);
  g_assert_cmpint (info.latency_mean_us, ==, 0);
  for (guint i = 0; i < 3; i++)
    {
      ask (instance, (guint8) i);
      fake_auth_pass (fake, 800);
      fake_auth_answer (fake, "auth/a", (DetourAuthResult) i, NULL);
    }
  ask (instance, 9);
  fake_auth_pass (fake, 1600);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_ALLOW, NULL);
  info = info_of (instance);
  g_assert_cmpstr (info.instance, ==, "auth/a");
  g_assert_cmpuint (info.asked, ==, 4);
  g_assert_cmpuint (info.allowed, ==, 2);
  g_assert_cmpuint (info.denied, ==, 1);
  g_assert_cmpuint (info.unavailable, ==, 1);
  g_assert_cmpint (info.latency_mean_us, ==, 900);
  g_assert_cmpuint (info.n_remembered, ==, 3);
  g_assert_true (info.takes_part);
  fake_auth_stop_instance (fake, "auth/a");
  g_assert_false (info_of (instance).takes_part);
}

static void
test_grace (void)
{
  g_autoptr (FakeAuth) fake = fake_auth_new ();
  g_autoptr (DetourAuthInstance) instance = instance_new (fake);
  g_autoptr (DetourAuthRequest) request = fake_request (1);
  const DetourKey *key = detour_auth_request_key (request);
  const DetourVerdict *verdict;

  ask (instance, 1);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_ALLOW, "anna");
  fake_auth_pass (fake, G_TIME_SPAN_HOUR);
  detour_auth_instance_forget (instance);
  verdict = detour_auth_instance_allowed_lately (instance, key, G_TIME_SPAN_HOUR);
  g_assert_nonnull (verdict);
  g_assert_cmpstr (verdict->label, ==, "anna");
  g_assert_null (detour_auth_instance_allowed_lately (instance, key, G_TIME_SPAN_HOUR - 1));
  g_assert_null (detour_auth_instance_allowed_lately (instance, key, 0));
}

/* The instance may be closed before all answers are there. */
static void
test_closed (void)
{
  FakeAuth *fake = fake_auth_new ();
  DetourAuthInstance *instance = instance_new (fake);
  DetourAuthQuery *open = ask (instance, 1);

  detour_auth_instance_withdraw (instance, open, FALSE);
  detour_auth_instance_close (instance);
  detour_auth_instance_unref (instance);
  fake_auth_free (fake);
  g_assert_cmpuint (n_answers, ==, 0);
}

static gboolean
has_grace (DetourAuthInstance *instance, guint8 byte)
{
  g_autoptr (DetourAuthRequest) request = fake_request (byte);

  return detour_auth_instance_allowed_lately (instance, detour_auth_request_key (request),
                                              24 * G_TIME_SPAN_HOUR)
      != NULL;
}

static void
test_revoked (void)
{
  g_autoptr (FakeAuth) fake = fake_auth_new ();
  g_autoptr (DetourAuthInstance) instance = instance_new (fake);
  g_autoptr (DetourAuthRequest) request = fake_request (1);

  for (guint8 i = 1; i <= 2; i++)
    {
      ask (instance, i);
      fake_auth_answer (fake, "auth/a", DETOUR_AUTH_ALLOW, NULL);
    }
  g_assert_true (has_grace (instance, 1) && recalls (instance, 1));
  /* What it says of a question of before is not its last word. */
  ask (instance, 1);
  detour_auth_instance_revoke (instance, detour_auth_request_key (request));
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_ALLOW, NULL);
  g_assert_false (has_grace (instance, 1) || recalls (instance, 1));
  g_assert_true (has_grace (instance, 2) && recalls (instance, 2));
  ask (instance, 1);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_ALLOW, NULL);
  g_assert_true (has_grace (instance, 1));
}

/* Keys count for whom the instance asked about them. */
static void
test_another_source (void)
{
  g_autoptr (FakeAuth) fake = fake_auth_new ();
  g_autoptr (DetourAuthInstance) instance = instance_new (fake);

  detour_auth_instance_forget (instance);
  ask (instance, 1);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_ALLOW, NULL);
  detour_auth_instance_forget (instance);
  g_assert_true (has_grace (instance, 1));
  fake->source = "somebody else";
  detour_auth_instance_forget (instance);
  g_assert_false (has_grace (instance, 1));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  test_log_reaches_writer ();
  g_log_set_writer_func (count_lines, NULL, NULL);
  g_test_add_func ("/auth-instance/asks-so-many-at-a-time", test_limit);
  g_test_add_func ("/auth-instance/withdrawn-questions-make-room", test_withdrawn);
  g_test_add_func ("/auth-instance/how-long-verdicts-hold", test_time_to_live);
  g_test_add_func ("/auth-instance/answers-from-before-a-change-are-not-kept",
                   test_forget_on_the_way);
  g_test_add_func ("/auth-instance/is-down-until-it-answers", test_down);
  g_test_add_func ("/auth-instance/trouble-and-its-end-are-told-once", test_told_once);
  g_test_add_func ("/auth-instance/logs-that-it-was-stopped", test_stopped_and_started);
  g_test_add_func ("/auth-instance/numbers", test_numbers);
  g_test_add_func ("/auth-instance/grace-outlives-verdicts", test_grace);
  g_test_add_func ("/auth-instance/closed-with-open-questions", test_closed);
  g_test_add_func ("/auth-instance/revoked", test_revoked);
  g_test_add_func ("/auth-instance/another-source", test_another_source);
  return g_test_run ();
}
