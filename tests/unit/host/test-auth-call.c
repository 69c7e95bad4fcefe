/* test-auth-call.c: a request to an auth plugin has exactly one verdict, whenever and wherever the
 * answer comes from.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "detour-auth-request.h"
#include "detour-config-load.h"
#include "detour-roster.h"

/* ---- a plugin that answers as its key says --------------------------------------------------- */

typedef struct {
  gboolean at_once;
  GPtrArray *waiting; /* DetourAuthCall, for those that wait */
  gboolean keeps;
  DetourAuthRequest *kept;
} Judge;

static Judge *judge; /* the one that runs */

static const DetourConfigKey judge_config[] = {
  { "at-once", DETOUR_CONFIG_BOOL, "true", .summary = "-" },
  { NULL },
};

static gpointer
judge_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  judge = g_new0 (Judge, 1);
  judge->at_once = detour_settings_bool (settings, "at-once");
  judge->waiting = g_ptr_array_new ();
  return judge;
}

static void
answer (DetourAuthCall *call)
{
  char label[] = "Alice's laptop";
  const DetourAuthVerdict allow = { .result = DETOUR_AUTH_ALLOW,
                                    .label = label,
                                    .class_ = "staff",
                                    .reason = "known",
                                    .ttl_us = G_TIME_SPAN_HOUR };

  detour_auth_answer (call, &allow);
  memset (label, 'x', sizeof label - 1); /* it was copied */
}

static gpointer
answer_on_thread (gpointer data)
{
  answer (data);
  return NULL;
}

/* An answer is still owed for each request, even when it is not waited for any more. */
static void
judge_stop (gpointer data)
{
  Judge *self = data;

  for (guint i = 0; i < self->waiting->len; i++)
    g_thread_join (g_thread_new ("late", answer_on_thread, self->waiting->pdata[i]));
  g_ptr_array_unref (self->waiting);
  g_free (self);
  judge = NULL;
}

static void
judge_verify (gpointer data, const DetourAuthRequest *request, DetourAuthCall *call)
{
  Judge *self = data;

  g_assert_cmpuint (request->key[0], ==, 9);
  g_assert_cmpstr (request->address, ==, "192.0.2.1");
  g_assert_cmpstr (request->listener, ==, "transport/https");
  g_assert_null (request->sni);
  if (self->keeps)
    self->kept = detour_auth_request_ref (request);
  if (self->at_once)
    answer (call);
  else
    g_ptr_array_add (self->waiting, call);
}

static const DetourAuthFuncs judge_funcs = { judge_verify };
static const DetourPlugin judge_plugin = {
  .abi = DETOUR_PLUGIN_ABI,
  .size = sizeof (DetourPlugin),
  .name = "auth-judge",
  .kind = DETOUR_KIND_AUTH,
  .summary = "answers",
  .config = judge_config,
  .start = judge_start,
  .stop = judge_stop,
  .funcs.auth = &judge_funcs,
};

/* ---- the asking side ------------------------------------------------------------------------- */

typedef struct {
  guint n;
  DetourAuthResult result;
  gint64 until_us;
  char *text;
} Answer;

static void
on_done (DetourVerdict *verdict, gpointer data)
{
  Answer *self = data;

  self->n++;
  self->result = verdict->result;
  self->until_us = verdict->until_us;
  g_free (self->text);
  self->text = g_strdup_printf ("%s|%s|%s|%s", verdict->instance, verdict->label, verdict->class_,
                                verdict->reason);
}

typedef struct {
  DetourPlugins *plugins;
  DetourRoster *roster;
  DetourInstance *instance;
} Court;

static void
court_init (Court *court, const char *text)
{
  static const guint8 key[DETOUR_KEY_SIZE];
  const char *nowhere[] = { NULL };
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (DetourConfig) config = NULL;

  court->plugins = detour_plugins_new (nowhere);
  detour_plugins_add_static (court->plugins, &judge_plugin);
  config = detour_config_load_text ("f", text, strlen (text), court->plugins, errors);
  g_assert_nonnull (config);
  court->roster = detour_roster_new (config, "/", key, NULL, NULL);
  court->instance = detour_roster_find (court->roster, "auth/judge");
}

static void
court_clear (Court *court)
{
  detour_roster_free (court->roster);
  detour_plugins_free (court->plugins);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
ask (Court *court, Answer *into)
{
  const DetourAuthRequest fields = { .key = { 9 },
                                     .address = "192.0.2.1",
                                     .listener = "transport/https" };
  g_autoptr (DetourAuthRequest) request = detour_auth_request_new (&fields);
  guint before = into->n;

  detour_instance_verify (court->instance, request, on_done, into);
  g_assert_cmpuint (into->n, ==, before); /* never from inside the call */
}

static void
run_until (const Answer *answered, guint n)
{
  while (answered->n < n)
    g_main_context_iteration (NULL, TRUE);
}

#define CONFIG "[admission]\nchain=judge\n[auth judge]\n"

static void
at_once (void)
{
  gint64 asked_us = g_get_monotonic_time ();
  Answer found = { 0 };
  Court court;

  court_init (&court, CONFIG);
  g_assert_true (detour_instance_start (court.instance, NULL));
  ask (&court, &found);
  run_until (&found, 1);
  g_assert_cmpint (found.result, ==, DETOUR_AUTH_ALLOW);
  g_assert_cmpstr (found.text, ==, "auth/judge|Alice's laptop|staff|known");
  g_assert_cmpint (found.until_us, >=, asked_us + G_TIME_SPAN_HOUR);
  g_assert_cmpint (found.until_us, <=, g_get_monotonic_time () + G_TIME_SPAN_HOUR);
  court_clear (&court);
  g_assert_cmpuint (found.n, ==, 1);
  g_free (found.text);
}

/* What a plugin says comes from far away. */
static void
texts_are_tidied (void)
{
  static const struct {
    const char *said, *heard;
  } cases[] = {
    { "Anna's laptop", "Anna's laptop" },
    { "two\nlines\x1b[31m", "two lines [31m" },
    { "  blanks \t", "blanks" },
    { "caf\xc3\xa9", "caf\xc3\xa9" },
    { "bad \xff byte", "bad \xef\xbf\xbd byte" },
    { " \n", "(null)" },
    { "", "(null)" },
    { NULL, "(null)" },
  };
  g_autofree char *long_text = g_strnfill (100000, 'x');
  g_autofree char *kept = g_strnfill (200, 'x');
  Answer found = { 0 };
  Court court;

  court_init (&court, CONFIG "at-once=no\n");
  g_assert_true (detour_instance_start (court.instance, NULL));
  for (guint i = 0; i <= G_N_ELEMENTS (cases); i++)
    {
      const char *said = i < G_N_ELEMENTS (cases) ? cases[i].said : long_text;
      const char *heard = i < G_N_ELEMENTS (cases) ? cases[i].heard : kept;
      const DetourAuthVerdict verdict = {
        .result = DETOUR_AUTH_DENY, .label = said, .class_ = said, .reason = said
      };
      g_autofree char *expected = g_strdup_printf ("auth/judge|%s|%s|%s", heard, heard, heard);

      ask (&court, &found);
      detour_auth_answer (judge->waiting->pdata[0], &verdict);
      g_ptr_array_set_size (judge->waiting, 0);
      run_until (&found, i + 1);
      g_assert_cmpstr (found.text, ==, expected);
    }
  court_clear (&court);
  g_free (found.text);
}

/* A plugin may keep the request beyond its answer. */
static void
request_outlives_the_answer (void)
{
  Answer found = { 0 };
  DetourAuthRequest *kept;
  Court court;

  court_init (&court, CONFIG);
  g_assert_true (detour_instance_start (court.instance, NULL));
  judge->keeps = TRUE;
  ask (&court, &found);
  run_until (&found, 1);
  kept = judge->kept;
  court_clear (&court);
  g_assert_cmpstr (kept->address, ==, "192.0.2.1");
  detour_auth_request_unref (kept);
  g_free (found.text);
}

static void
from_other_threads (void)
{
  Answer found = { 0 };
  GThread *threads[8];
  Court court;

  court_init (&court, CONFIG "at-once=no\n");
  g_assert_true (detour_instance_start (court.instance, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    ask (&court, &found);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("judge", answer_on_thread, judge->waiting->pdata[i]);
  g_ptr_array_set_size (judge->waiting, 0);
  run_until (&found, G_N_ELEMENTS (threads));
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  court_clear (&court);
  g_assert_cmpuint (found.n, ==, G_N_ELEMENTS (threads));
  g_free (found.text);
}

static void
stopped_before_the_answer (void)
{
  Answer found = { 0 };
  Court court;

  court_init (&court, CONFIG "at-once=no\n");
  g_assert_true (detour_instance_start (court.instance, NULL));
  ask (&court, &found);
  ask (&court, &found);
  detour_instance_stop (court.instance); /* the plugin answers in its stop(), too late */
  g_assert_cmpuint (found.n, ==, 2);
  g_assert_cmpint (found.result, ==, DETOUR_AUTH_UNAVAILABLE);
  court_clear (&court);
  g_assert_cmpuint (found.n, ==, 2);
  g_free (found.text);
}

static void
answered_but_stopped_before_it_was_told (void)
{
  Answer found = { 0 };
  Court court;

  court_init (&court, CONFIG);
  g_assert_true (detour_instance_start (court.instance, NULL));
  ask (&court, &found);
  detour_instance_stop (court.instance);
  g_assert_cmpuint (found.n, ==, 1);
  court_clear (&court);
  g_assert_cmpuint (found.n, ==, 1);
  g_free (found.text);
}

static void
one_that_does_not_run (void)
{
  Answer found = { 0 };
  Court court;

  court_init (&court, CONFIG "enabled=no\n");
  ask (&court, &found);
  run_until (&found, 1);
  g_assert_cmpint (found.result, ==, DETOUR_AUTH_UNAVAILABLE);
  ask (&court, &found);
  court_clear (&court); /* and one that goes away */
  g_assert_cmpuint (found.n, ==, 2);
  g_assert_cmpint (found.result, ==, DETOUR_AUTH_UNAVAILABLE);
  g_free (found.text);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/auth-call/answered-at-once", at_once);
  g_test_add_func ("/auth-call/texts-are-tidied", texts_are_tidied);
  g_test_add_func ("/auth-call/request-outlives-the-answer", request_outlives_the_answer);
  g_test_add_func ("/auth-call/answered-from-other-threads", from_other_threads);
  g_test_add_func ("/auth-call/stopped-before-the-answer", stopped_before_the_answer);
  g_test_add_func ("/auth-call/stopped-before-it-was-told",
                   answered_but_stopped_before_it_was_told);
  g_test_add_func ("/auth-call/one-that-does-not-run", one_that_does_not_run);
  return g_test_run ();
}
