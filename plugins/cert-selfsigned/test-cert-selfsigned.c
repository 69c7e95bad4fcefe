/* test-cert-selfsigned.c: the plugin on the real host: names it chooses, what it publishes and
 * prints.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>

#include "cert-own.h"
#include "detour-config-load.h"
#include "detour-roster.h"

extern const DetourPlugin detour_plugin;

typedef struct {
  char *folder;
  DetourPlugins *plugins;
} Fixture;

static void
setup (Fixture *f, gconstpointer data)
{
  static const char *const nowhere[] = { NULL };

  f->folder = g_dir_make_tmp ("detour-selfsigned-XXXXXX", NULL);
  f->plugins = detour_plugins_new (nowhere);
  detour_plugins_add_static (f->plugins, &detour_plugin);
}

static void
remove_files (Fixture *f)
{
  g_autoptr (GDir) dir = g_dir_open (f->folder, 0, NULL);
  const char *file;

  while ((file = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (f->folder, file, NULL);

      g_assert_cmpint (g_remove (path), ==, 0);
    }
}

static void
teardown (Fixture *f, gconstpointer data)
{
  remove_files (f);
  g_assert_cmpint (g_rmdir (f->folder), ==, 0);
  g_free (f->folder);
  detour_plugins_free (f->plugins);
}

static DetourRoster *
roster_new (Fixture *f, const char *core, const char *lines, char **complaint)
{
  g_autofree char *text = g_strdup_printf (
      "[core]\n%s\n[admission]\nchain = open\n[cert main]\nplugin = selfsigned\n%s\n", core, lines);
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (DetourConfig) config = NULL;
  const guint8 key[DETOUR_KEY_SIZE] = { 1 };

  config = detour_config_load_text ("test.conf", text, strlen (text), f->plugins, errors);
  if (config == NULL)
    {
      g_auto (GStrv) complaints = detour_config_errors_lines (errors);

      *complaint = g_strdup (complaints[0]);
      return NULL;
    }
  return detour_roster_new (config, f->folder, key, NULL, NULL);
}

static DetourRoster *
start (Fixture *f, const char *core, const char *lines)
{
  g_autofree char *complaint = NULL;
  DetourRoster *roster = roster_new (f, core, lines, &complaint);
  g_autoptr (GError) error = NULL;

  g_assert_cmpstr (complaint, ==, NULL);
  detour_instance_start (detour_roster_find (roster, "cert/main"), &error);
  g_assert_no_error (error);
  return roster;
}

static void
names (Fixture *f, gconstpointer data)
{
  static const struct {
    const char *core, *lines, *names;
  } cases[] = {
    { "", "", "127.0.0.1 ::1 localhost" },
    { "hostname = relay.example", "", "relay.example" },
    { "hostname = a.x.example", "names = 192.0.2.7; 2001:db8::7; *.x.example",
      "192.0.2.7 2001:db8::7 *.x.example" },
    { "hostname = 2001:db8:0::7", "names = 192.0.2.7; 2001:db8::7", "192.0.2.7 2001:db8::7" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (DetourRoster) roster = start (f, cases[i].core, cases[i].lines);
      g_autoptr (DetourCert)
          cert = detour_cert_store_find (detour_roster_certs (roster), "main", NULL, NULL);
      g_autofree char *found = g_strjoinv (" ", (char **) detour_cert_names (cert));

      g_assert_cmpstr (found, ==, cases[i].names);
      g_assert_true (detour_cert_self_signed (cert));
      remove_files (f);
    }
}

/* The line to paste, with the pin of what is served; the same after a restart. */
static void
map_entry (Fixture *f, gconstpointer data)
{
  static const char lines[] = "names = *.x.example; 2001:db8::7";
  g_autofree char *pin = NULL;
  g_autofree char *pattern = NULL;

  {
    g_autoptr (DetourRoster) roster = start (f, "", lines);
    g_autoptr (DetourCert)
        cert = detour_cert_store_find (detour_roster_certs (roster), NULL, NULL, NULL);

    pin = cert_own_pin (cert);
  }
  pattern = g_strdup_printf (
      "cert/main: for the DERP map: {*\"HostName\":\"2001:db8::7\",\"CertName\":\"sha256-raw:%s\"}",
      pin);
  g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE,
                         "cert/main: certificate read, valid until 20*");
  g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, pattern);
  detour_roster_free (start (f, "", lines));
  g_test_assert_expected_messages ();
}

static void
new_pin (Fixture *f, gconstpointer data)
{
  detour_roster_free (start (f, "", "names = a.example"));
  g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING,
                         "*for other names: clients need the new CertName");
  g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, "*for the DERP map*");
  detour_roster_free (start (f, "", "names = b.example"));
  g_test_assert_expected_messages ();
}

/* Clients compare the name that they dial, pin or not. */
static void
other_hostname (Fixture *f, gconstpointer data)
{
  static const char *const hostnames[] = { "relay.example", "x.example", "a.b.x.example",
                                           "2001:db8::8" };

  for (guint i = 0; i < G_N_ELEMENTS (hostnames); i++)
    {
      g_autofree char *core = g_strconcat ("hostname = ", hostnames[i], NULL);
      g_autofree char *pattern = g_strconcat ("cert/main: ", hostnames[i],
                                              ", the name in ?core] hostname, is not among*", NULL);
      g_autofree char *trouble = NULL;
      g_autoptr (DetourRoster) roster = NULL;

      g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, "*certificate*");
      g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, "*for the DERP map*");
      g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, pattern);
      roster = start (f, core, "names = *.x.example; 2001:db8::7");
      g_test_assert_expected_messages ();
      trouble = detour_instance_dup_trouble (detour_roster_find (roster, "cert/main"));
      g_assert_nonnull (strstr (trouble, "the name in [core] hostname"));
    }
}

static void
refused (Fixture *f, gconstpointer data)
{
  static const struct {
    const char *lines, *complaint;
  } cases[] = {
    { "names = [2001:db8::7]", "names: \"[2001:db8::7]\" is neither a host name nor an address" },
    { "names = relay.example; relay.example:443", "names: \"relay.example:443\"" },
    { "days = 0", "days: " },
    { "days = 40000", "days: " },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *complaint = NULL;

      g_assert_null (roster_new (f, "", cases[i].lines, &complaint));
      g_test_message ("%s", complaint);
      g_assert_nonnull (strstr (complaint, cases[i].complaint));
    }
}

#define ADD(path, function) g_test_add (path, Fixture, NULL, setup, function, teardown)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/cert-selfsigned/names", names);
  ADD ("/cert-selfsigned/map-entry-with-the-pin", map_entry);
  ADD ("/cert-selfsigned/new-pin-is-a-warning", new_pin);
  ADD ("/cert-selfsigned/host-name-is-not-among-the-names", other_hostname);
  ADD ("/cert-selfsigned/refused-settings", refused);
  return g_test_run ();
}
