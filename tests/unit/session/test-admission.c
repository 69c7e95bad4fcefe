/* test-admission.c: who may come in: settings, sharing, dry runs, changes on the way, numbers and
 * reasons.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-admission.h"
#include "detour-events.h"
#include "detour-schema.h"
#include "detour-settings.h"
#include "fake-auth.h"
#include "test-program.h"

#define SECOND G_USEC_PER_SEC

typedef struct {
  FakeAuth *fake;
  DetourAdmission *admission;
  GString *verdicts; /* all that were told */
} Bench;

static GPtrArray *
no_tenants (void)
{
  return g_ptr_array_new_with_free_func (detour_tenant_group_free);
}

static void
add_tenant (GPtrArray *tenants, const char *name, const char *key, const char *value)
{
  DetourSettings *settings = detour_settings_new (name, detour_schema_tenant, "x.conf", 1);

  if (key != NULL)
    g_assert_true (detour_settings_set (settings, key, value, "x.conf", 2, NULL));
  g_ptr_array_add (tenants, detour_tenant_group_new (name, settings));
}

/* @keys: "key = value" each. @tenants: (nullable) */
static void
apply_with (Bench *bench, const GPtrArray *tenants, const char *const *keys)
{
  g_autoptr (DetourSettings)
      settings = detour_settings_new ("admission", detour_schema_admission, "x.conf", 1);
  g_autoptr (GError) error = NULL;

  for (; *keys != NULL; keys++)
    {
      g_auto (GStrv) parts = g_strsplit (*keys, " = ", 2);

      detour_settings_set (settings, parts[0], parts[1], "x.conf", 1, &error);
      g_assert_no_error (error);
    }
  detour_admission_apply (bench->admission, settings, tenants);
}

#define APPLY(bench, ...) apply_with (bench, NULL, (const char *const[]) { __VA_ARGS__, NULL })
#define APPLY_WITH(bench, tenants, ...) \
  apply_with (bench, tenants, (const char *const[]) { __VA_ARGS__, NULL })

static Bench *
bench_new (void)
{
  Bench *bench = g_new0 (Bench, 1);

  bench->fake = fake_auth_new ();
  bench->admission = detour_admission_new (&fake_auth_port, bench->fake);
  bench->verdicts = g_string_new (NULL);
  return bench;
}

static void
bench_free (Bench *bench)
{
  g_clear_pointer (&bench->admission, detour_admission_free);
  fake_auth_free (bench->fake);
  g_string_free (bench->verdicts, TRUE);
  g_free (bench);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Bench, bench_free)

static void
on_verdict (DetourVerdict *verdict, gpointer data)
{
  static const char marks[] = "+-?";
  Bench *bench = data;

  g_string_append_printf (bench->verdicts, "%c%s%s%s%s%s ", marks[verdict->result],
                          verdict->instance,
                          verdict->flags & DETOUR_VERDICT_CACHED ? "/cached" : "",
                          verdict->flags & DETOUR_VERDICT_GRACE ? "/grace" : "",
                          verdict->flags & DETOUR_VERDICT_RECHECK ? "/recheck" : "",
                          verdict->flags & DETOUR_VERDICT_DRY_RUN ? "/dry" : "");
}

static void
settle (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
ask (Bench *bench, guint8 byte)
{
  g_autoptr (DetourAuthRequest) request = fake_request (byte);

  detour_admission_ask (bench->admission, request, on_verdict, bench);
  settle ();
}

static void
ask_fields (Bench *bench, const DetourAuthRequest *fields)
{
  g_autoptr (DetourAuthRequest) request = detour_auth_request_new (fields);

  detour_admission_ask (bench->admission, request, on_verdict, bench);
  settle ();
}

static void
recheck (Bench *bench, guint8 byte)
{
  g_autoptr (DetourAuthRequest) request = fake_request (byte);

  detour_admission_recheck (bench->admission, request, on_verdict, bench);
  settle ();
}

static void
answer (Bench *bench, const char *instance, DetourAuthResult result)
{
  fake_auth_answer (bench->fake, instance, result, "so");
}

static void
pass (Bench *bench, gint64 us)
{
  fake_auth_pass (bench->fake, us);
  detour_admission_tick (bench->admission);
}

static void
expect (Bench *bench, const char *verdicts)
{
  g_assert_cmpstr (bench->verdicts->str, ==, verdicts);
  g_string_truncate (bench->verdicts, 0);
}

static void
test_open (void)
{
  g_autoptr (Bench) bench = bench_new ();

  APPLY (bench, "chain = open");
  g_assert_true (detour_admission_is_open (bench->admission));
  ask (bench, 1);
  expect (bench, "+open ");
}

static void
on_bans_changed (gpointer user)
{
  detour_admission_bans_changed (((Bench *) user)->admission);
}

static void
set_ban (DetourBans *bans, const char *text)
{
  DetourBanTarget target;

  g_assert_true (detour_ban_target_parse (text, &target, NULL));
  g_assert_true (detour_bans_add (bans, &target, 1, 0, "spam", NULL, NULL, NULL));
}

static void
lift_ban (DetourBans *bans, const char *text)
{
  const char *const texts[] = { text, NULL };

  g_assert_cmpuint (detour_bans_remove (bans, texts, NULL, NULL), ==, 1);
}

/* Before the instances, for open chains, in dry runs, and for clients that wait already. */
static void
test_bans (void)
{
  static const DetourBansPort port = { .changed = on_bans_changed };
  g_autoptr (Bench) bench = bench_new ();
  g_autoptr (DetourBans) bans = detour_bans_new (&port, bench);
  DetourAuthRequest fields = fake_request_fields (1);
  g_autofree char *key = detour_key_to_text (detour_auth_request_key (&fields));

  detour_admission_set_bans (bench->admission, bans);
  APPLY (bench, "chain = open");
  g_assert_true (detour_admission_is_open (bench->admission));
  set_ban (bans, key);
  g_assert_false (detour_admission_is_open (bench->admission));
  ask (bench, 1);
  ask (bench, 2);
  recheck (bench, 1);
  expect (bench, "-bans +open -bans/recheck ");

  APPLY (bench, "chain = a", "dry-run = true");
  ask (bench, 1);
  expect (bench, "-bans ");
  g_assert_cmpuint (fake_auth_n_open (bench->fake, NULL), ==, 0);
  lift_ban (bans, key);
  g_assert_false (detour_admission_is_open (bench->admission));

  /* A ban ends the question that is out. */
  APPLY (bench, "chain = a");
  ask (bench, 1);
  expect (bench, "");
  set_ban (bans, key);
  expect (bench, "-bans ");
  lift_ban (bans, key);
  fields.address = "192.0.2.77";
  set_ban (bans, "192.0.2.64/26");
  ask_fields (bench, &fields);
  expect (bench, "-bans ");
  fields.address = "192.0.2.128";
  ask_fields (bench, &fields);
  expect (bench, "");
  /* The first answer is for the question that the ban ended. */
  answer (bench, "auth/a", DETOUR_AUTH_ALLOW);
  answer (bench, "auth/a", DETOUR_AUTH_ALLOW);
  expect (bench, "+auth/a ");
  g_clear_pointer (&bench->admission, detour_admission_free);
}

static void
test_app_names (void)
{
  g_autoptr (Bench) bench = bench_new ();
  DetourAuthRequest fields = fake_request_fields (1);

  g_test_expect_message ("detour", G_LOG_LEVEL_WARNING, "*disallow-app-names: an empty name*");
  APPLY (bench, "chain = open", "disallow-app-names = bad;;worse;");
  g_test_assert_expected_messages ();
  g_assert_false (detour_admission_is_open (bench->admission));
  ask (bench, 1);
  expect (bench, "+open ");
  fields.app_name = "worse";
  ask_fields (bench, &fields);
  expect (bench, "-admission ");
  fields.app_name = "Worse";
  ask_fields (bench, &fields);
  expect (bench, "+open ");

  g_test_expect_message ("detour", G_LOG_LEVEL_WARNING, "*disallow-app-names: an empty name*");
  APPLY (bench, "chain = open", "disallow-app-names = ;");
  g_test_assert_expected_messages ();
  g_assert_true (detour_admission_is_open (bench->admission));
}

static void
test_sharing (void)
{
  g_autoptr (Bench) bench = bench_new ();
  DetourAuthRequest other = fake_request_fields (1);
  const DetourAdmissionStats *stats = detour_admission_stats (bench->admission);

  APPLY (bench, "chain = a");
  for (guint i = 0; i < 100; i++)
    ask (bench, 1);
  ask (bench, 2);
  other.address = "192.0.2.99";
  ask_fields (bench, &other);
  g_assert_cmpuint (fake_auth_n_open (bench->fake, NULL), ==, 3);
  answer (bench, "auth/a", DETOUR_AUTH_DENY);
  g_assert_cmpuint (bench->verdicts->len, ==, 100 * strlen ("-auth/a "));
  g_assert_cmpuint (stats->asked, ==, 102);
  g_assert_cmpuint (stats->shared, ==, 99);
  g_assert_cmpuint (stats->denied, ==, 100);
  pass (bench, G_TIME_SPAN_HOUR);
  g_assert_cmpuint (stats->unavailable, ==, 2);
}

static void
test_timeout (void)
{
  g_autoptr (Bench) bench = bench_new ();

  APPLY (bench, "chain = a", "timeout = 3s");
  ask (bench, 1);
  pass (bench, 3 * SECOND - 1);
  expect (bench, "");
  pass (bench, 1);
  expect (bench, "?auth/a ");
  /* UNAVAILABLE is not remembered. */
  ask (bench, 1);
  g_assert_cmpuint (fake_auth_n_open (bench->fake, NULL), ==, 2);
}

static void
test_time_counts_in_the_queue (void)
{
  g_autoptr (Bench) bench = bench_new ();

  APPLY (bench, "chain = a");
  for (guint i = 0; i < 2 * DETOUR_AUTH_INSTANCE_ASKING_MAX; i++)
    ask (bench, (guint8) i);
  g_assert_cmpuint (fake_auth_n_open (bench->fake, NULL), ==, DETOUR_AUTH_INSTANCE_ASKING_MAX);
  pass (bench, 5 * SECOND);
  g_assert_cmpuint (bench->verdicts->len, ==,
                    2 * DETOUR_AUTH_INSTANCE_ASKING_MAX * strlen ("?auth/a "));
}

static void
test_dry_run (void)
{
  g_autoptr (Bench) bench = bench_new ();
  const DetourAdmissionStats *stats = detour_admission_stats (bench->admission);

  APPLY (bench, "chain = a", "dry-run = yes", "negative-ttl = 0s");
  ask (bench, 1);
  answer (bench, "auth/a", DETOUR_AUTH_DENY);
  expect (bench, "+auth/a/dry ");
  ask (bench, 1);
  answer (bench, "auth/a", DETOUR_AUTH_UNAVAILABLE);
  expect (bench, "+auth/a/dry ");
  recheck (bench, 1);
  answer (bench, "auth/a", DETOUR_AUTH_DENY);
  expect (bench, "+auth/a/recheck/dry ");
  ask (bench, 2);
  answer (bench, "auth/a", DETOUR_AUTH_ALLOW);
  expect (bench, "+auth/a ");
  g_assert_cmpuint (stats->let_in, ==, 3);
  g_assert_cmpuint (stats->allowed, ==, 3);
  g_assert_cmpuint (stats->revoked, ==, 0);
}

static void
test_recheck (void)
{
  g_autoptr (Bench) bench = bench_new ();
  const DetourAdmissionStats *stats = detour_admission_stats (bench->admission);

  APPLY (bench, "chain = a");
  ask (bench, 1);
  answer (bench, "auth/a", DETOUR_AUTH_ALLOW);
  recheck (bench, 1);
  g_assert_cmpuint (fake_auth_n_open (bench->fake, NULL), ==, 1);
  answer (bench, "auth/a", DETOUR_AUTH_DENY);
  expect (bench, "+auth/a -auth/a/recheck ");
  /* Its answer is remembered. */
  ask (bench, 1);
  expect (bench, "-auth/a/cached ");
  recheck (bench, 2);
  pass (bench, 5 * SECOND);
  expect (bench, "?auth/a/recheck ");
  g_assert_cmpuint (stats->rechecked, ==, 2);
  g_assert_cmpuint (stats->revoked, ==, 1);
  g_assert_cmpuint (stats->asked, ==, 2);
}

/* What changes while a request is on its way counts for its verdict. */
static void
test_changes_on_the_way (void)
{
  g_autoptr (Bench) bench = bench_new ();

  APPLY (bench, "chain = a");
  ask (bench, 1);
  detour_admission_forget (bench->admission, "auth/a");
  detour_admission_forget (bench->admission, "auth/nobody");
  answer (bench, "auth/a", DETOUR_AUTH_DENY);
  expect (bench, "");
  answer (bench, "auth/a", DETOUR_AUTH_ALLOW);
  expect (bench, "+auth/a ");

  ask (bench, 2);
  APPLY (bench, "chain = b");
  g_assert_cmpuint (fake_auth_n_open (bench->fake, "auth/b"), ==, 1);
  answer (bench, "auth/a", DETOUR_AUTH_ALLOW);
  expect (bench, "");
  APPLY (bench, "chain = open");
  expect (bench, "+open ");
  answer (bench, "auth/b", DETOUR_AUTH_DENY);
  expect (bench, "");
}

/* New settings keep what an instance knows. */
static void
test_apply_keeps_instances (void)
{
  g_autoptr (Bench) bench = bench_new ();

  APPLY (bench, "chain = a");
  ask (bench, 1);
  answer (bench, "auth/a", DETOUR_AUTH_ALLOW);
  APPLY (bench, "chain = b;a", "match = all");
  ask (bench, 1);
  answer (bench, "auth/b", DETOUR_AUTH_ALLOW);
  expect (bench, "+auth/a +auth/a/cached ");
}

/* @tenant: (nullable) */
static void
ask_in (Bench *bench, guint8 byte, const char *tenant)
{
  DetourAuthRequest fields = fake_request_fields (byte);

  fields.tenant = tenant;
  ask_fields (bench, &fields);
}

static void
test_tenants (void)
{
  g_autoptr (Bench) bench = bench_new ();
  g_autoptr (GPtrArray) tenants = no_tenants ();

  add_tenant (tenants, "red", "chain", "r;a");
  add_tenant (tenants, "open", "chain", "open");
  add_tenant (tenants, "same", NULL, NULL);
  APPLY_WITH (bench, tenants, "chain = a");
  g_assert_false (detour_admission_is_open (bench->admission));
  ask_in (bench, 1, "open");
  expect (bench, "+open ");
  ask_in (bench, 1, "red");
  answer (bench, "auth/r", DETOUR_AUTH_ALLOW);
  expect (bench, "+auth/r ");
  /* Where the chain is that of all, its instance is the same; but not what it said of others. */
  ask_in (bench, 1, "same");
  answer (bench, "auth/a", DETOUR_AUTH_DENY);
  ask_in (bench, 1, "same");
  expect (bench, "-auth/a -auth/a/cached ");
  ask_in (bench, 1, NULL);
  answer (bench, "auth/a", DETOUR_AUTH_ALLOW);
  expect (bench, "+auth/a ");
}

/* A tenant may want all of the chain that everyone has. */
static void
test_tenant_with_a_match_alone (void)
{
  g_autoptr (Bench) bench = bench_new ();
  g_autoptr (GPtrArray) tenants = no_tenants ();

  add_tenant (tenants, "strict", "match", "all");
  APPLY_WITH (bench, tenants, "chain = a;b");
  ask_in (bench, 1, "strict");
  answer (bench, "auth/a", DETOUR_AUTH_ALLOW);
  expect (bench, "");
  answer (bench, "auth/b", DETOUR_AUTH_DENY);
  expect (bench, "-auth/b ");
  ask (bench, 1);
  answer (bench, "auth/a", DETOUR_AUTH_ALLOW);
  expect (bench, "+auth/a ");
}

/* Everyone is let in everywhere, or everyone is asked about. */
static void
test_tenants_and_open (void)
{
  g_autoptr (Bench) bench = bench_new ();
  g_autoptr (GPtrArray) tenants = no_tenants ();

  add_tenant (tenants, "same", NULL, NULL);
  APPLY_WITH (bench, tenants, "chain = open");
  g_assert_true (detour_admission_is_open (bench->admission));
  add_tenant (tenants, "red", "chain", "r");
  APPLY_WITH (bench, tenants, "chain = open");
  g_assert_false (detour_admission_is_open (bench->admission));
  ask_in (bench, 1, NULL);
  expect (bench, "+open ");
}

/* Requests of a tenant that goes, or that gets or loses a chain, end: whoever asked chooses the
 * tenant anew. */
static void
test_tenants_change (void)
{
  g_autoptr (Bench) bench = bench_new ();
  g_autoptr (GPtrArray) own = no_tenants ();
  g_autoptr (GPtrArray) common = no_tenants ();

  add_tenant (own, "red", "chain", "r");
  add_tenant (common, "red", NULL, NULL);
  APPLY_WITH (bench, own, "chain = a");
  ask_in (bench, 1, "red");
  APPLY_WITH (bench, own, "chain = b");
  expect (bench, "");
  answer (bench, "auth/r", DETOUR_AUTH_ALLOW);
  answer (bench, "auth/r", DETOUR_AUTH_ALLOW);
  expect (bench, "+auth/r ");

  ask_in (bench, 2, "red");
  APPLY_WITH (bench, common, "chain = b");
  expect (bench, "?admission ");
  ask_in (bench, 2, "red");
  g_assert_cmpuint (fake_auth_n_open (bench->fake, "auth/b"), ==, 1);
  APPLY_WITH (bench, own, "chain = b");
  expect (bench, "?admission ");
  ask_in (bench, 3, "red");
  APPLY (bench, "chain = b");
  expect (bench, "?admission ");
  ask_in (bench, 4, "red");
  expect (bench, "?admission ");
}

static void
test_stopped_instances (void)
{
  g_autoptr (Bench) bench = bench_new ();

  APPLY (bench, "chain = a;b", "match = all");
  ask (bench, 1);
  fake_auth_stop_instance (bench->fake, "auth/a");
  detour_admission_forget (bench->admission, "auth/a");
  /* The walk began anew: the first answer is of the one before. */
  answer (bench, "auth/b", DETOUR_AUTH_ALLOW);
  answer (bench, "auth/b", DETOUR_AUTH_ALLOW);
  expect (bench, "+auth/b ");
  fake_auth_stop_instance (bench->fake, "auth/b");
  detour_admission_forget (bench->admission, "auth/b");
  /* An empty chain is not an open one. */
  g_assert_false (detour_admission_is_open (bench->admission));
  ask (bench, 2);
  expect (bench, "?auth/b ");
  g_ptr_array_set_size (bench->fake->stopped, 0);
  ask (bench, 2);
  answer (bench, "auth/a", DETOUR_AUTH_ALLOW);
  answer (bench, "auth/b", DETOUR_AUTH_ALLOW);
  expect (bench, "+auth/b ");
}

/* A known key comes in at once while its instance is silent; a denial that comes later takes that
 * back. */
static void
test_provisional (void)
{
  g_autoptr (Bench) bench = bench_new ();
  const DetourAdmissionStats *stats = detour_admission_stats (bench->admission);

  APPLY (bench, "chain = a");
  ask (bench, 1);
  answer (bench, "auth/a", DETOUR_AUTH_ALLOW);
  expect (bench, "+auth/a ");
  pass (bench, G_TIME_SPAN_MINUTE);
  ask (bench, 1);
  pass (bench, SECOND);
  expect (bench, "+auth/a/grace ");
  /* The walk goes on, and equal requests do not wait either. */
  ask (bench, 1);
  expect (bench, "+auth/a/grace ");
  g_assert_cmpuint (fake_auth_n_open (bench->fake, NULL), ==, 1);
  answer (bench, "auth/a", DETOUR_AUTH_DENY);
  expect (bench, "");
  g_assert_cmpuint (bench->fake->revoked->len, ==, 1);
  g_assert_cmpuint (stats->by_grace, ==, 2);
  ask (bench, 1);
  expect (bench, "-auth/a/cached ");
}

static void
test_recheck_waits_for_the_final_verdict (void)
{
  g_autoptr (Bench) bench = bench_new ();

  APPLY (bench, "chain = a");
  ask (bench, 1);
  answer (bench, "auth/a", DETOUR_AUTH_ALLOW);
  expect (bench, "+auth/a ");
  recheck (bench, 1);
  pass (bench, 2 * SECOND);
  expect (bench, "");
  pass (bench, 3 * SECOND);
  expect (bench, "+auth/a/grace/recheck ");
}

/* The verdicts on a key, the oldest first. */
static void
expect_events (const DetourKey *key, const char *text)
{
  g_autoptr (GPtrArray) events = detour_events_read (0, key);
  g_autoptr (GString) out = g_string_new (NULL);

  for (guint i = 0; i < events->len; i++)
    {
      const DetourEvent *event = events->pdata[i];

      g_string_append_printf (out, "%s %d %s %s %s %u;", detour_event_kind_name (event->kind),
                              (int) event->result, event->source, event->address,
                              event->text != NULL ? event->text : "-", event->count);
    }
  g_assert_cmpstr (out->str, ==, text);
}

static void
write_instance (const DetourAuthInstanceInfo *info, gpointer data)
{
  g_string_append_printf (data, "%s asked %u cached %u;", info->instance, (guint) info->asked,
                          (guint) info->cached);
}

static void
test_status (void)
{
  g_autoptr (Bench) bench = bench_new ();
  g_autoptr (GString) instances = g_string_new (NULL);
  DetourKey key;

  memset (key.bytes, 1, sizeof key.bytes);
  detour_events_clear ();
  APPLY (bench, "chain = a;b");
  ask (bench, 1);
  answer (bench, "auth/a", DETOUR_AUTH_DENY);
  answer (bench, "auth/b", DETOUR_AUTH_DENY);
  ask (bench, 1);
  pass (bench, G_TIME_SPAN_MINUTE);
  ask (bench, 1);
  answer (bench, "auth/a", DETOUR_AUTH_ALLOW);
  expect_events (&key, "refused 1 auth/b 192.0.2.1 so 2;admitted 0 auth/a 192.0.2.1 - 1;");
  detour_admission_foreach_instance (bench->admission, write_instance, instances);
  g_assert_cmpstr (instances->str, ==, "auth/a asked 2 cached 1;auth/b asked 1 cached 1;");
  key.bytes[0] ^= 1;
  expect_events (&key, "");
}

/* Clients that wait when the admission ends are told, and answers that come later do no harm. */
static void
test_end (void)
{
  g_autoptr (Bench) bench = bench_new ();
  g_autoptr (DetourAuthRequest) request = fake_request (9);

  APPLY (bench, "chain = a");
  ask (bench, 1);
  ask (bench, 2);
  detour_admission_ask (bench->admission, request, on_verdict, bench);
  g_clear_pointer (&bench->admission, detour_admission_free);
  expect (bench, "?admission ?admission ?admission ");
  settle ();
}

static gpointer
ask_often (gpointer data)
{
  Bench *bench = data;

  for (guint i = 0; i < 1000; i++)
    {
      g_autoptr (DetourAuthRequest) request = fake_request ((guint8) i);

      detour_admission_ask (bench->admission, request, on_verdict, bench);
    }
  return NULL;
}

static void
test_threads (void)
{
  g_autoptr (Bench) bench = bench_new ();
  GThread *threads[4];
  const DetourAdmissionStats *stats = detour_admission_stats (bench->admission);

  APPLY (bench, "chain = open", "disallow-app-names = x");
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("asks", ask_often, bench);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  settle ();
  g_assert_cmpuint (stats->allowed, ==, 4000);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_writer_func (test_log_nothing, NULL, NULL);
  g_test_add_func ("/admission/open", test_open);
  g_test_add_func ("/admission/bans-come-first", test_bans);
  g_test_add_func ("/admission/application-names", test_app_names);
  g_test_add_func ("/admission/equal-requests-share-a-flight", test_sharing);
  g_test_add_func ("/admission/ends-in-time", test_timeout);
  g_test_add_func ("/admission/time-counts-in-the-queue", test_time_counts_in_the_queue);
  g_test_add_func ("/admission/dry-run-lets-pass-and-counts", test_dry_run);
  g_test_add_func ("/admission/recheck-asks-anew", test_recheck);
  g_test_add_func ("/admission/changes-on-the-way", test_changes_on_the_way);
  g_test_add_func ("/admission/new-settings-keep-what-is-known", test_apply_keeps_instances);
  g_test_add_func ("/admission/tenants-have-chains", test_tenants);
  g_test_add_func ("/admission/a-tenant-with-a-match-alone", test_tenant_with_a_match_alone);
  g_test_add_func ("/admission/open-is-open-in-every-tenant", test_tenants_and_open);
  g_test_add_func ("/admission/tenants-come-and-go", test_tenants_change);
  g_test_add_func ("/admission/stopped-instances-leave-the-chain-and-never-open-it",
                   test_stopped_instances);
  g_test_add_func ("/admission/grace-at-once-and-the-final-verdict-later", test_provisional);
  g_test_add_func ("/admission/recheck-waits-for-the-final-verdict",
                   test_recheck_waits_for_the_final_verdict);
  g_test_add_func ("/admission/numbers-and-reasons", test_status);
  g_test_add_func ("/admission/ends-with-requests-open", test_end);
  g_test_add_func ("/admission/asked-from-several-threads", test_threads);
  return g_test_run ();
}
