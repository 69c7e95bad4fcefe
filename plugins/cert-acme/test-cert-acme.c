/* test-cert-acme.c: an instance with a program that says what an authority might have it say.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>
#include <sys/stat.h>

#include "detour-cert-report.h"
#include "detour-challenges.h"
#include "detour-instance.h"
#include "plugin-bench.h"
#include "test-program.h"
#include "test-renewal-certs.h"

extern const DetourPlugin detour_plugin;

#define TOKEN "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
#define AUTH  TOKEN ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"

#define CONFIG                                                                \
  "[cert main]\nplugin = acme\nnames = relay.test\nchallenge = tls-alpn-01\n" \
  "directory-url = https://ca.test/dir\nprogram = @DIR@/program\n"

#define CERTIFICATE "cat \"$here/certificate\"\n"
#define FAILURE                                                                               \
  "echo '{\"event\":\"error\",\"step\":\"challenge\",\"name\":\"relay.test\",\"challenge\":"  \
  "\"tls-alpn-01\",\"type\":\"urn:ietf:params:acme:error:connection\",\"detail\":\"no way\"," \
  "\"status\":400,\"remedy\":\"open the port\"}'; exit 1\n"

/* A program in the shell: @script runs for each order, and each start leaves a line in `starts`. */
static void
write_program (PluginBench *bench, const char *script)
{
  g_autofree char *path = plugin_bench_path (bench, "program");
  g_autofree char *text = g_strdup_printf ("#!/bin/sh\nhere=$(dirname \"$0\")\nread -r request\n"
                                           "case $request in *renewal-info*)\n"
                                           "  echo once >> \"$here/looks\"\n"
                                           "  while [ -e \"$here/hold\" ]; do sleep 0.01; done\n"
                                           "  exit 1;;\n"
                                           "esac\n"
                                           "echo \"$request\" >> \"$here/starts\"\n%s",
                                           script);

  plugin_bench_write (bench, "program", text);
  g_assert_cmpint (g_chmod (path, 0700), ==, 0);
}

static void
write_certificate (PluginBench *bench, const TestChain *chain)
{
  g_autoptr (JsonObject) object = json_object_new ();
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *text = NULL;
  g_autofree char *line = NULL;

  json_object_set_string_member (object, "event", "certificate");
  json_object_set_string_member (object, "chain", chain->chain);
  json_object_set_string_member (object, "key", chain->key);
  json_object_set_string_member (object, "profile", "default");
  json_node_set_object (node, object);
  text = json_to_string (node, FALSE);
  line = g_strconcat (text, "\n", NULL);
  plugin_bench_write (bench, "certificate", line);
}

static void
start (PluginBench *bench, const char *config)
{
  plugin_bench_load_good (bench, config);
  plugin_bench_start (bench);
  detour_roster_set_ready (bench->roster, TRUE);
}

static void
stop (PluginBench *bench)
{
  g_clear_pointer (&bench->roster, detour_roster_free);
}

static const DetourCertReport *
report (PluginBench *bench)
{
  const GPtrArray *reports = detour_instance_cert_reports (bench->instance);

  g_assert_cmpuint (reports->len, ==, 1);
  return reports->pdata[0];
}

static gboolean
is_serving (gpointer bench)
{
  return report (bench)->state == DETOUR_CERT_SERVING;
}

static gboolean
is_failing (gpointer bench)
{
  return report (bench)->state == DETOUR_CERT_FAILING;
}

static guint
count_lines (PluginBench *bench, const char *name)
{
  g_autofree char *path = plugin_bench_path (bench, name);
  g_autofree char *text = NULL;
  guint n = 0;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return 0;
  for (const char *at = text; (at = strchr (at, '\n')) != NULL; at++)
    n++;
  return n;
}

static guint
count_starts (PluginBench *bench)
{
  return count_lines (bench, "starts");
}

static char *
served_name (PluginBench *bench)
{
  g_autoptr (DetourCert) cert = detour_host_find_cert (bench->instance, NULL, "relay.test", NULL);

  return cert != NULL ? g_strdup (detour_cert_names (cert)[0]) : NULL;
}

static void
assert_private (PluginBench *bench, const char *name)
{
  g_autofree char *path = plugin_bench_path (bench, name);
  struct stat st;

  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0600);
}

/* The whole way: account, challenge, certificate, files; the next start needs nobody. */
static void
first_certificate (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_auto (TestChain) chain = { NULL };
  g_autofree char *name = NULL;
  g_autofree char *request = NULL;
  g_autofree char *answers = NULL;

  test_chain_make (&chain, "relay.test", -1, 90);
  write_certificate (bench, &chain);
  write_program (bench, "echo '{\"event\":\"future\"}'\n"
                        "echo '{\"event\":\"present\",\"id\":7,\"type\":\"tls-alpn-01\",\"name\":"
                        "\"relay.test\",\"identifier\":\"relay.test\",\"token\":\"" TOKEN
                        "\",\"key_authorization\":\"" AUTH "\"}'\n"
                        "read -r answer; echo \"$answer\" > \"$here/answers\"\n" CERTIFICATE);
  plugin_bench_load_good (bench, CONFIG);
  plugin_bench_start (bench);
  g_assert_cmpint (report (bench)->state, ==, DETOUR_CERT_WAITING);
  g_assert_cmpuint (count_starts (bench), ==, 0);
  detour_roster_set_ready (bench->roster, TRUE);
  plugin_bench_wait (is_serving, bench);

  name = served_name (bench);
  g_assert_cmpstr (name, ==, "relay.test");
  g_assert_cmpstr (report (bench)->challenge, ==, "tls-alpn-01");
  g_assert_cmpstr (report (bench)->profile, ==, "default");
  g_assert_cmpint (report (bench)->renew_by, ==, DETOUR_CERT_BY_LIFETIME);
  g_assert_cmpuint (plugin_bench_counter (bench, "issued"), ==, 1);
  answers = plugin_bench_read (bench, "answers");
  g_assert_cmpstr (answers, ==, "{\"presented\":7}\n");
  /* Nothing of the challenge is left. */
  g_assert_cmpuint (detour_challenges_count (detour_roster_challenges (bench->roster), 0), ==, 0);
  request = plugin_bench_read (bench, "starts");
  g_assert_nonnull (strstr (request, "\"names\":[\"relay.test\"]"));
  g_assert_nonnull (strstr (request, "\"challenges\":[\"tls-alpn-01\"]"));
  g_assert_nonnull (strstr (request, "\"directory\":\"https://ca.test/dir\""));
  g_assert_null (strstr (request, "replaces"));
  assert_private (bench, "acme/cert-main.pem");
  assert_private (bench, "acme/cert-main.json");
  stop (bench);

  write_program (bench, "exit 3\n");
  plugin_bench_load_good (bench, CONFIG);
  plugin_bench_start (bench);
  g_assert_cmpint (report (bench)->state, ==, DETOUR_CERT_SERVING);
  g_assert_cmpuint (count_starts (bench), ==, 1);
}

static gboolean
has_certificate (gpointer bench)
{
  g_autofree char *name = served_name (bench);

  return name != NULL;
}

/* It is one certificate for those who ask, although the program has not ended. */
static void
reported_with_the_program_there (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_auto (TestChain) chain = { NULL };
  g_autoptr (DetourCert) cert = NULL;

  test_chain_make (&chain, "relay.test", -1, 90);
  write_certificate (bench, &chain);
  write_program (bench, CERTIFICATE "read -r answer\n");
  start (bench, CONFIG);
  plugin_bench_wait (has_certificate, bench);
  cert = detour_host_find_cert (bench->instance, NULL, "relay.test", NULL);
  g_assert_true (report (bench)->cert == cert);
}

static gboolean
is_over (gpointer over)
{
  *(gboolean *) over = TRUE;
  return G_SOURCE_REMOVE;
}

static gboolean
is_true (gpointer over)
{
  return *(gboolean *) over;
}

/* Longer than it takes an instance to find out that the daemon is ready. That nothing happens can
 * only be seen by waiting. */
static void
run_for_a_while (void)
{
  gboolean over = FALSE;

  g_timeout_add (600, is_over, &over);
  plugin_bench_wait (is_true, &over);
}

/* A daemon that is started again and again asks no more often than one that runs on. */
static void
failure_is_remembered (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  gint64 next;

  write_program (bench, FAILURE);
  start (bench, CONFIG);
  plugin_bench_wait (is_failing, bench);
  g_assert_cmpstr (report (bench)->error, ==, "relay.test, tls-alpn-01: no way");
  g_assert_cmpstr (report (bench)->remedy, ==, "open the port");
  next = report (bench)->next_try_us;
  g_assert_cmpint (next - report (bench)->error_us, >=, 60 * G_TIME_SPAN_SECOND);
  for (guint i = 0; i < 3; i++)
    {
      stop (bench);
      start (bench, CONFIG);
      run_for_a_while ();
      g_assert_cmpint (report (bench)->next_try_us, ==, next);
      g_assert_cmpuint (count_starts (bench), ==, 1);
    }
  stop (bench);
  /* Other names are another matter. */
  start (bench, CONFIG "profile = other\n");
  plugin_bench_wait (is_failing, bench);
  g_assert_cmpuint (count_starts (bench), ==, 2);
}

static GLogWriterOutput
count_not_asked (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer count)
{
  for (gsize i = 0; i < n_fields; i++)
    if (strcmp (fields[i].key, "MESSAGE") == 0
        && strstr (fields[i].value, "was not asked for a certificate: ") != NULL)
      ++*(guint *) count;
  return g_log_writer_default (level, fields, n_fields, NULL);
}

/* It is said and logged, with what to do and when it is looked at again, which is soon. */
static void
program_missing (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  static guint n_logged;

  g_log_set_writer_func (count_not_asked, &n_logged, NULL);
  start (bench, CONFIG);
  plugin_bench_wait (is_failing, bench);
  g_assert_nonnull (strstr (report (bench)->error, "cannot be started; install it again"));
  g_assert_cmpint (report (bench)->next_try_us, >, report (bench)->error_us);
  g_assert_cmpint (report (bench)->next_try_us, <=, report (bench)->error_us + G_TIME_SPAN_MINUTE);
  g_assert_cmpuint (n_logged, ==, 1);
}

/* What a program may do, and what is said of it then; the certificate from before goes on. */
static const struct {
  const char *name, *script, *says;
} faults[] = {
  { "killed", "kill -9 $$\n", "was ended by signal 9" },
  { "status", "echo oops >&2; exit 3\n", "ended with status 3: oops" },
  { "nothing", "exit 0\n", "brought no certificate" },
  { "rubbish", "echo '{'; sleep 100\n", "wrote what is no event" },
  { "no-object", "echo '[]'; sleep 100\n", "wrote what is no event" },
  { "long-line", "head -c 3000000 /dev/zero | tr '\\0' x; sleep 100\n",
    "wrote more than it may and was killed" },
  { "empty-certificate", "echo '{\"event\":\"certificate\"}'\n", "without chain or key" },
  { "types", "echo '{\"event\":\"certificate\",\"chain\":1,\"key\":[]}'\n",
    "without chain or key" },
  { "no-challenge", "echo '{\"event\":\"present\",\"id\":1}'; sleep 100\n",
    "named a challenge that is none" },
  { "other-names", CERTIFICATE, "is for other.test; expected relay.test" },
};

static void
fault (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_auto (TestChain) old = { NULL };
  g_auto (TestChain) other = { NULL };
  g_autofree char *folder = plugin_bench_path (bench, "acme");
  g_autofree char *file = plugin_bench_path (bench, "acme/cert-main.pem");
  g_autofree char *pem = NULL;
  g_autofree char *kept = NULL;
  g_autofree char *name = NULL;

  /* One that is about to end. */
  test_chain_make (&old, "relay.test", -80, 5);
  pem = g_strconcat (old.key, old.chain, NULL);
  g_mkdir (folder, 0700);
  plugin_bench_write (bench, "acme/cert-main.pem", pem);
  g_chmod (file, 0600);
  test_chain_make (&other, "other.test", -1, 90);
  write_certificate (bench, &other);
  write_program (bench, faults[i].script);
  start (bench, CONFIG);
  plugin_bench_wait (is_failing, bench);
  g_assert_nonnull (strstr (report (bench)->error, faults[i].says));
  g_assert_null (strstr (report (bench)->error, "\\n"));
  name = served_name (bench);
  g_assert_cmpstr (name, ==, "relay.test");
  kept = plugin_bench_read (bench, "acme/cert-main.pem");
  g_assert_cmpstr (kept, ==, pem);
  g_assert_cmpuint (plugin_bench_counter (bench, "failed"), ==, 1);
}

/* Nothing can be written: the certificate is served all the same, and written when it can be. */
static gboolean
is_written (gpointer bench)
{
  g_autofree char *path = plugin_bench_path (bench, "acme/cert-main.pem");

  return g_file_test (path, G_FILE_TEST_EXISTS);
}

static void
unwritable (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_auto (TestChain) chain = { NULL };
  g_autofree char *folder = plugin_bench_path (bench, "acme");
  g_autofree char *trouble = NULL;

  plugin_bench_write (bench, "acme", "a file in the way");
  test_chain_make (&chain, "relay.test", -1, 90);
  write_certificate (bench, &chain);
  write_program (bench, CERTIFICATE);
  start (bench, CONFIG);
  plugin_bench_wait (is_serving, bench);
  trouble = detour_instance_dup_trouble (bench->instance);
  g_assert_nonnull (strstr (trouble, "cannot be written"));
  g_remove (folder);
  plugin_bench_reload (bench);
  plugin_bench_wait (is_written, bench);
}

static gboolean
looks_once (gpointer bench)
{
  return count_lines (bench, "looks") == 1;
}

static gboolean
looks_twice (gpointer bench)
{
  return count_lines (bench, "looks") == 2;
}

/* An answer that was on its way before the reload does not count as the one that it asks for. */
static void
reload_while_it_looks (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_auto (TestChain) chain = { NULL };
  g_autofree char *hold = plugin_bench_path (bench, "hold");

  plugin_bench_write (bench, "hold", "");
  test_chain_make (&chain, "relay.test", -1, 90);
  write_certificate (bench, &chain);
  write_program (bench, CERTIFICATE);
  start (bench, CONFIG);
  plugin_bench_wait (looks_once, bench);
  plugin_bench_reload (bench);
  g_remove (hold);
  plugin_bench_wait (looks_twice, bench);
}

/* Files that cannot be read are kept for whoever wants to look at them. */
static void
broken_files (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_auto (TestChain) chain = { NULL };
  g_autofree char *folder = plugin_bench_path (bench, "acme");
  static const char *const names[] = { "acme/cert-main.pem", "acme/cert-main.json" };

  g_mkdir (folder, 0700);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = plugin_bench_path (bench, names[i]);

      plugin_bench_write (bench, names[i], "{ rubbish");
      g_chmod (path, 0600);
    }
  test_chain_make (&chain, "relay.test", -1, 90);
  write_certificate (bench, &chain);
  write_program (bench, CERTIFICATE);
  start (bench, CONFIG);
  plugin_bench_wait (is_serving, bench);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *broken = g_strconcat (names[i], ".broken", NULL);
      g_autofree char *text = plugin_bench_read (bench, broken);

      g_assert_cmpstr (text, ==, "{ rubbish");
    }
}

/* The operator's own program writes the zone; it is run for one record after the other. */
static void
write_hook (PluginBench *bench, const char *script)
{
  g_autofree char *path = plugin_bench_path (bench, "hook");
  g_autofree char *text = g_strdup_printf (
      "#!/bin/sh\nhere=$(dirname \"$0\")\necho \"$@\" >> \"$here/hooks\"\n%s", script);

  plugin_bench_write (bench, "hook", text);
  g_assert_cmpint (g_chmod (path, 0700), ==, 0);
}

#define DNS_CONFIG                                                \
  "[cert main]\nplugin = acme\nnames = *.relay.test;relay.test\n" \
  "dns-hook = @DIR@/hook\ndirectory-url = https://ca.test/dir\nprogram = @DIR@/program\n"
#define DNS_PRESENT(id)                                                                       \
  "echo '{\"event\":\"present\",\"id\":" id ",\"type\":\"dns-01\",\"name\":\"relay.test\","   \
  "\"identifier\":\"relay.test\",\"token\":\"" TOKEN "\",\"key_authorization\":\"" AUTH "\"," \
  "\"record\":\"_acme-challenge.relay.test\",\"value\":\"value" id "\"}'\n"

static void
dns_hook (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_auto (TestChain) chain = { NULL };
  g_autofree char *hooks = NULL;
  g_autofree char *answers = NULL;
  g_autofree char *request = NULL;

  test_chain_make (&chain, "relay.test *.relay.test", -1, 90);
  write_certificate (bench, &chain);
  write_hook (bench, "");
  write_program (bench,
                 DNS_PRESENT ("1")
                     DNS_PRESENT ("2") "read -r answer; echo \"$answer\" > \"$here/answers\"\n"
                                       "read -r answer; echo \"$answer\" >> \"$here/answers\"\n"
                                       "echo '{\"event\":\"cleanup\",\"id\":1}'\n" CERTIFICATE);
  start (bench, DNS_CONFIG);
  plugin_bench_wait (is_serving, bench);
  answers = plugin_bench_read (bench, "answers");
  g_assert_cmpstr (answers, ==, "{\"presented\":1}\n{\"presented\":2}\n");
  hooks = plugin_bench_read (bench, "hooks");
  g_assert_cmpstr (hooks, ==,
                   "present _acme-challenge.relay.test value1\n"
                   "present _acme-challenge.relay.test value2\n"
                   "cleanup _acme-challenge.relay.test value1\n"
                   "cleanup _acme-challenge.relay.test value2\n");
  request = plugin_bench_read (bench, "starts");
  g_assert_nonnull (strstr (request, "\"challenges\":[\"dns-01\"]"));
}

static void
dns_hook_fails (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *answers = NULL;

  write_hook (bench, "echo no such zone >&2; exit 4\n");
  write_program (
      bench, DNS_PRESENT ("1") "read -r answer; echo \"$answer\" > \"$here/answers\"\n" FAILURE);
  start (bench, DNS_CONFIG);
  plugin_bench_wait (is_failing, bench);
  answers = plugin_bench_read (bench, "answers");
  g_assert_nonnull (strstr (answers, "{\"refused\":1,\"why\":\""));
  g_assert_nonnull (strstr (answers, "ended with status 4"));
}

/* Nothing here can be looked at by an authority: nobody is asked. */
static void
nothing_can_work (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);

  write_program (bench, FAILURE);
  start (bench, "[cert main]\nplugin = acme\nnames = relay.test\nprogram = @DIR@/program\n");
  plugin_bench_wait (is_failing, bench);
  g_assert_nonnull (strstr (report (bench)->error, "nothing here can prove relay.test"));
  g_assert_cmpuint (count_starts (bench), ==, 0);
}

static void
note_renewal (const GError *error, gpointer data)
{
  g_ptr_array_add (data, error != NULL ? g_strdup (error->message) : g_strdup ("renewed"));
}

static gboolean
has_outcome (gpointer data)
{
  return ((GPtrArray *) data)->len > 0;
}

static void
operator_asks (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_auto (TestChain) chain = { NULL };
  g_autoptr (GPtrArray) outcomes = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *request = NULL;
  g_autofree char *trouble = NULL;

  test_chain_make (&chain, "relay.test", -1, 90);
  write_certificate (bench, &chain);
  write_program (bench, CERTIFICATE);
  start (bench, CONFIG);
  plugin_bench_wait (is_serving, bench);
  detour_instance_renew_cert (bench->instance, 0, note_renewal, outcomes);
  plugin_bench_wait (has_outcome, outcomes);
  g_assert_cmpstr (outcomes->pdata[0], ==, "renewed");
  g_assert_cmpuint (count_starts (bench), ==, 2);
  request = plugin_bench_read (bench, "starts");
  g_assert_nonnull (strstr (request, "\"replaces\":\""));

  write_program (bench, FAILURE);
  g_ptr_array_set_size (outcomes, 0);
  detour_instance_renew_cert (bench->instance, 0, note_renewal, outcomes);
  plugin_bench_wait (has_outcome, outcomes);
  g_assert_cmpstr (outcomes->pdata[0], ==, "relay.test, tls-alpn-01: no way");
  /* Nothing else is late or tried again by itself, so only the error is left of it. */
  plugin_bench_wait (is_serving, bench);
  g_assert_cmpstr (report (bench)->error, ==, "relay.test, tls-alpn-01: no way");
  g_assert_cmpint (report (bench)->next_try_us, ==, 0);
  trouble = detour_instance_dup_trouble (bench->instance);
  g_assert_cmpstr (trouble, ==, NULL);
  /* The next one may come at once, since an operator asked for it. */
  write_program (bench, CERTIFICATE);
  g_ptr_array_set_size (outcomes, 0);
  detour_instance_renew_cert (bench->instance, 0, note_renewal, outcomes);
  plugin_bench_wait (has_outcome, outcomes);
  g_assert_cmpstr (outcomes->pdata[0], ==, "renewed");
  /* One that is under way when the instance stops. */
  write_program (bench, "sleep 100\n");
  g_ptr_array_set_size (outcomes, 0);
  detour_instance_renew_cert (bench->instance, 0, note_renewal, outcomes);
  stop (bench);
  g_assert_cmpuint (outcomes->len, ==, 1);
}

/* derper's folder: the account goes to the authority, the certificate serves until there is one. */
static void
import (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_auto (TestChain) chain = { NULL };
  g_autofree char *both = NULL;
  g_autofree char *request = NULL;
  g_autofree char *name = NULL;
  static const char *const files[] = { "relay.test", "acme_account+key" };

  test_chain_make (&chain, "relay.test", -1, 60);
  both = g_strconcat (chain.key, chain.chain, NULL);
  plugin_bench_write (bench, "relay.test", both);
  plugin_bench_write (bench, "acme_account+key", chain.key);
  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = plugin_bench_path (bench, files[i]);

      g_chmod (path, 0600);
    }
  write_program (bench, FAILURE);
  start (bench, CONFIG "import-directory = @DIR@\n");
  g_assert_cmpint (report (bench)->state, ==, DETOUR_CERT_SERVING);
  assert_private (bench, "acme/cert-main.pem");
  stop (bench);

  start (bench, "[cert two]\nplugin = acme\nnames = relay.test;b.relay.test\nchallenge = http-01\n"
                "directory-url = https://ca.test/dir\nprogram = @DIR@/program\n"
                "import-directory = @DIR@\n");
  name = served_name (bench);
  g_assert_cmpstr (name, ==, "relay.test");
  plugin_bench_wait (is_failing, bench);
  request = plugin_bench_read (bench, "starts");
  g_assert_nonnull (strstr (request, "\"account_key\":\"-----BEGIN"));
}

static const struct {
  const char *lines, *says;
} configs[] = {
  { "names = relay.test;*.w.test", "set `dns-hook`" },
  { "names = 192.0.2.1\nchallenge = dns-01\ndns-hook = /bin/true", "is not proven in a zone" },
  { "names = relay.test\nchallenge = dns-01", "set `dns-hook`" },
  { "names = *.w.test\ndns-hook = /bin/true\nchallenge = http-01", "is proven in the zone only" },
  { "names = https://relay.test", "is neither a host name nor an address" },
  { "names = 1.2.3", "is neither a host name nor an address" },
  { "names = relay.test\ndirectory-url = http://ca.test", "begins with https://" },
  { "names = relay.test\ndirectory-url = letsencrpyt", "neither a known authority" },
  { "names = relay.test\ndirectory-url = https://me:word@ca.test/dir", "user or a password" },
  { "names = relay.test\neab-kid = x", "are set together" },
  { "names = relay.test\nemail = foo", "\"foo\" is no mail address" },
  { "names = relay.test\nemail = a@b.test, c@d.test", "is no mail address" },
  { "names = relay.test\nprofile = a b", "\"a b\" is no name of a profile" },
  { "names = relay.test\ndns-servers = foo", "\"foo\" is no address of a name server" },
  { "names = relay.test\ndns-servers = 192.0.2.1:0", "no address of a name server" },
};

static void
config (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (configs); i++)
    {
      g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
      g_autofree char *text = g_strconcat ("[cert main]\nplugin = acme\n", configs[i].lines, "\n",
                                           NULL);
      g_autofree char *errors = plugin_bench_load (bench, text);

      g_assert_nonnull (errors);
      g_assert_nonnull (strstr (errors, configs[i].says));
    }
}

static void
no_name (void)
{
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *errors = plugin_bench_load (bench, "[cert main]\nplugin = acme\n");

  g_assert_nonnull (errors);
  g_assert_nonnull (strstr (errors, "[cert main] names: not set, and [core] hostname neither"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  test_log_reaches_writer ();
  g_log_set_always_fatal (G_LOG_FATAL_MASK); /* warnings are what some of the tests are about */
  g_test_add_func ("/cert-acme/config", config);
  g_test_add_func ("/cert-acme/no-name", no_name);
  g_test_add_func ("/cert-acme/first-certificate", first_certificate);
  g_test_add_func ("/cert-acme/reported-with-the-program-there", reported_with_the_program_there);
  g_test_add_func ("/cert-acme/failure-is-remembered", failure_is_remembered);
  g_test_add_func ("/cert-acme/unwritable", unwritable);
  g_test_add_func ("/cert-acme/reload-while-it-looks", reload_while_it_looks);
  g_test_add_func ("/cert-acme/broken-files", broken_files);
  g_test_add_func ("/cert-acme/dns-hook", dns_hook);
  g_test_add_func ("/cert-acme/dns-hook-fails", dns_hook_fails);
  g_test_add_func ("/cert-acme/nothing-can-work", nothing_can_work);
  g_test_add_func ("/cert-acme/program-missing", program_missing);
  g_test_add_func ("/cert-acme/operator-asks", operator_asks);
  g_test_add_func ("/cert-acme/import", import);
  TEST_ADD_ROWS ("/cert-acme/fault/", faults, fault);
  return g_test_run ();
}
