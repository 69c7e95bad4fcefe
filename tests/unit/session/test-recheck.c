/* test-recheck.c: connected clients are asked about again: spread over the interval, at once after
 * a change.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-recheck.h"
#include "detour-schema.h"
#include "detour-settings.h"
#include "fake-auth.h"
#include "test-program.h"

#define N_WORKERS 3u

/* Stands for a DetourScan. */
typedef struct {
  gboolean is_out;
  guint worker, max;
  guint32 first;
  DetourScanPageDone done;
  gpointer data;
} FakeScan;

/* Workers whose slots hold the first byte of a key; 0: free. */
typedef struct {
  FakeAuth *fake;
  DetourAdmission *admission;
  DetourRecheck *recheck;
  GArray *slots[N_WORKERS]; /* of guint8 */
  FakeScan scan;
  GString *closed;
  GString *allowed; /* with their class */
  guint n_scans;
  gboolean has_tenants;
  gboolean is_slow; /* what is to settle waits in `settling` */
  GArray *settling; /* of Settling */
} Bench;

typedef struct {
  DetourMailbox *mailbox;
  DetourMailboxFunc done, drop;
  gpointer data;
} Settling;

static guint
n_workers (gpointer user)
{
  return N_WORKERS;
}

static guint
n_clients (gpointer user)
{
  Bench *bench = user;
  guint n = 0;

  for (guint i = 0; i < N_WORKERS; i++)
    for (guint k = 0; k < bench->slots[i]->len; k++)
      n += g_array_index (bench->slots[i], guint8, k) != 0 ? 1 : 0;
  return n;
}

static DetourScan *
scan (gpointer user, guint worker, guint32 first, guint max, DetourScanPageDone done, gpointer data)
{
  Bench *bench = user;

  g_assert_false (bench->scan.is_out);
  g_assert_cmpuint (max, >, 0);
  g_assert_cmpuint (max, <=, DETOUR_RECHECK_BATCH);
  bench->scan.is_out = TRUE;
  bench->scan.worker = worker;
  bench->scan.first = first;
  bench->scan.max = max;
  bench->scan.done = done;
  bench->scan.data = data;
  bench->n_scans++;
  return (DetourScan *) &bench->scan;
}

static void
cancel (DetourScan *scan)
{
  FakeScan *fake = (FakeScan *) scan;

  g_assert_true (fake->is_out);
  fake->is_out = FALSE;
}

static void
close_client (gpointer user, DetourHandle handle)
{
  g_string_append_printf (((Bench *) user)->closed, "%u ", (guint) handle);
}

static void
allow_client (gpointer user, DetourHandle handle, DetourVerdict *verdict)
{
  g_string_append_printf (((Bench *) user)->allowed, "%u %s ", (guint) handle,
                          verdict->class_ != NULL ? verdict->class_ : "-");
}

static void
close_key (gpointer user, const DetourKey *key, const char *tenant)
{
  g_string_append_printf (((Bench *) user)->closed, "key %u%s%s ", key->bytes[0],
                          tenant != NULL ? " in " : "", tenant != NULL ? tenant : "");
}

static void
settle (gpointer user, DetourMailbox *mailbox, DetourMailboxFunc done, gpointer data,
        DetourMailboxFunc drop)
{
  const Settling settling = { mailbox, done, drop, data };
  Bench *bench = user;

  if (bench->is_slow)
    g_array_append_val (bench->settling, settling);
  else
    detour_mailbox_post (mailbox, done, data, drop);
}

/* Clients that were on their way have arrived. */
static void
finish_settling (Bench *bench)
{
  for (guint i = 0; i < bench->settling->len; i++)
    {
      const Settling *settling = &g_array_index (bench->settling, Settling, i);

      detour_mailbox_post (settling->mailbox, settling->done, settling->data, settling->drop);
    }
  g_array_set_size (bench->settling, 0);
}

static void
iterate (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

/* The client of that byte came to a tenant that is gone. */
#define STRAY 7u

static gboolean
belongs (gpointer user, const DetourScanRow *client)
{
  return !((Bench *) user)->has_tenants || client->key.bytes[0] != STRAY;
}

static gboolean
has_tenants (gpointer user)
{
  return ((Bench *) user)->has_tenants;
}

static const DetourRecheckPort port = { n_workers,    n_clients, scan,    cancel,      close_client,
                                        allow_client, close_key, belongs, has_tenants, settle };

static void
apply (Bench *bench, const char *chain, const char *recheck)
{
  g_autoptr (DetourSettings)
      settings = detour_settings_new ("admission", detour_schema_admission, "x.conf", 1);

  g_assert_true (detour_settings_set (settings, "chain", chain, "x.conf", 1, NULL));
  g_assert_true (detour_settings_set (settings, "recheck", recheck, "x.conf", 1, NULL));
  detour_admission_apply (bench->admission, settings, NULL);
  detour_recheck_apply (bench->recheck);
}

static Bench *
bench_new (void)
{
  Bench *bench = g_new0 (Bench, 1);

  bench->fake = fake_auth_new ();
  bench->admission = detour_admission_new (&fake_auth_port, bench->fake);
  bench->recheck = detour_recheck_new (bench->admission, &port, bench);
  for (guint i = 0; i < N_WORKERS; i++)
    bench->slots[i] = g_array_new (FALSE, FALSE, 1);
  bench->closed = g_string_new (NULL);
  bench->allowed = g_string_new (NULL);
  bench->settling = g_array_new (FALSE, FALSE, sizeof (Settling));
  return bench;
}

static void
bench_free (Bench *bench)
{
  detour_recheck_stop (bench->recheck);
  finish_settling (bench);
  detour_admission_free (bench->admission);
  detour_recheck_free (bench->recheck);
  fake_auth_free (bench->fake);
  for (guint i = 0; i < N_WORKERS; i++)
    g_array_unref (bench->slots[i]);
  g_string_free (bench->closed, TRUE);
  g_string_free (bench->allowed, TRUE);
  g_array_unref (bench->settling);
  g_free (bench);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Bench, bench_free)

/* Carries out the scan that is out. */
static void
serve (Bench *bench)
{
  const GArray *slots = bench->slots[bench->scan.worker];
  g_autoptr (GArray) clients = g_array_new (FALSE, FALSE, sizeof (DetourScanRow));
  guint32 slot = bench->scan.first;

  g_assert_true (bench->scan.is_out);
  for (; slot < slots->len && clients->len < bench->scan.max; slot++)
    {
      guint8 byte = g_array_index (slots, guint8, slot);
      DetourScanRow client = { .handle = byte, .request = fake_request (byte) };

      client.key = *detour_auth_request_key (client.request);
      if (byte != 0)
        g_array_append_val (clients, client);
      else
        detour_auth_request_unref (client.request);
    }
  bench->scan.is_out = FALSE;
  bench->scan.done ((const DetourScanRow *) (gpointer) clients->data, clients->len,
                    slot < slots->len ? slot : DETOUR_SCAN_END, bench->scan.data);
  for (guint i = 0; i < clients->len; i++)
    detour_auth_request_unref (g_array_index (clients, DetourScanRow, i).request);
}

/* Serves and answers until nothing happens; keys above @limit are denied. Returns the number of
 * requests. */
static guint
run (Bench *bench, guint8 limit)
{
  guint n = 0;

  for (;;)
    {
      while (g_main_context_iteration (NULL, FALSE))
        ;
      if (fake_auth_n_open (bench->fake, NULL) > 0)
        {
          const FakeCall *call = bench->fake->calls->pdata[0];

          n++;
          fake_auth_answer (bench->fake, "auth/a",
                            call->key.bytes[0] > limit ? DETOUR_AUTH_DENY : DETOUR_AUTH_ALLOW,
                            NULL);
        }
      else if (bench->scan.is_out)
        serve (bench);
      else
        return n;
    }
}

static void
fill (Bench *bench, guint worker, guint n, guint8 first)
{
  for (guint i = 0; i < n; i++)
    {
      guint8 bytes[] = { (guint8) (first + i), 0 };

      g_array_append_vals (bench->slots[worker], bytes, 2);
    }
}

static void
test_all (void)
{
  g_autoptr (Bench) bench = bench_new ();

  fill (bench, 0, 100, 1);
  fill (bench, 2, 50, 101);
  apply (bench, "a", "off");
  g_assert_cmpuint (run (bench, 148), ==, 150);
  g_assert_cmpstr (bench->closed->str, ==, "149 150 ");
  g_assert_true (g_str_has_prefix (bench->allowed->str, "1 - 2 - 3 - "));
  g_assert_true (g_str_has_suffix (bench->allowed->str, " 147 - 148 - "));
  /* And that was all. */
  g_assert_false (bench->scan.is_out);
  detour_recheck_pass (bench->recheck, G_TIME_SPAN_DAY);
  g_assert_false (bench->scan.is_out);
}

/* A change while all are asked about: from the beginning. */
static void
test_again (void)
{
  g_autoptr (Bench) bench = bench_new ();

  fill (bench, 0, 40, 1);
  fill (bench, 1, 40, 101);
  apply (bench, "a", "off");
  iterate ();
  serve (bench);
  iterate ();
  g_assert_cmpuint (fake_auth_n_open (bench->fake, NULL), ==, DETOUR_RECHECK_BATCH);
  detour_recheck_all (bench->recheck);
  g_assert_cmpuint (run (bench, 255), ==, DETOUR_RECHECK_BATCH + 80);
  detour_recheck_all (bench->recheck);
  iterate ();
  g_assert_true (bench->scan.is_out);
  detour_recheck_all (bench->recheck);
  g_assert_cmpuint (run (bench, 255), ==, 80);
}

static void
test_spread (void)
{
  g_autoptr (Bench) bench = bench_new ();
  guint n = 0;

  fill (bench, 0, 60, 1);
  fill (bench, 1, 60, 61);
  apply (bench, "a", "10m");
  run (bench, 255);
  for (guint i = 0; i < 60; i++)
    {
      guint now;

      detour_recheck_pass (bench->recheck, 10 * G_USEC_PER_SEC);
      now = run (bench, 255);
      g_assert_cmpuint (now, >=, 1);
      g_assert_cmpuint (now, <=, 3);
      n += now;
    }
  g_assert_cmpuint (n, ==, 120);
  /* Time that was slept away is not made up for more than once. */
  detour_recheck_pass (bench->recheck, G_TIME_SPAN_DAY);
  g_assert_cmpuint (run (bench, 255), ==, 120);
}

static void
test_nobody (void)
{
  g_autoptr (Bench) bench = bench_new ();

  apply (bench, "a", "10m");
  g_assert_cmpuint (run (bench, 255), ==, 0);
  g_assert_cmpuint (bench->n_scans, ==, N_WORKERS);
  detour_recheck_pass (bench->recheck, G_TIME_SPAN_HOUR);
  g_assert_cmpuint (run (bench, 255), ==, 0);
  g_assert_cmpuint (bench->n_scans, ==, N_WORKERS);
}

static void
test_open (void)
{
  g_autoptr (Bench) bench = bench_new ();

  fill (bench, 0, 3, 1);
  apply (bench, "open", "10m");
  detour_recheck_pass (bench->recheck, G_TIME_SPAN_HOUR);
  g_assert_cmpuint (bench->n_scans, ==, 0);
  apply (bench, "a", "10m");
  g_assert_cmpuint (run (bench, 1), ==, 3);
  g_assert_cmpstr (bench->closed->str, ==, "2 3 ");
}

/* A client about which no instance can say anything stays. */
/* Also where nobody is asked about. */
static void
test_strays (void)
{
  g_autoptr (Bench) bench = bench_new ();

  fill (bench, 0, 3, STRAY - 1);
  bench->has_tenants = TRUE;
  apply (bench, "open", "10m");
  g_assert_cmpuint (run (bench, 255), ==, 0);
  g_assert_cmpstr (bench->closed->str, ==, "7 ");
  g_string_truncate (bench->closed, 0);
  apply (bench, "a", "10m");
  g_assert_cmpuint (run (bench, 255), ==, 2);
  g_assert_cmpstr (bench->closed->str, ==, "7 ");
}

static void
test_unavailable (void)
{
  g_autoptr (Bench) bench = bench_new ();

  fill (bench, 0, 3, 1);
  apply (bench, "a", "10m");
  iterate ();
  serve (bench);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  while (fake_auth_n_open (bench->fake, NULL) > 0)
    fake_auth_answer (bench->fake, "auth/a", DETOUR_AUTH_UNAVAILABLE, NULL);
  run (bench, 255);
  g_assert_cmpstr (bench->closed->str, ==, "");
}

static void
test_stop (void)
{
  g_autoptr (Bench) bench = bench_new ();

  fill (bench, 0, 3, 1);
  apply (bench, "a", "10m");
  iterate ();
  serve (bench);
  iterate ();
  g_assert_cmpuint (fake_auth_n_open (bench->fake, NULL), ==, 3);
}

/* A client that was let in before the change and has not arrived is asked about when it has. */
static void
test_on_the_way (void)
{
  g_autoptr (Bench) bench = bench_new ();

  bench->is_slow = TRUE;
  fill (bench, 0, 3, 1);
  apply (bench, "a", "off");
  iterate ();
  g_assert_cmpuint (bench->n_scans, ==, 0);
  /* It arrives in a slot that would have been passed by now. */
  fill (bench, 0, 1, 9);
  finish_settling (bench);
  g_assert_cmpuint (run (bench, 5), ==, 4);
  g_assert_cmpstr (bench->closed->str, ==, "9 ");
}

/* Two changes that wait for the same clients make one round. */
static void
test_two_changes_settle (void)
{
  g_autoptr (Bench) bench = bench_new ();

  bench->is_slow = TRUE;
  fill (bench, 0, 3, 1);
  apply (bench, "a", "off");
  detour_recheck_all (bench->recheck);
  g_assert_cmpuint (bench->settling->len, ==, 2);
  finish_settling (bench);
  g_assert_cmpuint (run (bench, 255), ==, 3);
}

static void
test_revoke (void)
{
  g_autoptr (Bench) bench = bench_new ();
  DetourKey key = { { 7 } };

  bench->is_slow = TRUE;
  detour_recheck_revoke (bench->recheck, &key);
  g_assert_cmpstr (bench->closed->str, ==, "key 7 ");
  finish_settling (bench);
  iterate ();
  g_assert_cmpstr (bench->closed->str, ==, "key 7 key 7 ");

  /* What has not settled when it stops is dropped. */
  detour_recheck_revoke (bench->recheck, &key);
  detour_recheck_all (bench->recheck);
  detour_recheck_stop (bench->recheck);
  finish_settling (bench);
  iterate ();
  g_assert_cmpstr (bench->closed->str, ==, "key 7 key 7 key 7 ");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_writer_func (test_log_nothing, NULL, NULL);
  g_test_add_func ("/recheck/all-after-a-change", test_all);
  g_test_add_func ("/recheck/a-change-on-the-way-begins-anew", test_again);
  g_test_add_func ("/recheck/spread-over-the-interval", test_spread);
  g_test_add_func ("/recheck/nobody-is-there", test_nobody);
  g_test_add_func ("/recheck/open-relays-are-left-alone", test_open);
  g_test_add_func ("/recheck/clients-of-tenants-that-went-are-closed", test_strays);
  g_test_add_func ("/recheck/unavailable-closes-nobody", test_unavailable);
  g_test_add_func ("/recheck/stopped-with-requests-open", test_stop);
  g_test_add_func ("/recheck/clients-on-their-way-are-waited-for", test_on_the_way);
  g_test_add_func ("/recheck/two-changes-make-one-round", test_two_changes_settle);
  g_test_add_func ("/recheck/revoked-on-the-way", test_revoke);
  return g_test_run ();
}
