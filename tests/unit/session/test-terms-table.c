/* test-terms-table.c: which terms a client has, and that they reach its connection.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-terms-table.h"

#include "detour-worker-private.h"
#include "worker-bench.h"

#include <string.h>
#include <unistd.h>

#include "test-program.h"

/* Warnings, of any thread. */
static GMutex said_lock;
static GString *said;

static GLogWriterOutput
note_line (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user)
{
  for (gsize i = 0; i < n_fields; i++)
    if (strcmp (fields[i].key, "MESSAGE") == 0 && level == G_LOG_LEVEL_WARNING)
      {
        g_mutex_lock (&said_lock);
        g_string_append_printf (said, "%s\n", (const char *) fields[i].value);
        g_mutex_unlock (&said_lock);
      }
  return G_LOG_WRITER_HANDLED;
}

/* And forgets it. */
static void
expect_said (const char *text)
{
  g_mutex_lock (&said_lock);
  g_assert_cmpstr (said->str, ==, text);
  g_string_truncate (said, 0);
  g_mutex_unlock (&said_lock);
}

/* A configuration with classes alone. */
static DetourConfig *
config_new (const char *fallback)
{
  DetourConfig *config = detour_config_new ();

  config->options.admission.class_ = fallback;
  return config;
}

static void
config_add (DetourConfig *config, const char *name, const char *key, const char *value)
{
  DetourSettings *settings = detour_settings_new (name, detour_schema_class, "f", 1);

  if (key != NULL)
    g_assert_true (detour_settings_set (settings, key, value, "f", 2, NULL));
  g_ptr_array_add (config->classes, detour_class_new (name, settings));
}

static void
collect (gpointer user)
{
}

static guint64 relayed_bytes;

static guint64
relayed (gpointer user)
{
  return relayed_bytes;
}

static void
changed (gpointer user)
{
  (*(guint *) user)++;
}

static const DetourBudgetsPort port = { collect, relayed, changed };

/* As a server does. */
static void
apply (DetourTermsTable *table, DetourBudgets *budgets, DetourConfig *config)
{
  config->options.limits.quota.day = 1;
  detour_budgets_apply (budgets, config);
  detour_terms_table_apply (table, config, budgets);
}

static const char *
chosen (DetourTermsTable *table, const char *class_)
{
  g_autoptr (DetourTerms) terms = detour_terms_table_choose (table, class_, NULL);

  return terms != NULL ? terms->class_ : NULL;
}

static void
choice (void)
{
  guint n_changes = 0;
  g_autoptr (DetourBudgets) budgets = detour_budgets_new (&port, &n_changes);
  g_autoptr (DetourTermsTable) table = detour_terms_table_new ();
  g_autoptr (DetourConfig) without = config_new (NULL);
  g_autoptr (DetourConfig) with = config_new ("family");

  g_assert_null (chosen (table, NULL));
  config_add (without, "friends", NULL, NULL);
  apply (table, budgets, without);
  g_assert_null (chosen (table, NULL));
  g_assert_cmpstr (chosen (table, "friends"), ==, "friends");

  config_add (with, "friends", NULL, NULL);
  config_add (with, "family", NULL, NULL);
  apply (table, budgets, with);
  g_assert_cmpstr (chosen (table, "friends"), ==, "friends");
  g_assert_cmpstr (chosen (table, NULL), ==, "family");
}

/* Said once for each name, until the next change. */
static void
a_class_that_is_not_there (void)
{
  guint n_changes = 0;
  g_autoptr (DetourBudgets) budgets = detour_budgets_new (&port, &n_changes);
  g_autoptr (DetourTermsTable) table = detour_terms_table_new ();
  g_autoptr (DetourConfig) with = config_new ("family");

  g_assert_null (chosen (table, "friend"));
  g_assert_null (chosen (table, "friend"));
  expect_said ("an auth instance names the class \"friend\", and there is no [class friend]; its "
               "clients have no class\n");

  config_add (with, "family", NULL, NULL);
  apply (table, budgets, with);
  g_assert_cmpstr (chosen (table, "friend"), ==, "family");
  g_assert_cmpstr (chosen (table, "friend"), ==, "family");
  expect_said ("an auth instance names the class \"friend\", and there is no [class friend]; its "
               "clients have the class family\n");
}

/* A class without a rate leaves that of [limits], and one with "off" has none. */
static void
rates (void)
{
  guint n_changes = 0;
  g_autoptr (DetourBudgets) budgets = detour_budgets_new (&port, &n_changes);
  g_autoptr (DetourTermsTable) table = detour_terms_table_new ();
  g_autoptr (DetourConfig) config = config_new (NULL);
  g_autoptr (DetourTerms) silent = NULL;
  g_autoptr (DetourTerms) off = NULL;
  g_autoptr (DetourTerms) slow = NULL;

  config_add (config, "silent", "connections", "5");
  config_add (config, "off", "receive-rate", "off");
  config_add (config, "slow", "receive-rate", "10K");
  apply (table, budgets, config);
  silent = detour_terms_table_choose (table, "silent", NULL);
  g_assert_false (silent->has_rate);
  off = detour_terms_table_choose (table, "off", NULL);
  g_assert_true (off->has_rate);
  g_assert_cmpuint (off->receive_rate, ==, 0);
  slow = detour_terms_table_choose (table, "slow", NULL);
  g_assert_true (slow->has_rate);
  g_assert_cmpuint (slow->receive_rate, ==, 10240);
  g_assert_cmpuint (slow->receive_burst, ==, 10240);
}

/* ---- connections ----------------------------------------------------------------------------- */

static int
join (WorkerBench *bench, guint8 letter, gboolean is_mesh, const char *class_)
{
  int peer;
  DetourSession *session = worker_bench_session (letter, is_mesh, &peer);
  DetourVerdict verdict = { .result = DETOUR_AUTH_ALLOW, .instance = "auth/x", .class_ = class_ };

  session->verdict = detour_verdict_new (&verdict);
  worker_bench_adopt (bench, 0, session, peer);
  return peer;
}

/* Of the connection in @slot, when all messages have come. */
static guint64
rate_of (WorkerBench *bench, guint slot)
{
  const DetourConn *conn;

  detour_worker_wait (bench->workers[0]);
  conn = detour_worker_conn_at (bench->workers[0], slot);
  return detour_client_receive_rate (conn->client);
}

static void
changes_reach_connections (void)
{
  guint n_changes = 0;
  g_autoptr (DetourBudgets) budgets = detour_budgets_new (&port, &n_changes);
  WorkerBench *bench = worker_bench_new (1, NULL);
  DetourVerdict promotion = { .result = DETOUR_AUTH_ALLOW, .instance = "auth/x", .class_ = "fast" };
  g_autoptr (DetourConfig) first = config_new (NULL);
  g_autoptr (DetourConfig) second = config_new (NULL);
  g_autoptr (DetourConfig) none = config_new (NULL);
  g_autoptr (DetourVerdict) promoted = detour_verdict_new (&promotion);
  int peers[3];

  config_add (first, "slow", "receive-rate", "10K");
  config_add (first, "fast", "receive-rate", "10M");
  apply (bench->terms, budgets, first);
  peers[0] = join (bench, 'A', FALSE, "slow");
  peers[1] = join (bench, 'B', FALSE, NULL);
  peers[2] = join (bench, 'M', TRUE, "slow");
  g_assert_cmpuint (rate_of (bench, 0), ==, 10240);
  g_assert_cmpuint (rate_of (bench, 1), ==, 0);
  g_assert_cmpuint (rate_of (bench, 2), ==, 0);

  config_add (second, "slow", "receive-rate", "20K");
  config_add (second, "fast", "receive-rate", "10M");
  apply (bench->terms, budgets, second);
  detour_worker_terms_changed (bench->workers[0]);
  g_assert_cmpuint (rate_of (bench, 0), ==, 20480);
  g_assert_cmpuint (rate_of (bench, 1), ==, 0);
  g_assert_cmpuint (rate_of (bench, 2), ==, 0);

  detour_worker_set_verdict (
      bench->workers[0], detour_worker_conn_at (bench->workers[0], 0)->client->handle, promoted);
  g_assert_cmpuint (rate_of (bench, 0), ==, 10 << 20);

  apply (bench->terms, budgets, none);
  detour_worker_terms_changed (bench->workers[0]);
  g_assert_cmpuint (rate_of (bench, 0), ==, 0);
  expect_said (
      "an auth instance names the class \"fast\", and there is no [class fast]; its clients "
      "have no class\n");

  for (guint i = 0; i < G_N_ELEMENTS (peers); i++)
    close (peers[i]);
  worker_bench_free (bench);
}

/* ---- accounts -------------------------------------------------------------------------------- */

/* Those of a class count for as long as they have it, whichever way it ends. */
static void
connections_of_a_class (void)
{
  guint n_changes = 0;
  g_autoptr (DetourBudgets) budgets = detour_budgets_new (&port, &n_changes);
  WorkerBench *bench = worker_bench_new (1, NULL);
  DetourVerdict other = { .result = DETOUR_AUTH_ALLOW, .instance = "auth/x", .class_ = "b" };
  g_autoptr (DetourVerdict) verdict = detour_verdict_new (&other);
  g_autoptr (DetourConfig) config = config_new (NULL);
  g_auto (DetourTermsRefusal) refusal = { NULL };
  g_autoptr (DetourTerms) terms = NULL;
  DetourAccount *a = detour_budgets_account (budgets, "class", "a");
  DetourAccount *b = detour_budgets_account (budgets, "class", "b");
  int peers[2];

  config_add (config, "a", "connections", "2");
  config_add (config, "b", "connections", "1");
  apply (bench->terms, budgets, config);
  peers[0] = join (bench, 'A', FALSE, "a");
  peers[1] = join (bench, 'B', FALSE, "a");
  detour_worker_wait (bench->workers[0]);
  g_assert_cmpuint (detour_account_n_conns (a), ==, 2);

  terms = detour_terms_table_choose (bench->terms, "a", NULL);
  g_assert_false (detour_terms_enter (terms, &refusal));
  g_assert_cmpstr (refusal.by, ==, "class/a");
  g_assert_cmpstr (refusal.reason, ==, "class a has its 2 connections");
  g_assert_cmpuint (detour_account_n_conns (a), ==, 2);

  /* Who is there already is not sent away by the limit of another class. */
  for (guint i = 0; i < 2; i++)
    detour_worker_set_verdict (
        bench->workers[0], detour_worker_conn_at (bench->workers[0], i)->client->handle, verdict);
  detour_worker_wait (bench->workers[0]);
  g_assert_cmpuint (detour_account_n_conns (a), ==, 0);
  g_assert_cmpuint (detour_account_n_conns (b), ==, 2);
  close (peers[0]);
  while (detour_worker_n_conns (bench->workers[0]) > 1)
    g_thread_yield ();
  detour_worker_wait (bench->workers[0]);
  g_assert_cmpuint (detour_account_n_conns (b), ==, 1);
  close (peers[1]);
  worker_bench_free (bench);
  g_assert_cmpuint (detour_account_n_conns (b), ==, 0);
}

/* What a client sends counts for the class that it has then, once. */
static void
bytes_of_a_class (void)
{
  guint n_changes = 0;
  g_autoptr (DetourBudgets) budgets = detour_budgets_new (&port, &n_changes);
  WorkerBench *bench = worker_bench_new (2, NULL);
  DetourVerdict other = { .result = DETOUR_AUTH_ALLOW, .instance = "auth/x", .class_ = "b" };
  g_autoptr (DetourVerdict) verdict = detour_verdict_new (&other);
  g_autoptr (DetourConfig) config = config_new (NULL);
  g_autoptr (GPtrArray) sessions = g_ptr_array_new ();
  DetourAccount *a = detour_budgets_account (budgets, "class", "a");
  DetourAccount *b = detour_budgets_account (budgets, "class", "b");
  int peers[2];

  config_add (config, "a", NULL, NULL);
  config_add (config, "b", NULL, NULL);
  apply (bench->terms, budgets, config);
  peers[0] = join (bench, 'A', FALSE, "a");
  peers[1] = join (bench, 'B', FALSE, NULL);
  worker_bench_burst (bench, peers[0], 'A', peers[1], 'B', 10, 100);
  worker_bench_burst (bench, peers[1], 'B', peers[0], 'A', 10, 1000);
  detour_worker_collect (bench->workers[0]);
  detour_worker_wait (bench->workers[0]);
  detour_worker_collect (bench->workers[0]);
  detour_worker_wait (bench->workers[0]);
  g_assert_cmpuint (detour_account_bytes (a), ==, 1000);

  worker_bench_burst (bench, peers[0], 'A', peers[1], 'B', 1, 50);
  detour_worker_set_verdict (bench->workers[0],
                             detour_worker_conn_at (bench->workers[0], 0)->client->handle, verdict);
  detour_worker_wait (bench->workers[0]);
  worker_bench_burst (bench, peers[0], 'A', peers[1], 'B', 2, 50);
  detour_worker_wait (bench->workers[0]);
  g_assert_cmpuint (detour_account_bytes (a), ==, 1050);

  /* A connection that goes over to another worker takes its count along. */
  for (guint i = 0; i < 2; i++)
    detour_worker_freeze (bench->workers[i]);
  detour_worker_detach_all (bench->workers[0], sessions);
  g_assert_cmpuint (detour_account_bytes (b), ==, 100);
  g_assert_cmpuint (detour_account_n_conns (b), ==, 1);
  for (guint i = 0; i < sessions->len; i++)
    detour_worker_adopt (bench->workers[1], sessions->pdata[i]);
  for (guint i = 0; i < 2; i++)
    {
      detour_worker_wait (bench->workers[i]);
      detour_worker_thaw (bench->workers[i]);
    }
  worker_bench_burst (bench, peers[0], 'A', peers[1], 'B', 3, 10);
  for (guint i = 0; i < 2; i++)
    close (peers[i]);
  worker_bench_free (bench);
  g_assert_cmpuint (detour_account_bytes (a), ==, 1050);
  g_assert_cmpuint (detour_account_bytes (b), ==, 130);
}

/* ---- tenants --------------------------------------------------------------------------------- */

static void
config_add_tenant (DetourConfig *config, const char *name, const char *const *keys)
{
  DetourSettings *settings = detour_settings_new (name, detour_schema_tenant, "f", 1);

  for (; *keys != NULL; keys += 2)
    g_assert_true (detour_settings_set (settings, keys[0], keys[1], "f", 2, NULL));
  g_ptr_array_add (config->tenants, detour_tenant_group_new (name, settings));
}

#define ADD_TENANT(config, name, ...) \
  config_add_tenant (config, name, (const char *const[]) { __VA_ARGS__, NULL })

/* The verdict's class goes first, then the tenant's, then that of all. */
static void
class_of_a_tenant (void)
{
  guint n_changes = 0;
  g_autoptr (DetourBudgets) budgets = detour_budgets_new (&port, &n_changes);
  g_autoptr (DetourTermsTable) table = detour_terms_table_new ();
  g_autoptr (DetourConfig) config = config_new ("family");
  static const struct {
    const char *class_, *tenant, *gets, *of;
  } cases[] = {
    { NULL, NULL, "family", NULL },         { NULL, "red", "guests", "red" },
    { NULL, "blue", "family", "blue" },     { "friends", "red", "friends", "red" },
    { "nobody", "red", "guests", "red" },   { NULL, "gone", "family", NULL },
    { "friends", "gone", "friends", NULL },
  };

  config_add (config, "family", NULL, NULL);
  config_add (config, "friends", NULL, NULL);
  config_add (config, "guests", NULL, NULL);
  ADD_TENANT (config, "red", "class", "guests");
  ADD_TENANT (config, "blue", "names", "b");
  apply (table, budgets, config);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (DetourTerms)
          terms = detour_terms_table_choose (table, cases[i].class_, cases[i].tenant);

      g_assert_cmpstr (terms->class_, ==, cases[i].gets);
      g_assert_cmpstr (terms->tenant, ==, cases[i].of);
    }
  expect_said ("an auth instance names the class \"nobody\", and there is no [class nobody]; its "
               "clients have the class guests\n");
}

/* Each tenant has its own count, and one of its own in its class. */
static void
connections_of_a_tenant (void)
{
  guint n_changes = 0;
  g_autoptr (DetourBudgets) budgets = detour_budgets_new (&port, &n_changes);
  g_autoptr (DetourTermsTable) table = detour_terms_table_new ();
  g_autoptr (DetourConfig) config = config_new ("family");
  g_autoptr (DetourTerms) red = NULL;
  g_autoptr (DetourTerms) blue = NULL;
  g_auto (DetourTermsRefusal) refusal = { NULL };

  config_add (config, "family", "connections", "2");
  ADD_TENANT (config, "red", "connections", "1");
  ADD_TENANT (config, "blue", "names", "b");
  apply (table, budgets, config);
  red = detour_terms_table_choose (table, NULL, "red");
  blue = detour_terms_table_choose (table, NULL, "blue");
  g_assert_true (detour_terms_enter (red, &refusal));
  g_assert_false (detour_terms_enter (red, &refusal));
  g_assert_cmpstr (refusal.by, ==, "tenant/red");
  g_assert_cmpstr (refusal.reason, ==, "tenant red has its 1 connections");
  detour_terms_refusal_clear (&refusal);
  /* The one that was refused does not count in the class. */
  g_assert_true (detour_terms_enter (blue, &refusal));
  g_assert_false (detour_terms_enter (blue, &refusal));
  g_assert_cmpstr (refusal.by, ==, "class/family");
  detour_terms_charge (red, 5);
  detour_terms_charge (blue, 7);
  g_assert_cmpuint (detour_account_bytes (detour_budgets_account (budgets, "class", "family")), ==,
                    12);
  g_assert_cmpuint (detour_account_bytes (detour_budgets_account (budgets, "tenant", "red")), ==,
                    5);
  detour_terms_leave (red);
  detour_terms_leave (blue);
}

static void
used_up_tenant (void)
{
  guint n_changes = 0;
  g_autoptr (DetourBudgets) budgets = detour_budgets_new (&port, &n_changes);
  g_autoptr (DetourTermsTable) table = detour_terms_table_new ();
  g_autoptr (DetourConfig) config = config_new (NULL);
  g_autoptr (DetourTerms) red = NULL;
  g_autoptr (DetourTerms) blue = NULL;

  ADD_TENANT (config, "red", "quota", "1M", "over-quota", "close");
  ADD_TENANT (config, "blue", "names", "b");
  apply (table, budgets, config);
  detour_account_add (detour_budgets_account (budgets, "tenant", "red"), 2 << 20);
  detour_budgets_pass (budgets, g_get_real_time () / G_USEC_PER_SEC);
  g_assert_cmpuint (n_changes, ==, 1);
  detour_terms_table_refresh (table, budgets);
  red = detour_terms_table_choose (table, NULL, "red");
  blue = detour_terms_table_choose (table, NULL, "blue");
  g_assert_true (red->closes);
  g_assert_cmpstr (red->over, ==, "tenant/red");
  g_assert_null (blue->over);
  g_string_truncate (said, 0);
}

/* ---- used up quotas -------------------------------------------------------------------------- */

static gint64
now_s (void)
{
  return g_get_real_time () / G_USEC_PER_SEC;
}

static DetourConfig *
config_with_quota (const char *over)
{
  DetourConfig *config = config_new (NULL);
  DetourSettings *settings = detour_settings_new ("a", detour_schema_class, "f", 1);

  g_assert_true (detour_settings_set (settings, "quota", "1M", "f", 2, NULL));
  g_assert_true (detour_settings_set (settings, "over-quota", over, "f", 3, NULL));
  g_assert_true (detour_settings_set (settings, "slow-rate", "2K", "f", 4, NULL));
  g_ptr_array_add (config->classes, detour_class_new ("a", settings));
  return config;
}

static void
used_up (void)
{
  static const struct {
    const char *over;
    guint64 slow_rate;
    gboolean denies, closes;
  } cases[] = {
    { "warn", 0, FALSE, FALSE },
    { "slow", 2048, FALSE, FALSE },
    { "deny", 0, TRUE, FALSE },
    { "close", 0, TRUE, TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint n_changes = 0;
      g_autoptr (DetourBudgets) budgets = detour_budgets_new (&port, &n_changes);
      g_autoptr (DetourTermsTable) table = detour_terms_table_new ();
      g_autoptr (DetourConfig) config = config_with_quota (cases[i].over);
      g_auto (DetourTermsRefusal) refusal = { NULL };
      g_autoptr (DetourTerms) before = NULL;
      g_autoptr (DetourTerms) after = NULL;
      g_autoptr (DetourTerms) anew = NULL;
      DetourBudgetRow row;

      apply (table, budgets, config);
      before = detour_terms_table_choose (table, "a", NULL);
      g_assert_null (before->over);
      detour_account_add (detour_budgets_account (budgets, "class", "a"), 900000);
      detour_budgets_pass (budgets, now_s ());
      g_assert_cmpuint (n_changes, ==, 1);
      g_assert_true (detour_budgets_find (budgets, "class", "a", &row));
      g_assert_cmpint (row.level, ==, DETOUR_BUDGET_NEAR);
      detour_account_add (detour_budgets_account (budgets, "class", "a"), 200000);
      detour_budgets_pass (budgets, now_s ());
      g_assert_cmpuint (n_changes, ==, 2);
      detour_terms_table_refresh (table, budgets);

      after = detour_terms_table_choose (table, "a", NULL);
      g_assert_cmpuint (after->slow_rate, ==, cases[i].slow_rate);
      g_assert_cmpint (after->closes, ==, cases[i].closes);
      g_assert_cmpint (detour_terms_enter (after, &refusal), ==, !cases[i].denies);
      if (cases[i].denies)
        {
          g_assert_cmpstr (refusal.by, ==, "class/a");
          g_assert_true (g_str_has_prefix (
              refusal.reason, "class a has used up its quota of 1M, which begins anew on 2"));
        }
      else
        detour_terms_leave (after);
      g_assert_null (detour_terms_table_choose (table, NULL, NULL));

      detour_budgets_pass (budgets, now_s () + 32 * 86400);
      g_assert_cmpuint (n_changes, ==, 3);
      detour_terms_table_refresh (table, budgets);
      anew = detour_terms_table_choose (table, "a", NULL);
      g_assert_null (anew->over);
      g_assert_null (anew->denial);
      g_string_truncate (said, 0);
    }
}

/* That of the relay holds for everyone, and the strictest of several counts. */
static void
used_up_relay (void)
{
  guint n_changes = 0;
  g_autoptr (DetourBudgets) budgets = detour_budgets_new (&port, &n_changes);
  g_autoptr (DetourTermsTable) table = detour_terms_table_new ();
  g_autoptr (DetourConfig) config = config_with_quota ("deny");
  g_autoptr (DetourTerms) none = NULL;
  g_autoptr (DetourTerms) both = NULL;

  config->options.limits.quota = (DetourQuotaOptions) { 1 << 20, 1, DETOUR_OVER_QUOTA_SLOW, 4096 };
  relayed_bytes = 0;
  apply (table, budgets, config);
  relayed_bytes = 2 << 20;
  detour_account_add (detour_budgets_account (budgets, "class", "a"), 2 << 20);
  detour_budgets_pass (budgets, now_s ());
  relayed_bytes = 0;
  detour_terms_table_refresh (table, budgets);
  none = detour_terms_table_choose (table, NULL, NULL);
  g_assert_cmpuint (none->slow_rate, ==, 4096);
  g_assert_cmpstr (none->over, ==, "relay");
  g_assert_null (none->denial);
  both = detour_terms_table_choose (table, "a", NULL);
  g_assert_cmpuint (both->slow_rate, ==, 4096);
  g_assert_cmpstr (both->over, ==, "class/a");
  g_assert_nonnull (both->denial);
  g_string_truncate (said, 0);
  relayed_bytes = 2 << 20;
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  test_log_reaches_writer ();
  said = g_string_new (NULL);
  g_log_set_writer_func (note_line, NULL, NULL);
  g_test_add_func ("/terms-table/choice", choice);
  g_test_add_func ("/terms-table/a-class-that-is-not-there", a_class_that_is_not_there);
  g_test_add_func ("/terms-table/rates", rates);
  g_test_add_func ("/terms-table/changes-reach-connections", changes_reach_connections);
  g_test_add_func ("/terms-table/connections-of-a-class", connections_of_a_class);
  g_test_add_func ("/terms-table/bytes-of-a-class", bytes_of_a_class);
  g_test_add_func ("/terms-table/class-of-a-tenant", class_of_a_tenant);
  g_test_add_func ("/terms-table/connections-of-a-tenant", connections_of_a_tenant);
  g_test_add_func ("/terms-table/used-up-tenant", used_up_tenant);
  g_test_add_func ("/terms-table/used-up", used_up);
  g_test_add_func ("/terms-table/used-up-relay", used_up_relay);
  return g_test_run ();
}
