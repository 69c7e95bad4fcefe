/* test-auth-source.c: one instance as it is asked: limit, queue, memory, being down, numbers.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-auth.h"

#define ASKING_MAX DETOUR_AUTH_SOURCE_ASKING_MAX

static guint n_answers;
static DetourAuthResult last_result;
static char last_text[1024];

static void
on_answer (const DetourAuthVerdict *verdict, gpointer data)
{
  const char *text = verdict->result == DETOUR_AUTH_ALLOW ? verdict->label : verdict->reason;

  n_answers++;
  last_result = verdict->result;
  g_strlcpy (last_text, text != NULL ? text : "-", sizeof last_text);
}

static DetourAuthSource *
source_new (FakeAuth *fake)
{
  DetourAuthSource *source = detour_auth_source_new ("auth/a", &fake_auth_port, fake);

  detour_auth_source_set_negative_ttl (source, 30 * G_USEC_PER_SEC);
  n_answers = 0;
  return source;
}

static DetourAuthAsk *
ask (DetourAuthSource *source, guint8 byte)
{
  DetourQuestion question = fake_question (byte);

  return detour_auth_source_ask (source, &question, on_answer, NULL);
}

static gboolean
recalls (DetourAuthSource *source, guint8 byte)
{
  DetourQuestion question = fake_question (byte);
  DetourRemembered out;

  return detour_auth_source_recall (source, &question, &out);
}

static DetourAuthSourceInfo
info_of (DetourAuthSource *source)
{
  DetourAuthSourceInfo info;

  detour_auth_source_info (source, &info);
  return info;
}

static void
test_limit (void)
{
  g_autoptr (FakeAuth) fake = fake_auth_new ();
  g_autoptr (DetourAuthSource) source = source_new (fake);

  for (guint i = 0; i < ASKING_MAX + 10; i++)
    ask (source, (guint8) i);
  g_assert_cmpuint (fake_auth_n_open (fake, NULL), ==, ASKING_MAX);
  g_assert_cmpuint (info_of (source).n_asking, ==, ASKING_MAX);
  g_assert_cmpuint (info_of (source).n_waiting, ==, 10);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_ALLOW, NULL);
  g_assert_cmpuint (n_answers, ==, 1);
  g_assert_cmpuint (fake_auth_n_open (fake, NULL), ==, ASKING_MAX);
  /* First come, first served. */
  g_assert_cmpuint (((FakeCall *) fake->calls->pdata[ASKING_MAX - 1])->key.bytes[0], ==,
                    ASKING_MAX);
  while (fake_auth_n_open (fake, NULL) > 0)
    fake_auth_answer (fake, "auth/a", DETOUR_AUTH_ALLOW, NULL);
  g_assert_cmpuint (n_answers, ==, ASKING_MAX + 10);
  g_assert_cmpuint (info_of (source).n_asking, ==, 0);
  g_assert_cmpuint (info_of (source).asked, ==, ASKING_MAX + 10);
}

static void
test_withdrawn (void)
{
  g_autoptr (FakeAuth) fake = fake_auth_new ();
  g_autoptr (DetourAuthSource) source = source_new (fake);
  DetourAuthAsk *asks[ASKING_MAX + 2];

  for (guint i = 0; i < ASKING_MAX + 2; i++)
    asks[i] = ask (source, (guint8) i);
  /* One that waits is gone without a trace, one that is out makes room. */
  detour_auth_source_withdraw (source, asks[ASKING_MAX], FALSE);
  g_assert_cmpuint (info_of (source).n_waiting, ==, 1);
  detour_auth_source_withdraw (source, asks[0], FALSE);
  g_assert_cmpuint (info_of (source).n_waiting, ==, 0);
  g_assert_cmpuint (fake_auth_n_open (fake, NULL), ==, ASKING_MAX + 1);
  g_assert_false (detour_auth_source_is_down (source));

  /* Its answer reaches nobody, and is remembered. */
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_ALLOW, NULL);
  g_assert_cmpuint (n_answers, ==, 0);
  g_assert_true (recalls (source, 0));
  g_assert_false (recalls (source, 1));
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
      g_autoptr (DetourAuthSource) source = source_new (fake);
      DetourAuthVerdict verdict = { .result = cases[i].result,
                                    .ttl_us = cases[i].ttl_s * G_USEC_PER_SEC };

      ask (source, 1);
      fake_auth_answer_full (fake, "auth/a", &verdict);
      g_assert_cmpint (recalls (source, 1), ==, cases[i].holds_s > 0);
      if (cases[i].holds_s == 0)
        continue;
      fake_auth_pass (fake, cases[i].holds_s * G_USEC_PER_SEC - 1);
      g_assert_true (recalls (source, 1));
      fake_auth_pass (fake, 1);
      g_assert_false (recalls (source, 1));
    }
}

/* What was asked before everything changed is not believed afterwards. */
static void
test_forget_on_the_way (void)
{
  g_autoptr (FakeAuth) fake = fake_auth_new ();
  g_autoptr (DetourAuthSource) source = source_new (fake);

  ask (source, 1);
  detour_auth_source_forget (source);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_DENY, "not there");
  g_assert_false (recalls (source, 1));
  ask (source, 1);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_DENY, "not there");
  g_assert_true (recalls (source, 1));
  detour_auth_source_forget (source);
  g_assert_false (recalls (source, 1));
}

static void
test_down (void)
{
  g_autoptr (FakeAuth) fake = fake_auth_new ();
  g_autoptr (DetourAuthSource) source = source_new (fake);
  DetourAuthAsk *late;

  g_assert_false (detour_auth_source_is_down (source));
  ask (source, 1);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_UNAVAILABLE, "its socket is gone");
  g_assert_true (detour_auth_source_is_down (source));
  g_assert_cmpstr (info_of (source).trouble, ==, "its socket is gone");
  ask (source, 1);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_DENY, NULL);
  g_assert_false (detour_auth_source_is_down (source));
  g_assert_null (info_of (source).trouble);

  late = ask (source, 2);
  detour_auth_source_withdraw (source, late, TRUE);
  g_assert_true (detour_auth_source_is_down (source));
  g_assert_cmpuint (info_of (source).timeouts, ==, 1);

  /* Who says that verdicts changed is believed to be there, until shown otherwise. */
  detour_auth_source_forget (source);
  g_assert_false (detour_auth_source_is_down (source));
  ask (source, 3);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_UNAVAILABLE, NULL);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_UNAVAILABLE, NULL);
  g_assert_true (detour_auth_source_is_down (source));
  g_assert_cmpstr (info_of (source).trouble, ==, "no reason given");
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
      g_autoptr (DetourAuthSource) source = source_new (fake);

      fake->tells_trouble = told;
      n_logged = 0;
      for (guint i = 0; i < 3; i++)
        {
          ask (source, 1);
          fake_auth_answer (fake, "auth/a", DETOUR_AUTH_UNAVAILABLE, "it is away");
        }
      g_assert_true (detour_auth_source_is_down (source));
      g_assert_cmpuint (n_logged, ==, told ? 0 : 1);
      ask (source, 1);
      fake_auth_answer (fake, "auth/a", DETOUR_AUTH_DENY, NULL);
      g_assert_cmpuint (n_logged, ==, told ? 0 : 2);
    }
}

static void
test_texts (void)
{
  static const struct {
    const char *said, *heard;
  } cases[] = {
    { "Anna's laptop", "Anna's laptop" },
    { "two\nlines\x1b[31m", "two lines [31m" },
    { "  blanks \t", "blanks" },
    { "caf\xc3\xa9", "caf\xc3\xa9" },
    { "bad \xff byte", "bad \xef\xbf\xbd byte" },
    { "", "-" },
  };
  g_autoptr (FakeAuth) fake = fake_auth_new ();
  g_autoptr (DetourAuthSource) source = source_new (fake);
  g_autofree char *long_text = g_strnfill (100000, 'x');

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      ask (source, 1);
      fake_auth_answer (fake, "auth/a", i % 2 ? DETOUR_AUTH_ALLOW : DETOUR_AUTH_DENY,
                        cases[i].said);
      g_assert_cmpstr (last_text, ==, cases[i].heard);
    }
  ask (source, 1);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_ALLOW, long_text);
  g_assert_cmpuint (strlen (last_text), ==, 200);
}

static void
test_numbers (void)
{
  g_autoptr (FakeAuth) fake = fake_auth_new ();
  g_autoptr (DetourAuthSource) source = source_new (fake);
  DetourAuthSourceInfo info;

  info = info_of (source);
  g_assert_cmpint (info.latency_mean_us, ==, 0);
  for (guint i = 0; i < 3; i++)
    {
      ask (source, (guint8) i);
      fake_auth_pass (fake, 800);
      fake_auth_answer (fake, "auth/a", (DetourAuthResult) i, NULL);
    }
  ask (source, 9);
  fake_auth_pass (fake, 1600);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_ALLOW, NULL);
  info = info_of (source);
  g_assert_cmpstr (info.instance, ==, "auth/a");
  g_assert_cmpuint (info.asked, ==, 4);
  g_assert_cmpuint (info.allowed, ==, 2);
  g_assert_cmpuint (info.denied, ==, 1);
  g_assert_cmpuint (info.unavailable, ==, 1);
  g_assert_cmpint (info.latency_mean_us, ==, 900);
  g_assert_cmpuint (info.n_remembered, ==, 3);
  g_assert_true (info.takes_part);
  fake_auth_stop_instance (fake, "auth/a");
  g_assert_false (info_of (source).takes_part);
}

static void
test_grace (void)
{
  g_autoptr (FakeAuth) fake = fake_auth_new ();
  g_autoptr (DetourAuthSource) source = source_new (fake);
  DetourQuestion question = fake_question (1);
  DetourRemembered out;

  ask (source, 1);
  fake_auth_answer (fake, "auth/a", DETOUR_AUTH_ALLOW, "anna");
  fake_auth_pass (fake, G_TIME_SPAN_HOUR);
  detour_auth_source_forget (source);
  g_assert_true (detour_auth_source_allowed_lately (source, &question.key, G_TIME_SPAN_HOUR, &out));
  g_assert_cmpstr (out.label, ==, "anna");
  g_assert_false (
      detour_auth_source_allowed_lately (source, &question.key, G_TIME_SPAN_HOUR - 1, &out));
  g_assert_false (detour_auth_source_allowed_lately (source, &question.key, 0, &out));
}

/* The source may be closed before all answers are there. */
static void
test_closed (void)
{
  FakeAuth *fake = fake_auth_new ();
  DetourAuthSource *source = source_new (fake);
  DetourAuthAsk *open = ask (source, 1);

  detour_auth_source_withdraw (source, open, FALSE);
  detour_auth_source_close (source);
  detour_auth_source_unref (source);
  fake_auth_free (fake);
  g_assert_cmpuint (n_answers, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_writer_func (count_lines, NULL, NULL);
  g_test_add_func ("/auth-source/asks-so-many-at-a-time", test_limit);
  g_test_add_func ("/auth-source/withdrawn-questions-make-room", test_withdrawn);
  g_test_add_func ("/auth-source/how-long-verdicts-hold", test_time_to_live);
  g_test_add_func ("/auth-source/answers-from-before-a-change-are-not-kept",
                   test_forget_on_the_way);
  g_test_add_func ("/auth-source/is-down-until-it-answers", test_down);
  g_test_add_func ("/auth-source/trouble-and-its-end-are-told-once", test_told_once);
  g_test_add_func ("/auth-source/texts-are-tidied", test_texts);
  g_test_add_func ("/auth-source/numbers", test_numbers);
  g_test_add_func ("/auth-source/grace-outlives-verdicts", test_grace);
  g_test_add_func ("/auth-source/closed-with-open-questions", test_closed);
  return g_test_run ();
}
