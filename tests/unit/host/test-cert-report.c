/* test-cert-report.c: what a cert plugin reports is kept until it says something else or stops, and
 * a renewal has exactly one outcome.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-cert-report.h"

#include <gio/gio.h>
#include <string.h>

#include "detour-config-load.h"
#include "detour-roster.h"

/* ---- a plugin that reports two certificates and renews when it is told to -------------------- */

static DetourHost *office;       /* the host of the one that runs; NULL: none does */
static GPtrArray *wishes;        /* DetourCertRenewal that were not answered */
static guint wished_nth;         /* of the last one */
static gboolean answers_at_once; /* or waits */
static gboolean answers_on_stop; /* from another thread, after it was asked to stop */

static DetourCert *
make_cert (void)
{
  g_autoptr (GBytes) der = g_bytes_new_static ("der", 3);
  const char *names[] = { "relay.test", NULL };

  return detour_cert_new (&der, 1, (const guint8 *) "key", 3, names, 0, 0);
}

static gpointer
office_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  static const char *const first[] = { "relay.test", "192.0.2.1", NULL };
  static const char *const second[] = { "other.test", NULL };
  g_autoptr (DetourCert) cert = make_cert ();
  char detail[] = "no valid A records\nfound for other.test";
  const DetourCertReport reports[] = {
    { .cert = cert,
      .names = first,
      .state = DETOUR_CERT_SERVING,
      .authority = "letsencrypt",
      .profile = "shortlived",
      .challenge = "tls-alpn-01",
      .renew_us = 123,
      .renew_by = DETOUR_CERT_BY_CA },
    { .names = second,
      .state = DETOUR_CERT_FAILING,
      .error = detail,
      .remedy = "add an A record",
      .error_us = 5,
      .next_try_us = 6 },
  };

  office = host;
  wishes = g_ptr_array_new ();
  detour_host_publish_certs (host, &cert, 1);
  detour_host_report_certs (host, reports, G_N_ELEMENTS (reports));
  memset (detail, 'x', sizeof detail - 1); /* it was copied */
  return host;
}

static void
answer (DetourCertRenewal *renewal, const char *text)
{
  g_autoptr (GError)
      error = text != NULL ? g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, text) : NULL;

  detour_cert_renewal_answer (renewal, error);
}

static gpointer
answer_on_thread (gpointer data)
{
  answer (data, "too late");
  return NULL;
}

static void
office_stop (gpointer self)
{
  g_assert_cmpuint (detour_instance_cert_reports (office)->len, ==, 0);
  for (guint i = 0; i < wishes->len; i++)
    if (answers_on_stop)
      g_thread_join (g_thread_new ("late", answer_on_thread, wishes->pdata[i]));
    else
      answer (wishes->pdata[i], NULL);
  g_clear_pointer (&wishes, g_ptr_array_unref);
  office = NULL;
}

static void
office_renew (gpointer self, guint nth, DetourCertRenewal *renewal)
{
  wished_nth = nth;
  if (answers_at_once)
    answer (renewal, NULL);
  else
    g_ptr_array_add (wishes, renewal);
}

static const DetourCertFuncs office_funcs = { office_renew };
static const DetourPlugin office_plugin = {
  .abi = DETOUR_PLUGIN_ABI,
  .size = sizeof (DetourPlugin),
  .name = "cert-office",
  .kind = DETOUR_KIND_CERT,
  .summary = "reports and renews",
  .start = office_start,
  .stop = office_stop,
  .funcs.cert = &office_funcs,
};

/* One that only publishes. */
static gpointer
silent_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  return host;
}

static void
silent_stop (gpointer self)
{
}

static const DetourPlugin silent_plugin = {
  .abi = DETOUR_PLUGIN_ABI,
  .size = sizeof (DetourPlugin),
  .name = "cert-silent",
  .kind = DETOUR_KIND_CERT,
  .summary = "only publishes",
  .start = silent_start,
  .stop = silent_stop,
};

/* ---- the operator ---------------------------------------------------------------------------- */

typedef struct {
  guint n;
  char *text; /* of the last error; NULL: there was none */
  GQuark domain;
  int code;
} Outcome;

static void
on_renewed (const GError *error, gpointer data)
{
  Outcome *self = data;

  self->n++;
  g_clear_pointer (&self->text, g_free);
  self->domain = error != NULL ? error->domain : 0;
  self->code = error != NULL ? error->code : 0;
  self->text = error != NULL ? g_strdup (error->message) : NULL;
}

typedef struct {
  DetourPlugins *plugins;
  DetourRoster *roster;
  DetourInstance *instance, *silent;
} Town;

static void
town_init (Town *town)
{
  static const char text[] = "[admission]\nchain=open\n[cert office]\n[cert silent]\n";
  static const guint8 key[DETOUR_KEY_SIZE];
  static const char *const nowhere[] = { NULL };
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (DetourConfig) config = NULL;

  answers_at_once = answers_on_stop = FALSE;
  town->plugins = detour_plugins_new (nowhere);
  detour_plugins_add_static (town->plugins, &office_plugin);
  detour_plugins_add_static (town->plugins, &silent_plugin);
  config = detour_config_load_text ("f", text, strlen (text), town->plugins, errors);
  g_assert_nonnull (config);
  town->roster = detour_roster_new (config, "/", key, NULL, NULL);
  town->instance = detour_roster_find (town->roster, "cert/office");
  town->silent = detour_roster_find (town->roster, "cert/silent");
  g_assert_true (detour_instance_start (town->instance, NULL));
  g_assert_true (detour_instance_start (town->silent, NULL));
}

static void
town_clear (Town *town)
{
  detour_roster_free (town->roster);
  detour_plugins_free (town->plugins);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
renew (DetourInstance *instance, guint nth, Outcome *into)
{
  guint before = into->n;

  detour_instance_renew_cert (instance, nth, on_renewed, into);
  g_assert_cmpuint (into->n, ==, before); /* never from inside the call */
}

static void
run_until (const Outcome *outcome, guint n)
{
  while (outcome->n < n)
    g_main_context_iteration (NULL, TRUE);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void
reports_are_kept (void)
{
  Town town;
  const GPtrArray *reports;
  const DetourCertReport *first, *second;

  town_init (&town);
  reports = detour_instance_cert_reports (town.instance);
  g_assert_cmpuint (reports->len, ==, 2);
  first = reports->pdata[0];
  second = reports->pdata[1];
  g_assert_nonnull (first->cert);
  g_assert_cmpstr (first->names[1], ==, "192.0.2.1");
  g_assert_null (first->names[2]);
  g_assert_cmpstr (first->authority, ==, "letsencrypt");
  g_assert_cmpstr (first->profile, ==, "shortlived");
  g_assert_cmpstr (first->challenge, ==, "tls-alpn-01");
  g_assert_cmpint (first->renew_us, ==, 123);
  g_assert_cmpstr (detour_cert_decider_name (first->renew_by), ==, "ca");
  g_assert_null (first->error);
  g_assert_null (second->cert);
  g_assert_cmpstr (detour_cert_state_name (second->state), ==, "failing");
  g_assert_cmpstr (second->error, ==, "no valid A records found for other.test");
  g_assert_cmpstr (second->remedy, ==, "add an A record");
  g_assert_cmpint (second->next_try_us, ==, 6);
  g_assert_cmpuint (detour_instance_cert_reports (town.silent)->len, ==, 0);

  detour_host_report_certs (office, NULL, 0);
  g_assert_cmpuint (detour_instance_cert_reports (town.instance)->len, ==, 0);
  g_assert_true (detour_instance_restart (town.instance, NULL));
  g_assert_cmpuint (detour_instance_cert_reports (town.instance)->len, ==, 2);
  detour_instance_stop (town.instance);
  g_assert_cmpuint (detour_instance_cert_reports (town.instance)->len, ==, 0);
  town_clear (&town);
}

static void
long_texts_are_cut (void)
{
  g_autofree char *text = g_strnfill (100000, 'x');
  DetourCertReport report = { .error = text, .remedy = " \n", .renew_us = -1 };
  const DetourCertReport *kept;
  Town town;

  town_init (&town);
  detour_host_report_certs (office, &report, 1);
  kept = detour_instance_cert_reports (town.instance)->pdata[0];
  g_assert_cmpuint (strlen (kept->error), ==, 1000);
  g_assert_null (kept->remedy);
  g_assert_cmpint (kept->renew_us, ==, 0);
  g_assert_nonnull (kept->names);
  town_clear (&town);
}

static void
renewed (void)
{
  Outcome at_once = { 0 }, later = { 0 };
  Town town;

  town_init (&town);
  answers_at_once = TRUE;
  renew (town.instance, 1, &at_once);
  g_assert_cmpuint (wished_nth, ==, 1);
  run_until (&at_once, 1);
  g_assert_null (at_once.text);

  answers_at_once = FALSE;
  renew (town.instance, 0, &later);
  g_thread_join (g_thread_new ("office", answer_on_thread, g_ptr_array_steal_index (wishes, 0)));
  g_assert_cmpuint (later.n, ==, 0);
  run_until (&later, 1);
  g_assert_cmpstr (later.text, ==, "too late");
  g_assert_true (later.domain == G_IO_ERROR);
  town_clear (&town);
  g_assert_cmpuint (later.n, ==, 1);
  g_free (later.text);
}

static void
refused (void)
{
  Outcome outcome = { 0 };
  Town town;

  town_init (&town);
  renew (town.silent, 0, &outcome);
  run_until (&outcome, 1);
  g_assert_true (outcome.domain == DETOUR_CERT_RENEWAL_ERROR);
  g_assert_cmpint (outcome.code, ==, DETOUR_CERT_RENEWAL_ERROR_IMPOSSIBLE);
  renew (town.instance, 2, &outcome); /* it reports two */
  run_until (&outcome, 2);
  g_assert_cmpint (outcome.code, ==, DETOUR_CERT_RENEWAL_ERROR_IMPOSSIBLE);
  detour_instance_stop (town.instance);
  renew (town.instance, 0, &outcome);
  run_until (&outcome, 3);
  g_assert_cmpint (outcome.code, ==, DETOUR_CERT_RENEWAL_ERROR_NOT_RUNNING);
  town_clear (&town);
  g_free (outcome.text);
}

static void
stopped_before_the_outcome (void)
{
  for (guint on_stop = 0; on_stop < 2; on_stop++)
    {
      Outcome outcome = { 0 };
      Town town;

      town_init (&town);
      answers_on_stop = on_stop != 0;
      renew (town.instance, 0, &outcome);
      renew (town.instance, 0, &outcome);
      detour_instance_stop (town.instance);
      g_assert_cmpuint (outcome.n, ==, 2);
      g_assert_cmpint (outcome.code, ==, DETOUR_CERT_RENEWAL_ERROR_STOPPED);
      town_clear (&town);
      g_assert_cmpuint (outcome.n, ==, 2);
      g_free (outcome.text);
    }
}

static void
too_many_wait (void)
{
  Outcome waiting = { 0 }, outcome = { 0 };
  Town town;

  town_init (&town);
  for (guint i = 0; i < 32; i++)
    renew (town.instance, 0, &waiting);
  renew (town.instance, 0, &outcome);
  run_until (&outcome, 1);
  g_assert_cmpint (outcome.code, ==, DETOUR_CERT_RENEWAL_ERROR_BUSY);
  g_assert_cmpuint (waiting.n, ==, 0);
  town_clear (&town);
  g_assert_cmpuint (waiting.n, ==, 32);
  g_free (waiting.text);
  g_free (outcome.text);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cert-report/kept-until-the-run-ends", reports_are_kept);
  g_test_add_func ("/cert-report/long-texts-are-cut", long_texts_are_cut);
  g_test_add_func ("/cert-renewal/answered-from-any-thread", renewed);
  g_test_add_func ("/cert-renewal/refused", refused);
  g_test_add_func ("/cert-renewal/stopped-before-the-outcome", stopped_before_the_outcome);
  g_test_add_func ("/cert-renewal/too-many-wait", too_many_wait);
  return g_test_run ();
}
