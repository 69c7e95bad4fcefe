/* test-cert-file.c: the plugin on the real host: what it publishes, what it keeps, what it says.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "detour-config-load.h"
#include "detour-roster.h"
#include "test-cert-files.h"

extern const DetourPlugin detour_plugin;

#define DAY 86400

typedef struct {
  char *folder;
  DetourPlugins *plugins;
  DetourConfig *config;
  DetourRoster *roster;
} Fixture;

static void
setup (Fixture *f, gconstpointer data)
{
  static const char *const nowhere[] = { NULL };

  f->folder = test_folder_new ();
  f->plugins = detour_plugins_new (nowhere);
  detour_plugins_add_static (f->plugins, &detour_plugin);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  g_clear_pointer (&f->roster, detour_roster_free);
  g_clear_pointer (&f->config, detour_config_unref);
  detour_plugins_free (f->plugins);
  test_folder_free (f->folder);
}

static void
write_pair (Fixture *f, const char *name, const TestPem *pem)
{
  g_autofree char *chain_name = g_strconcat (name, ".crt", NULL);
  g_autofree char *key_name = g_strconcat (name, ".key", NULL);

  g_free (test_folder_write (f->folder, chain_name, pem->chain, 0644));
  g_free (test_folder_write (f->folder, key_name, pem->key, 0600));
}

static void
write_new (Fixture *f, const char *name, const char *names)
{
  g_autoptr (TestPem) pem = test_pem_new (GNUTLS_PK_ECDSA, 2, "cn.example", names, -DAY, 60 * DAY);

  write_pair (f, name, pem);
}

/* NULL: it is good. @lines: of [cert main], with %s for the folder up to two times. */
static char *
configure (Fixture *f, const char *lines, const char *hostname)
{
  g_auto (GStrv) parts = g_strsplit (lines, "%s", -1);
  g_autofree char *group = g_strjoinv (f->folder, parts);
  g_autofree char *core = hostname != NULL ? g_strdup_printf ("[core]\nhostname = %s\n", hostname)
                                           : g_strdup ("");
  g_autofree char *text = g_strdup_printf (
      "%s[admission]\nchain = open\n[cert main]\nplugin = file\n%s\n", core, group);
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_auto (GStrv) complaints = NULL;
  const guint8 key[DETOUR_KEY_SIZE] = { 1 };

  f->config = detour_config_load_text ("test.conf", text, strlen (text), f->plugins, errors);
  complaints = detour_config_errors_lines (errors);
  if (f->config == NULL)
    return g_strdup (complaints[0]);
  f->roster = detour_roster_new (f->config, g_get_tmp_dir (), key, NULL, NULL);
  return NULL;
}

static void
start (Fixture *f, const char *lines)
{
  g_autofree char *complaint = configure (f, lines, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpstr (complaint, ==, NULL);
  detour_instance_start (detour_roster_find (f->roster, "cert/main"), &error);
  g_assert_no_error (error);
}

/* Names of what is in the store, the leaf's first name of each. */
static char *
published (Fixture *f)
{
  g_auto (GStrv) instances = NULL;
  g_autoptr (GPtrArray)
      certs = detour_cert_store_list (detour_roster_certs (f->roster), &instances);
  GString *all = g_string_new (NULL);

  for (guint i = 0; i < certs->len; i++)
    g_string_append_printf (all, "%s%s", i > 0 ? " " : "", detour_cert_names (certs->pdata[i])[0]);
  return g_string_free (all, FALSE);
}

static void
assert_published (Fixture *f, const char *expected)
{
  g_autofree char *found = published (f);

  g_assert_cmpstr (found, ==, expected);
}

static void
assert_trouble (Fixture *f, const char *part)
{
  g_autofree char *trouble = detour_instance_dup_trouble (
      detour_roster_find (f->roster, "cert/main"));

  if (part == NULL)
    g_assert_cmpstr (trouble, ==, NULL);
  else
    {
      g_assert_nonnull (trouble);
      g_assert_nonnull (strstr (trouble, part));
    }
}

static void
reload (Fixture *f)
{
  g_assert_true (detour_roster_apply (f->roster, f->config));
}

static const char one_pair[] = "chain-file = %s/relay.crt\nkey-file = %s/relay.key";

static void
pair (Fixture *f, gconstpointer data)
{
  g_autofree char *summary = NULL;

  write_new (f, "relay", "relay.example");
  start (f, one_pair);
  assert_published (f, "relay.example");
  assert_trouble (f, NULL);
  summary = detour_instance_dup_summary (detour_roster_find (f->roster, "cert/main"));
  g_assert_true (g_str_has_prefix (summary, "1 certificate, relay.example until 20"));
  detour_instance_stop (detour_roster_find (f->roster, "cert/main"));
  assert_published (f, "");
}

static void
folder (Fixture *f, gconstpointer data)
{
  write_new (f, "relay.example", "relay.example");
  write_new (f, "2001db87", "2001:db8::7");
  start (f, "directory = %s\nnames = relay.example; 2001:db8::7");
  assert_published (f, "relay.example 2001:db8::7");
}

static void
folder_of_hostname (Fixture *f, gconstpointer data)
{
  g_autofree char *complaint = NULL;
  g_autoptr (GError) error = NULL;

  write_new (f, "relay.example", "relay.example");
  complaint = configure (f, "directory = %s", "relay.example");
  g_assert_cmpstr (complaint, ==, NULL);
  detour_instance_start (detour_roster_find (f->roster, "cert/main"), &error);
  g_assert_no_error (error);
  assert_published (f, "relay.example");
}

/* A start would fail, so the check does. */
static void
folder_without_hostname (Fixture *f, gconstpointer data)
{
  g_autofree char *complaint = NULL;

  write_new (f, "other.example", "other.example");
  complaint = configure (f, "directory = %s", "relay.example");
  g_assert_nonnull (complaint);
  g_test_message ("%s", complaint);
  g_assert_nonnull (strstr (complaint, "[cert main] directory: "));
  g_assert_nonnull (strstr (complaint, "/relay.example.crt: "));
}

static void
swap (Fixture *f, gconstpointer data)
{
  guint64 generation;

  write_new (f, "relay", "old.example");
  start (f, one_pair);
  generation = detour_cert_store_generation (detour_roster_certs (f->roster));
  reload (f);
  g_assert_cmpuint (detour_cert_store_generation (detour_roster_certs (f->roster)), ==, generation);
  write_new (f, "relay", "new.example");
  reload (f);
  assert_published (f, "new.example");
  assert_trouble (f, NULL);
}

static void
keep_old (Fixture *f, gconstpointer data)
{
  g_autoptr (TestPem)
      other = test_pem_new (GNUTLS_PK_ECDSA, 2, "cn.example", "other.example", -DAY, 60 * DAY);

  write_new (f, "relay", "old.example");
  start (f, one_pair);
  g_free (test_folder_write (f->folder, "relay.crt", other->chain,
                             0644)); /* the key is still the old one */
  g_test_expect_message (
      G_LOG_DOMAIN, G_LOG_LEVEL_WARNING,
      "*does not belong to the certificate*the certificate from before is still served");
  reload (f);
  reload (f); /* said once */
  g_test_assert_expected_messages ();
  assert_published (f, "old.example");
  assert_trouble (f, "does not belong to the certificate");

  g_free (test_folder_write (f->folder, "relay.key", other->key, 0600));
  reload (f);
  assert_published (f, "other.example");
  assert_trouble (f, NULL);
}

/* One of two is broken: the other one is still renewed. */
static void
apart (Fixture *f, gconstpointer data)
{
  write_new (f, "a.example", "a.example");
  write_new (f, "b.example", "b.example");
  start (f, "directory = %s\nnames = a.example; b.example");
  g_free (test_folder_write (f->folder, "a.example.crt", "broken", 0644));
  write_new (f, "b.example", "b.example,new.example");
  g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, "*new certificate in*b.example.crt");
  g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING,
                         "*a.example.crt: no certificates that can be read*");
  reload (f);
  g_test_assert_expected_messages ();
  assert_published (f, "a.example b.example");
}

static void
dates (Fixture *f, gconstpointer data)
{
  static const struct {
    gint64 from_s, to_s;
    const char *warning;
  } cases[] = {
    { -9 * DAY, -DAY, "*relay.crt was valid until 20*" },
    { DAY, 9 * DAY, "*relay.crt is valid from 20* on only*" },
    { -9 * DAY, DAY, "*relay.crt is valid until 20* only; renew it" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (TestPem) pem = test_pem_new (GNUTLS_PK_ECDSA, 2, "cn.example", "relay.example",
                                              cases[i].from_s, cases[i].to_s);

      write_pair (f, "relay", pem);
      g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, cases[i].warning);
      start (f, one_pair);
      g_test_assert_expected_messages ();
      assert_published (f, "relay.example");
      assert_trouble (f, "valid");
      g_clear_pointer (&f->roster, detour_roster_free);
      g_clear_pointer (&f->config, detour_config_unref);
    }
}

static void
expect_trouble (Fixture *f, const TestPem *pem, const char *hostname, const char *trouble)
{
  g_autofree char *complaint = NULL;
  g_autofree char *pattern = g_strdup_printf ("*%s*", trouble);
  g_autoptr (GError) error = NULL;

  write_pair (f, "relay", pem);
  complaint = configure (f, one_pair, hostname);
  g_assert_cmpstr (complaint, ==, NULL);
  g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, pattern);
  detour_instance_start (detour_roster_find (f->roster, "cert/main"), &error);
  g_assert_no_error (error);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_test_assert_expected_messages ();
  assert_trouble (f, trouble);
  g_clear_pointer (&f->roster, detour_roster_free);
  g_clear_pointer (&f->config, detour_config_unref);
}

/* What clients will not like about it. It is served all the same. */
static void
disliked (Fixture *f, gconstpointer data)
{
  g_autoptr (TestPem)
      alone = test_pem_new (GNUTLS_PK_ECDSA, 1, "cn.example", "relay.example", -DAY, 60 * DAY);
  g_autoptr (TestPem)
      subject = test_pem_new (GNUTLS_PK_ECDSA, 2, "relay.example", NULL, -DAY, 60 * DAY);
  g_autoptr (TestPem) other = test_pem_new (GNUTLS_PK_ECDSA, 2, "cn.example", "a.example,192.0.2.7",
                                            -DAY, 60 * DAY);

  expect_trouble (f, alone, NULL, "stands without the certificate of its issuer, CN=issuer");
  expect_trouble (f, subject, NULL, "has its name in the subject only");
  expect_trouble (f, other, "relay.example",
                  "is for a.example, 192.0.2.7 and not for relay.example, the name in [core] "
                  "hostname");
}

static void
liked (Fixture *f, gconstpointer data)
{
  static const char *const hostnames[] = { "RELAY.example", "a.wild.example", "192.0.2.7",
                                           "2001:db8:0::7" };
  g_autoptr (TestPem)
      pem = test_pem_new (GNUTLS_PK_ECDSA, 2, "cn.example",
                          "relay.example,*.wild.example,192.0.2.7,2001:db8::7", -DAY, 60 * DAY);

  write_pair (f, "relay", pem);
  for (guint i = 0; i < G_N_ELEMENTS (hostnames); i++)
    {
      g_autofree char *complaint = configure (f, one_pair, hostnames[i]);
      g_autoptr (GError) error = NULL;

      g_assert_cmpstr (complaint, ==, NULL);
      detour_instance_start (detour_roster_find (f->roster, "cert/main"), &error);
      while (g_main_context_iteration (NULL, FALSE))
        ;
      assert_trouble (f, NULL);
      g_clear_pointer (&f->roster, detour_roster_free);
      g_clear_pointer (&f->config, detour_config_unref);
    }
}

/* One that signs itself gets its pin told, as that of the other plugin does. */
static void
self_signed (Fixture *f, gconstpointer data)
{
  g_autoptr (TestPem) pem = test_pem_new_self_signed ("relay.example", -DAY, 60 * DAY);
  g_autoptr (TestPem)
      other = test_pem_new (GNUTLS_PK_ECDSA, 2, "cn.example", "relay.example", -DAY, 60 * DAY);
  g_autoptr (TestPem) both = g_new0 (TestPem, 1);
  g_autoptr (DetourCert) cert = NULL;
  g_autoptr (DetourCert) again = NULL;

  write_pair (f, "relay", other);
  start (f, one_pair);
  cert = detour_cert_store_find (detour_roster_certs (f->roster), "main", NULL, NULL);
  g_assert_false (detour_cert_self_signed (cert));
  write_pair (f, "relay", pem);
  reload (f);
  again = detour_cert_store_find (detour_roster_certs (f->roster), "main", NULL, NULL);
  g_assert_true (detour_cert_self_signed (again));
  assert_trouble (f, NULL);
  g_clear_pointer (&f->roster, detour_roster_free);
  g_clear_pointer (&f->config, detour_config_unref);

  both->chain = g_strconcat (pem->chain, other->chain, NULL);
  both->key = g_strdup (pem->key);
  expect_trouble (f, both, NULL, "signs itself and has others behind it");
}

static void
exposed (Fixture *f, gconstpointer data)
{
  g_autoptr (TestPem)
      pem = test_pem_new (GNUTLS_PK_ECDSA, 2, "cn.example", "relay.example", -DAY, 60 * DAY);

  write_pair (f, "relay", pem);
  g_free (test_folder_write (f->folder, "relay.key", pem->key, 0644));
  g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "*relay.key can be read by everyone*");
  start (f, one_pair);
  g_test_assert_expected_messages ();
  assert_published (f, "relay.example");
}

static void
refused (Fixture *f, gconstpointer data)
{
  static const struct {
    const char *lines, *complaint;
  } cases[] = {
    { "", "[cert main] chain-file: not set" },
    { "chain-file = %s/relay.crt", "[cert main] key-file: not set" },
    { "key-file = %s/relay.key", "[cert main] chain-file: not set" },
    { "directory = %s\nkey-file = %s/relay.key", "directory: set beside `key-file`" },
    { "chain-file = %s/relay.crt\nkey-file = %s/relay.key\nnames = a",
      "names: names choose files" },
    { "directory = %s\nnames = /", "names: \"/\" is not a name" },
    { "directory = %s\nnames = other.example", "other.example.crt: cannot be read: No such file" },
    { "directory = %s\nnames = relay", "relay.crt: valid for relay.example; expected relay" },
    { "chain-file = %s/relay.crt\nkey-file = %s/relay.crt", "key-file: " },
    { "chain-file = %s/relay.key\nkey-file = %s/relay.key", "chain-file: " },
  };

  write_new (f, "relay", "relay.example");
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *complaint = configure (f, cases[i].lines, NULL);

      g_assert_nonnull (complaint);
      g_test_message ("%s", complaint);
      g_assert_nonnull (strstr (complaint, cases[i].complaint));
    }
}

static void
no_name (Fixture *f, gconstpointer data)
{
  g_autofree char *complaint = configure (f, "directory = %s", NULL);

  g_assert_nonnull (complaint);
  g_assert_nonnull (strstr (complaint, "names: not set, and [core] hostname neither"));
}

#define ADD(path, function) g_test_add (path, Fixture, NULL, setup, function, teardown)

int
main (int argc, char **argv)
{
  g_setenv ("LC_ALL", "C", TRUE);
  g_test_init (&argc, &argv, NULL);
  ADD ("/cert-file/pair-is-published", pair);
  ADD ("/cert-file/folder-with-names", folder);
  ADD ("/cert-file/folder-with-the-host-name", folder_of_hostname);
  ADD ("/cert-file/folder-without-the-host-name", folder_without_hostname);
  ADD ("/cert-file/new-pair-on-reload", swap);
  ADD ("/cert-file/bad-pair-keeps-the-old-one", keep_old);
  ADD ("/cert-file/one-bad-pair-does-not-hold-up-another", apart);
  ADD ("/cert-file/dates-are-warned-of", dates);
  ADD ("/cert-file/what-clients-dislike-is-told", disliked);
  ADD ("/cert-file/what-clients-like-is-no-trouble", liked);
  ADD ("/cert-file/self-signed", self_signed);
  ADD ("/cert-file/key-for-everyone-is-warned-of", exposed);
  ADD ("/cert-file/refused-settings", refused);
  ADD ("/cert-file/folder-without-a-name", no_name);
  return g_test_run ();
}
