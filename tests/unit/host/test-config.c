/* test-config.c: whole configurations: merged, checked, dumped.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-record.h"

#include <glib/gstdio.h>
#include <string.h>

#include "static-plugins.h"

/* ---- one text -------------------------------------------------------------------------------- */

static DetourConfig *
load (const char *text, char **problems)
{
  g_autoptr (DetourPlugins) plugins = static_plugins_new ();
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_auto (GStrv) lines = NULL;
  DetourConfig *config = detour_config_load_text ("f", text, strlen (text), plugins, errors);

  lines = detour_config_errors_lines (errors);
  g_assert_cmpint (config == NULL, ==, lines[0] != NULL);
  *problems = g_strjoinv ("\n", lines);
  return config;
}

#define SAY                                                                     \
  "Say who may use this relay: \"keys\", \"tailscaled\", \"url\", or \"open\" " \
  "for everyone"
#define OPEN "[admission]\nchain=open\n"
/* Two lines, too. */
#define TLS      "[transport tls]\nlisten=:443\n"
#define NAME_20  "a-name-of-20-letters"
#define NAME_101 NAME_20 NAME_20 NAME_20 NAME_20 NAME_20 "s"

static void
fallbacks (void)
{
  g_autofree char *problems = NULL;
  g_autoptr (DetourConfig) config = load (OPEN, &problems);

  g_assert_cmpstr (problems, ==, "");
  g_assert_null (config->options.core.hostname);
  g_assert_cmpuint (config->options.core.workers, ==, G_MAXUINT);
  g_assert_cmpuint (config->options.core.dbus, ==, DETOUR_CORE_BUS_AUTO);

  g_assert_cmpuint (config->options.limits.connections, ==, 0);
  g_assert_cmpuint (config->options.limits.half_open, ==, 2000);
  g_assert_cmpuint (config->options.limits.connections_per_source, ==, 0);
  g_assert_cmpuint (config->options.limits.half_open_per_source, ==, 64);
  g_assert_cmpuint (config->options.limits.accept_rate, ==, 0);
  g_assert_cmpuint (config->options.limits.accept_burst, ==, 0);
  g_assert_cmpint (config->options.limits.handshake_timeout_us, ==, 30 * G_USEC_PER_SEC);
  g_assert_cmpint (config->options.limits.login_timeout_us, ==, 10 * G_USEC_PER_SEC);
  g_assert_cmpuint (config->options.limits.http_requests, ==, 64);
  g_assert_cmpint (config->options.limits.http_time_us, ==, 60 * G_USEC_PER_SEC);
  g_assert_cmpuint (config->options.limits.half_open_memory, ==, DETOUR_CONFIG_AUTOMATIC);
  g_assert_cmpuint (config->options.limits.reserve_descriptors, ==, 64);
  g_assert_cmpint (config->options.limits.write_timeout_us, ==, 2 * G_USEC_PER_SEC);
  g_assert_cmpint (config->options.limits.keep_alive_us, ==, 60 * G_USEC_PER_SEC);
  g_assert_cmpint (config->options.limits.tcp_user_timeout_us, ==, 15 * G_USEC_PER_SEC);
  g_assert_cmpint (config->options.limits.tcp_keep_alive_us, ==, 600 * G_USEC_PER_SEC);
  g_assert_cmpuint (config->options.limits.queue_packets, ==, 32);
  g_assert_cmpuint (config->options.limits.queue_bytes, ==, 256 * 1024);
  g_assert_cmpuint (config->options.limits.receive_rate, ==, 0);
  g_assert_cmpuint (config->options.limits.receive_burst, ==, 0);
  g_assert_null (config->options.limits.rate_config_file);

  g_assert_cmpstr (config->options.admission.chain[0], ==, "open");
  g_assert_cmpuint (config->options.admission.match, ==, DETOUR_ADMISSION_ANY);
  g_assert_cmpint (config->options.admission.grace_us, ==,
                   G_GINT64_CONSTANT (86400) * G_USEC_PER_SEC);
  g_assert_cmpint (config->options.admission.recheck_us, ==, 600 * G_USEC_PER_SEC);
  g_assert_cmpint (config->options.admission.timeout_us, ==, 5 * G_USEC_PER_SEC);
  g_assert_cmpint (config->options.admission.negative_ttl_us, ==, 30 * G_USEC_PER_SEC);
  g_assert_cmpint (config->options.admission.refuse_hold_us, ==, 30 * G_USEC_PER_SEC);
  g_assert_null (config->options.admission.disallow_app_names[0]);
  g_assert_false (config->options.admission.dry_run);
}

/* A row without a field would be read by nobody, and two with one field would overwrite each
 * other. */
static void
each_row_fills_a_field_of_its_own (void)
{
  static const struct {
    const DetourConfigKey *table;
    gsize size;
  } groups[] = {
    { detour_schema_core, sizeof (DetourCoreOptions) },
    { detour_schema_limits, sizeof (DetourLimits) },
    { detour_schema_admission, sizeof (DetourAdmissionOptions) },
    { detour_schema_class, sizeof (DetourClassOptions) },
    { detour_schema_tenant, sizeof (DetourTenantOptions) },
    { detour_schema_peer, sizeof (DetourMeshPeerOptions) },
  };

  for (guint i = 0; i < G_N_ELEMENTS (groups); i++)
    {
      g_autofree char *taken = g_malloc0 (groups[i].size);

      for (const DetourConfigKey *key = groups[i].table; key->key != NULL; key++)
        {
          g_test_message ("%s", key->key);
          g_assert_cmpuint (key->width, >, 0);
          g_assert_cmpuint (key->offset + key->width, <=, groups[i].size);
          for (gsize at = key->offset; at < key->offset + key->width; at++)
            g_assert_cmpint (taken[at]++, ==, 0);
        }
    }
}

static void
values_reach_their_fields (void)
{
  g_autofree char *problems = NULL;
  g_autoptr (DetourConfig) config = load (
      "[admission]\nchain=friends\nmatch=all\ndry-run=yes\ngrace=0ms\ndisallow-app-names=a;b\n"
      "[auth friends]\nplugin=keys\nfile=/k\n"
      "[core]\nworkers=64\ndbus=none\nhostname=relay.example.com\n"
      "[limits]\nconnections=10000000\nreceive-rate=100G\nwrite-timeout=off\nlogin-timeout=1s\n",
      &problems);

  g_assert_cmpstr (problems, ==, "");
  g_assert_cmpstr (config->options.admission.chain[0], ==, "friends");
  g_assert_cmpuint (config->options.admission.match, ==, DETOUR_ADMISSION_ALL);
  g_assert_true (config->options.admission.dry_run);
  g_assert_cmpint (config->options.admission.grace_us, ==, 0);
  g_assert_cmpstr (config->options.admission.disallow_app_names[1], ==, "b");
  g_assert_cmpuint (config->options.core.workers, ==, 64);
  g_assert_cmpuint (config->options.core.dbus, ==, DETOUR_CORE_BUS_NONE);
  g_assert_cmpstr (config->options.core.hostname, ==, "relay.example.com");
  g_assert_cmpuint (config->options.limits.connections, ==, 10000000);
  g_assert_cmpuint (config->options.limits.receive_rate, ==, G_GUINT64_CONSTANT (100) << 30);
  g_assert_cmpint (config->options.limits.write_timeout_us, ==, 0);
  g_assert_cmpint (config->options.limits.login_timeout_us, ==, G_USEC_PER_SEC);
}

static void
instances (void)
{
  g_autofree char *problems = NULL;
  g_autoptr (DetourConfig) config = load ("[admission]\nchain=friends;tailscaled\n"
                                          "[auth friends]\nplugin=keys\nfile=/k\n"
                                          "[auth other]\nplugin=auth-keys\nenabled=no\n"
                                          "[service stun]\n"
                                          "[log main]\nplugin=auto\n",
                                          &problems);
  static const struct {
    const char *id, *plugin;
    gboolean enabled;
  } cases[] = {
    { "auth/friends", "auth-keys", TRUE },          { "auth/other", "auth-keys", FALSE },
    { "service/stun", "service-stun", TRUE },       { "log/main", "log-stderr", TRUE },
    { "auth/tailscaled", "auth-tailscaled", TRUE }, /* nowhere but in the chain */
  };

  g_assert_cmpstr (problems, ==, "");
  g_assert_cmpuint (config->instances->len, ==, G_N_ELEMENTS (cases));
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const DetourConfigInstance *instance = detour_config_find (config, cases[i].id);

      g_assert_nonnull (instance);
      g_assert_cmpstr (instance->plugin_name, ==, cases[i].plugin);
      g_assert_cmpint (instance->enabled, ==, cases[i].enabled);
      g_assert_nonnull (instance->plugin);
    }
  g_assert_null (detour_config_find (config, "auth/nobody"));
  g_assert_cmpstr (
      detour_settings_string (detour_config_find (config, "auth/friends")->settings, "file"), ==,
      "/k");
}

static void
refused (void)
{
  static const struct {
    const char *text, *problems;
  } cases[] = {
    { "", "f: [admission] chain: not set. " SAY },
    { "[admission]\nchain=\n", "f:2: [admission] chain: not set. " SAY },
    { "[admission]\nchain=opne\n",
      "f:2: [admission] chain: there is no [auth opne]; did you mean \"open\"?" },
    { "[admission]\nchain=zebra\n[auth friends]\nplugin=keys\nfile=/k\n",
      "f:2: [admission] chain: there is no [auth zebra]; there are friends, open" },
    { "[admission]\nchain=open;tailscaled\n",
      "f:2: [admission] chain: \"open\" lets everyone in and must stand alone" },
    { "[admission]\nchain=tailscaled;tailscaled\n",
      "f:2: [admission] chain: \"tailscaled\" is there twice" },
    { "[admission]\nchain=keys\n", "f:2: [auth keys] file: not set, but needed: one key a line" },
    { OPEN "[admision]\n", "f:3: [admision]: no such group; did you mean [admission]?" },
    { OPEN "[transprot https]\n",
      "f:3: [transprot https]: no such group; did you mean [transport https]?" },
    { OPEN "[servce]\n", "f:3: [servce]: no such group; did you mean [service NAME]?" },
    { OPEN "[zebra crossing]\n", "f:3: [zebra crossing]: no such group; there are [core], "
                                 "[limits], [admission], [derpmap], [class NAME], [tenant NAME], "
                                 "[peer NAME] and [KIND NAME] with a KIND "
                                 "out of "
                                 "transport, cert, auth, service, http, log" },
    { OPEN "[transport]\n",
      "f:3: [transport]: the group needs a name: write [transport NAME], as in [transport tls]" },
    { OPEN "[transport a b]\n",
      "f:3: [transport a b]: an instance is called [KIND NAME] with a NAME of letters, digits, "
      "\"-\", \"_\" and \".\"" },
    { OPEN "[transport a/b]\n",
      "f:3: [transport a/b]: an instance is called [KIND NAME] with a NAME of letters, digits, "
      "\"-\", \"_\" and \".\"" },
    { OPEN "[class]\n",
      "f:3: [class]: a class is called [class NAME] with a NAME of letters, digits, "
      "\"-\", \"_\" and \".\"" },
    { OPEN "[clas friends]\n",
      "f:3: [clas friends]: no such group; did you mean [class friends]?" },
    { OPEN "class=friends\n",
      "f:3: [admission] class: there is no [class friends]; there are none of this kind" },
    { OPEN "class=freinds\n[class friends]\n",
      "f:3: [admission] class: there is no [class freinds]; did you mean \"friends\"?" },
    { OPEN "[class friends]\nrecieve-rate=1M\n",
      "f:4: [class friends] recieve-rate: no such key; did you mean \"receive-rate\"?" },
    { OPEN "[class friends]\nquota-day=32\n",
      "f:4: [class friends] quota-day: \"32\" is out of range; it goes from 1 to 31" },
    { OPEN "[class friends]\nover-quota=hang\n",
      "f:4: [class friends] over-quota: \"hang\" is not one of warn, slow, deny, close" },
    { OPEN "[tenant]\n",
      "f:3: [tenant]: a tenant is called [tenant NAME] with a NAME of letters, digits, "
      "\"-\", \"_\" and \".\"" },
    { OPEN "[tennant red]\n", "f:3: [tennant red]: no such group; did you mean [tenant red]?" },
    { OPEN "[tenant red]\n", "f:3: [tenant red]: nobody would belong to it; write names=NAME, "
                             "asked for in TLS, or listeners=NAME" },
    { OPEN TLS "[tenant red]\nnames=a.b\nchian=open\n",
      "f:7: [tenant red] chian: no such key; did you mean \"chain\"?" },
    { OPEN TLS "[tenant red]\nnames=a.b\n[tenant blue]\nnames=c.d;A.b.\n",
      "f:8: [tenant blue] names: \"A.b.\" is no name that a client can ask for in TLS; write a "
      "host name, as in relay.example.com or *.example.com" },
    { OPEN TLS "[tenant red]\nnames=a.b\n[tenant blue]\nnames=c.d;A.b\n",
      "f:8: [tenant blue] names: \"A.b\" belongs to [tenant red] already; a client can be of one "
      "tenant only" },
    { OPEN TLS "[tenant red]\nnames=*.b;a.b;*.B\n",
      "f:6: [tenant red] names: \"*.B\" is there twice" },
    { OPEN TLS "[tenant red]\nnames=*.*.b\n",
      "f:6: [tenant red] names: \"*.*.b\" is no name that a client can ask for in TLS; write a "
      "host name, as in relay.example.com or *.example.com" },
    { OPEN TLS "[tenant red]\nnames=192.0.2.1\n",
      "f:6: [tenant red] names: \"192.0.2.1\" is no name that a client can ask for in TLS; write "
      "a host name, as in relay.example.com or *.example.com" },
    { OPEN TLS "[tenant red]\nlisteners=tsl\n",
      "f:6: [tenant red] listeners: there is no [transport tsl]; did you mean \"tls\"?" },
    { OPEN TLS "[tenant red]\nlisteners=tls\n[tenant blue]\nlisteners=transport/tls\n",
      "f:8: [tenant blue] listeners: \"transport/tls\" belongs to [tenant red] already; a client "
      "can be of one tenant only" },
    { OPEN TLS "[tenant red]\nnames=a.b\nclass=gests\n[class guests]\n",
      "f:7: [tenant red] class: there is no [class gests]; did you mean \"guests\"?" },
    { OPEN TLS "[tenant red]\nnames=a.b\nchain=opne\n",
      "f:7: [tenant red] chain: there is no [auth opne]; did you mean \"open\"?" },
    { OPEN TLS "[tenant red]\nnames=a.b\nchain=open;tailscaled\n",
      "f:7: [tenant red] chain: \"open\" lets everyone in and must stand alone" },
    { OPEN TLS "[tenant red]\nnames=a.b\nchain=tailscaled;tailscaled\n",
      "f:7: [tenant red] chain: \"tailscaled\" is there twice" },
    { OPEN TLS "[tenant red]\nnames=a.b\nchain=keys\n",
      "f:7: [auth keys] file: not set, but needed: one key a line" },
    { OPEN TLS "[tenant red]\nnames=a.b\nmatch=some\n",
      "f:7: [tenant red] match: \"some\" is not one of any, all" },
    { OPEN "[peer]\nhost=a\n",
      "f:3: [peer]: a peer is called [peer NAME] with a NAME of letters, digits, \"-\", \"_\" and "
      "\".\"" },
    { OPEN "[peer " NAME_101 "]\nhost=a\n",
      "f:3: [peer " NAME_101 "]: the name has 101 characters; at most 100 are allowed" },
    { OPEN "[class " NAME_101 "]\n",
      "f:3: [class " NAME_101 "]: the name has 101 characters; at most 100 are allowed" },
    { OPEN "[tenant " NAME_101 "]\n",
      "f:3: [tenant " NAME_101 "]: the name has 101 characters; at most 100 are allowed" },
    { OPEN "[transport " NAME_101 "]\n",
      "f:3: [transport " NAME_101 "]: the name has 101 characters; at most 100 are allowed" },
    { OPEN "[pear a]\n", "f:3: [pear a]: no such group; did you mean [peer a]?" },
    { OPEN "[peer a]\nhost=a.test\n", "f:3: [peer a]: no plugin is installed that dials peers" },
    { OPEN "[core]\nhostname=a b\n", "f:4: [core] hostname: \"a b\" is neither a host name nor an "
                                     "address; write relay.example.com or 203.0.113.5" },
    { OPEN "[core]\nhostname=\n", "f:4: [core] hostname: \"\" is neither a host name nor an "
                                  "address; write relay.example.com or 203.0.113.5" },
    { OPEN "[core]\nworkers=0\n",
      "f:4: [core] workers: \"0\" is out of range; it goes from 1 to 64, or auto" },
    { OPEN "[core]\nworkers=many\n",
      "f:4: [core] workers: \"many\" is not a number; write digits only, or auto" },
    { OPEN "[core]\nworkers=65\n",
      "f:4: [core] workers: \"65\" is out of range; it goes from 1 to 64, or auto" },
    { OPEN "[core]\nhost-name=a\n",
      "f:4: [core] host-name: no such key; did you mean \"hostname\"?" },
    { OPEN "[limits]\nzebra=1\n", "f:4: [limits] zebra: no such key" },
    { OPEN "[service stun]\nenabeld=no\n",
      "f:4: [service stun] enabeld: no such key; did you mean \"enabled\"?" },
    { OPEN "[service stun]\nenabled=maybe\n",
      "f:4: [service stun] enabled: \"maybe\" is neither true nor false; write true, yes, on, "
      "false, no or off" },
    { OPEN "[service stnu]\n", "f:3: [service stnu] plugin: no plugin \"stnu\"; there are stun" },
    { OPEN "[cert main]\nplugin=acme\n",
      "f:4: [cert main] plugin: no plugin \"acme\"; there are file" },
    { OPEN "[cert main]\nplugin=cert-acme\n",
      "f:4: [cert main] plugin: no plugin \"cert-acme\"; there are cert-file" },
    { OPEN "[auth]\n",
      "f:3: [auth]: the group needs a name: write [auth NAME], as in [auth keys]" },
    { OPEN "[http home]\n",
      "f:3: [http home] plugin: no plugin \"home\"; there are none of this kind" },
    { OPEN "[transport tls]\ncert=main\n",
      "f:4: [transport tls] cert: there is no [cert main]; there are none of this kind" },
    { OPEN "[transport tls]\ncert=mian\n[cert main]\nplugin=file\n",
      "f:4: [transport tls] cert: there is no [cert mian]; did you mean \"main\"?" },
    { OPEN "[transport tls]\ncert=zebra\n[cert main]\nplugin=file\n[cert other]\nplugin=file\n",
      "f:4: [transport tls] cert: there is no [cert zebra]; there are main, other" },
    { OPEN "[service stun]\nlisten=:3478\nmust-be-even=3\n",
      "f:5: [service stun] must-be-even: \"3\" is odd" },
    /* The plugin is not asked about what the tables refused already. */
    { OPEN "[service stun]\nlisten=x\nmust-be-even=3\n",
      "f:4: [service stun] listen: \"x\" is not an address: write HOST:PORT, [V6]:PORT, :PORT or "
      "unix:/path" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *problems = NULL;
      g_autofree char *expected = g_strconcat (cases[i].problems,
                                               "\n1 error; the configuration was not used", NULL);
      g_autoptr (DetourConfig) config = load (cases[i].text, &problems);

      g_assert_null (config);
      g_assert_cmpstr (problems, ==, expected);
    }
}

static void
accepted (void)
{
  static const char *const cases[] = {
    OPEN,
    OPEN "[core]\nhostname=relay.example.com\nworkers=4\n",
    OPEN "[core]\nhostname=203.0.113.5\n",
    OPEN "[core]\nhostname=2001:db8::5\n",
    OPEN "[core]\nkey-file=/proc/nowhere/server.key\n", /* is made at the start */
    /* What is switched off need not be complete, nor even there. */
    OPEN "[auth keys]\nenabled=false\n",
    OPEN "[cert main]\nplugin=acme\nenabled=false\nemail=a@example.com\n",
    OPEN "[transport tls]\ncert=main\nenabled=false\n",
    OPEN "[transport tls]\ncert=main\n[cert main]\nplugin=file\nenabled=false\n",
    OPEN "[service stun]\nmust-be-even=3\nenabled=false\n",
    "[admission]\nchain=keys\n[auth keys]\nenabled=false\n",
    OPEN TLS "[tenant red]\nnames=a.b;*.b\nchain=tailscaled\n[tenant blue]\nlisteners=tls\n",
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *problems = NULL;
      g_autoptr (DetourConfig) config = load (cases[i], &problems);

      g_assert_cmpstr (problems, ==, "");
      g_assert_nonnull (config);
    }
}

static void
classes (void)
{
  g_autofree char *problems = NULL;
  g_autoptr (DetourConfig) config = load (
      "[admission]\nchain=open\nclass=all\n[class all]\n"
      "[class friends]\nreceive-rate=2M\nreceive-burst=4M\nconnections=10\nquota=100G\n"
      "quota-day=15\nover-quota=slow\nslow-rate=8K\n",
      &problems);
  const DetourClassOptions *all, *friends;

  g_assert_cmpstr (problems, ==, "");
  g_assert_cmpstr (config->options.admission.class_, ==, "all");
  g_assert_cmpuint (config->classes->len, ==, 2);
  g_assert_null (detour_classes_find (config->classes, "strangers"));
  all = &detour_classes_find (config->classes, "all")->options;
  g_assert_cmpuint (all->receive_rate, ==, 0);
  g_assert_cmpuint (all->connections, ==, 0);
  g_assert_cmpuint (all->quota.bytes, ==, 0);
  g_assert_cmpuint (all->quota.day, ==, 1);
  g_assert_cmpuint (all->quota.over, ==, DETOUR_OVER_QUOTA_WARN);
  g_assert_cmpuint (all->quota.slow_rate, ==, 64 * 1024);
  friends = &detour_classes_find (config->classes, "friends")->options;
  g_assert_cmpuint (friends->receive_rate, ==, 2 << 20);
  g_assert_cmpuint (friends->receive_burst, ==, 4 << 20);
  g_assert_cmpuint (friends->connections, ==, 10);
  g_assert_cmpuint (friends->quota.bytes, ==, G_GUINT64_CONSTANT (100) << 30);
  g_assert_cmpuint (friends->quota.day, ==, 15);
  g_assert_cmpuint (friends->quota.over, ==, DETOUR_OVER_QUOTA_SLOW);
  g_assert_cmpuint (friends->quota.slow_rate, ==, 8 * 1024);
}

static void
plugin_path (void)
{
  static const char *const elsewhere[] = { "/else", "/where", NULL };
  g_autoptr (DetourPlugins) plugins = static_plugins_new ();
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  static const char text[] = OPEN "[core]\nplugin-path=/else;/where\n";
  g_autoptr (DetourConfig)
      with = detour_config_load_text ("f", text, strlen (text), plugins, errors);
  g_autoptr (DetourConfig) without = NULL;

  g_assert_nonnull (with);
  g_assert_true (g_strv_equal (detour_plugins_directories (plugins), elsewhere));
  without = detour_config_load_text ("f", OPEN, strlen (OPEN), plugins, errors);
  g_assert_nonnull (without);
  g_assert_null (detour_plugins_directories (plugins)[0]); /* where it began */
}

static void
dump (void)
{
  g_autofree char *problems = NULL;
  g_autoptr (DetourConfig) config = load (
      OPEN "[core]\nhostname=a\n[auth friends]\nplugin=keys\nfile=/k\npassword=hush\n", &problems);
  g_autofree char *text = detour_config_dump (config);
  g_autofree char *again_problems = NULL;
  g_autoptr (DetourConfig) again = NULL;

  g_assert_nonnull (strstr (text, "\n[core]\n# f:4\nhostname = a\n#key-file is not set\n"));
  g_assert_nonnull (strstr (text, "\n#grace = 24h\n"));
  g_assert_nonnull (
      strstr (text, "\n[auth friends]\nplugin = auth-keys\nenabled = true\n# f:7\nfile = /k\n"));
  g_assert_nonnull (strstr (text, "password = ********"));
  g_assert_null (strstr (text, "hush"));

  again = load (text, &again_problems);
  g_assert_cmpstr (again_problems, ==, "");
}

/* ---- files ----------------------------------------------------------------------------------- */

typedef struct {
  char *dir;
  GPtrArray *paths; /* of files and folders, in the order they were made */
} Files;

static void
files_init (Files *files)
{
  files->dir = g_dir_make_tmp (NULL, NULL);
  files->paths = g_ptr_array_new_with_free_func (g_free);
}

static char *
files_write (Files *files, const char *name, const char *text)
{
  char *path = g_build_filename (files->dir, name, NULL);
  g_autofree char *folder = g_path_get_dirname (path);

  if (!g_file_test (folder, G_FILE_TEST_EXISTS))
    {
      g_mkdir (folder, 0700);
      g_ptr_array_add (files->paths, g_strdup (folder));
    }
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  g_ptr_array_add (files->paths, g_strdup (path));
  return path;
}

static void
files_clear (Files *files)
{
  for (guint i = files->paths->len; i-- > 0;)
    g_remove (files->paths->pdata[i]);
  g_ptr_array_unref (files->paths);
  g_rmdir (files->dir);
  g_free (files->dir);
}

static char *
without_dir (const Files *files, DetourConfigErrors *errors)
{
  g_auto (GStrv) lines = detour_config_errors_lines (errors);
  g_autofree char *all = g_strjoinv ("\n", lines);
  g_auto (GStrv) parts = g_strsplit (all, files->dir, -1);

  return g_strjoinv ("", parts);
}

static void
everything_wrong_in_one_run (void)
{
  g_autoptr (DetourPlugins) plugins = static_plugins_new ();
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autofree char *problems = NULL;
  g_autofree char *main_file = NULL;
  g_autofree char *friends = NULL;
  DetourConfigSources sources = { 0 };
  Files files;

  files_init (&files);
  main_file = files_write (
      &files, "detour.conf",
      "# My relay.\n[core]\nhostname = relay.example.com\n\n[transport https]\nplugin = tls\n"
      "lisen = :443\n[limits]\nwrite-timeout = 2 secs\n");
  friends = files_write (&files, "conf.d/20-friends.conf",
                         "[auth friends]\n# by hand\nplugin = key\n");
  sources.main_file = main_file;

  g_assert_null (detour_config_load (&sources, plugins, errors));
  problems = without_dir (&files, errors);
  g_assert_cmpstr (
      problems, ==,
      "/detour.conf:7: [transport https] lisen: no such key; did you mean \"listen\"?\n"
      "/detour.conf:9: [limits] write-timeout: \"2 secs\" is not a duration; write 2s, 500ms, 10m, "
      "or off\n"
      "/conf.d/20-friends.conf:3: [auth friends] plugin: no plugin \"key\"; there are keys, "
      "tailscaled, url\n"
      "/detour.conf: [admission] chain: not set. " SAY "\n"
      "4 errors; the configuration was not used");
  files_clear (&files);
}

static void
later_files_win_key_by_key (void)
{
  g_autoptr (DetourPlugins) plugins = static_plugins_new ();
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (DetourConfig) config = NULL;
  g_autofree char *vendor = NULL;
  g_autofree char *main_file = NULL;
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  g_autofree char *ignored = NULL;
  g_autofree char *hidden = NULL;
  DetourConfigSources sources = { 0 };
  const DetourSettings *stun;
  const char *file;
  guint line;
  Files files;

  files_init (&files);
  vendor = files_write (
      &files, "vendor.conf",
      "[service stun]\nlisten=:1;:2\ncompat=any\n[transport https]\nplugin=tls\nlisten=:443\n"
      "[http not-installed]\n[log main]\nplugin=stderr\nlevel=debug\nenabled=false\n");
  main_file = files_write (&files, "detour.conf",
                           OPEN "[service stun]\nlisten=:3\n[log main]\nplugin=file\npath=/l\n");
  second = files_write (&files, "conf.d/20.conf", "[limits]\nconnections=20\nhalf-open=20\n");
  first = files_write (&files, "conf.d/10.conf", "[limits]\nconnections=10\naccept-rate=10\n");
  ignored = files_write (&files, "conf.d/30.conf~", "[limits]\nconnections=30\n");
  hidden = files_write (&files, "conf.d/.40.conf", "[limits]\nconnections=40\n");
  sources.vendor_file = vendor;
  sources.main_file = main_file;

  config = detour_config_load (&sources, plugins, errors);
  g_assert_cmpuint (detour_config_errors_count (errors), ==, 0);
  stun = detour_config_find (config, "service/stun")->settings;
  g_assert_cmpstr (detour_settings_list (stun, "listen")[0], ==, ":3");
  g_assert_null (detour_settings_list (stun, "listen")[1]);
  g_assert_cmpstr (detour_settings_string (stun, "compat"), ==, "any");
  g_assert_cmpuint (config->options.limits.connections, ==, 20);
  g_assert_cmpuint (config->options.limits.accept_rate, ==, 10);
  g_assert_true (detour_settings_origin (config->limits, "connections", &file, &line));
  g_assert_cmpstr (file, ==, second);
  g_assert_cmpuint (line, ==, 2);

  /* The vendor's file offers what may not be installed, and a group with another plugin begins
   * anew. */
  g_assert_null (detour_config_find (config, "http/not-installed"));
  g_assert_cmpstr (detour_config_find (config, "log/main")->plugin_name, ==, "log-file");
  g_assert_false (detour_config_find (config, "log/main")->enabled);
  files_clear (&files);
}

static void
missing_files (void)
{
  g_autoptr (DetourPlugins) plugins = static_plugins_new ();

  for (guint optional = 0; optional < 2; optional++)
    {
      g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
      DetourConfigSources sources = {
        .built_in = OPEN,
        .main_file = "/nonexistent/detour.conf",
        .main_file_optional = optional != 0,
      };
      g_autoptr (DetourConfig) config = detour_config_load (&sources, plugins, errors);

      g_assert_cmpint (config != NULL, ==, optional != 0);
    }
}

/* ---- for the next program -------------------------------------------------------------------- */

/* What is read of the record of @config. */
static DetourConfig *
take_over (const DetourConfig *config, DetourPlugins *plugins, char **problems)
{
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_auto (DetourRecord) record = { NULL };
  g_auto (GStrv) lines = NULL;
  DetourRecordReader reader;
  DetourRecordItem item;
  DetourConfig *read;

  detour_config_record_write (config, &record, 7);
  reader = (DetourRecordReader) { record.data, record.len };
  g_assert_cmpint (detour_record_next (&reader, &item), ==, DETOUR_RECORD_ITEM);
  read = detour_config_record_read (&item, plugins, errors);
  lines = detour_config_errors_lines (errors);
  *problems = g_strjoinv ("\n", lines);
  return read;
}

/* Each value is as it was, with its place, whatever has become of the files. */
static void
goes_on_in_the_next_program (void)
{
  g_autoptr (DetourPlugins) plugins = static_plugins_new ();
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  static const char *const environment[] = { "DETOUR_AUTH_FRIENDS__PASSWORD=hush", NULL };
  DetourConfigSources sources = { .environment = environment };
  g_autoptr (DetourConfig) config = NULL;
  g_autofree char *vendor = NULL, *main_file = NULL, *second = NULL;
  Files files;

  files_init (&files);
  vendor = files_write (&files, "vendor.conf",
                        "[service stun]\nlisten=:1\n[http not-installed]\n[log main]\n");
  main_file = files_write (&files, "detour.conf",
                           "# comment\n[admission]\nchain=friends;keys\n[auth friends]\n"
                           "plugin=keys\nfile=/a\\sb\n[auth keys]\nfile=/k\n"
                           "[class x]\nconnections=3\n[log main]\nplugin=stderr\n");
  second = files_write (&files, "conf.d/20.conf", "[limits]\nconnections=20\n");
  sources.vendor_file = vendor;
  sources.main_file = main_file;
  config = detour_config_load (&sources, plugins, errors);
  g_assert_nonnull (config);
  files_clear (&files);

  for (guint turn = 0; turn < 2; turn++)
    {
      g_autofree char *before = detour_config_dump (config);
      g_autofree char *problems = NULL;
      g_autoptr (DetourConfig) next = take_over (config, plugins, &problems);
      g_autofree char *after = NULL;

      g_assert_cmpstr (problems, ==, "");
      after = detour_config_dump (next);
      g_assert_cmpstr (after, ==, before);
      g_assert_nonnull (strstr (after, "20.conf:2"));
      g_assert_nonnull (strstr (after, "environment:DETOUR_AUTH_FRIENDS__PASSWORD"));
      g_assert_cmpstr (
          detour_settings_string (detour_config_find (next, "auth/friends")->settings, "password"),
          ==, "hush");
      detour_config_unref (config);
      config = g_steal_pointer (&next);
    }
}

/* A plugin that was there costs its instance now; a key that this version does not know is an
 * error as ever, with its place. */
static void
what_the_next_program_lacks (void)
{
  static const DetourPlugin other = { .name = "transport-tls" };
  static const char *const nowhere[] = { NULL };
  g_autoptr (DetourPlugins) none = detour_plugins_new (nowhere);
  g_autofree char *good = NULL, *problems = NULL;
  g_autoptr (DetourConfig) config = load (OPEN TLS, &good);
  g_autoptr (DetourConfig) next = take_over (config, none, &problems);
  g_autoptr (DetourPlugins) others = detour_plugins_new (nowhere);

  g_assert_cmpstr (problems, ==, "");
  g_assert_nonnull (detour_config_find (next, "transport/tls")->problem);
  g_clear_pointer (&next, detour_config_unref);
  g_clear_pointer (&problems, g_free);
  detour_plugins_add_static (others, &other);
  next = take_over (config, others, &problems);
  g_assert_null (next);
  g_assert_nonnull (strstr (problems, "f:4: [transport tls] listen: no such key"));
}

/* Nothing of it is trusted. */
static void
damaged_for_the_next_program (void)
{
  g_autoptr (DetourPlugins) plugins = static_plugins_new ();
  g_autofree char *problems = NULL;
  g_autoptr (DetourConfig) config = load (OPEN TLS, &problems);
  g_auto (DetourRecord) record = { NULL };

  detour_config_record_write (config, &record, 7);
  for (gsize i = DETOUR_RECORD_HEAD_SIZE; i <= record.len; i++)
    {
      g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
      g_autofree guint8 *part = g_memdup2 (record.data, i);
      DetourRecordItem item = { 7, part + DETOUR_RECORD_HEAD_SIZE, i - DETOUR_RECORD_HEAD_SIZE };
      g_autoptr (DetourConfig) next = detour_config_record_read (&item, plugins, errors);

      g_assert_cmpint (next == NULL, ==, detour_config_errors_count (errors) > 0);
      if (i == record.len)
        g_assert_nonnull (next);
    }
}

/* ---- the environment ------------------------------------------------------------------------- */

/* A file with some groups, and variables over it. */
static DetourConfig *
load_with (const char *text, const char *const *environment, char **problems)
{
  g_autoptr (DetourPlugins) plugins = static_plugins_new ();
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  const DetourConfigSources sources = { .built_in = text, .environment = environment };
  DetourConfig *config = detour_config_load (&sources, plugins, errors);
  g_auto (GStrv) lines = detour_config_errors_lines (errors);

  *problems = g_strjoinv ("\n", lines);
  return config;
}

static void
environment_wins_over_files (void)
{
  static const char *const environment[] = {
    "PATH=/bin",
    "DETOUR_ADMISSION_CHAIN=friends; keys",
    "DETOUR_LIMITS_WRITE_TIMEOUT= 7s ",
    "DETOUR_LIMITS_CONNECTIONS=", /* as if it were not there */
    "DETOUR_SERVICE_STUN__LISTEN=:1;:2",
    "DETOUR_AUTH_FRIENDS__FILE=/a=b",
    "DETOUR_AUTH_FRIENDS__PLUGIN=keys",
    "DETOUR_AUTH_FRIENDS__PASSWORD=hush",
    "DETOUR_AUTH_KEYS__FILE=/k",
    "DETOUR_LOG_MAIN_LOG__PLUGIN=file",
    "DETOUR_LOG_MAIN_LOG__PATH=/l",
    "DETOUR_CLASS_A_B__CONNECTIONS=3",
    "DETOUR_SOCKET=/not/of/the/configuration",
    "DETOUR_TEST_PATIENCE=/neither",
    NULL,
  };
  g_autofree char *problems = NULL;
  g_autoptr (DetourConfig) config = load_with (
      OPEN "[limits]\nwrite-timeout=1s\nconnections=9\nlogin-timeout=3s\n[service stun]\n"
           "listen=:3\ncompat=any\n[log Main.log]\nplugin=stderr\nlevel=debug\n",
      environment, &problems);
  const DetourSettings *stun;
  g_autofree char *dump = NULL;
  const char *file;
  guint line;

  g_assert_cmpstr (problems, ==, "");
  g_assert_cmpstr (config->options.admission.chain[0], ==, "friends");
  g_assert_cmpint (config->options.limits.write_timeout_us, ==, 7 * G_USEC_PER_SEC);
  g_assert_cmpint (config->options.limits.login_timeout_us, ==, 3 * G_USEC_PER_SEC);
  g_assert_cmpuint (config->options.limits.connections, ==, 9);

  stun = detour_config_find (config, "service/stun")->settings;
  g_assert_cmpstr (detour_settings_list (stun, "listen")[1], ==, ":2");
  g_assert_cmpstr (detour_settings_string (stun, "compat"), ==, "any");
  g_assert_true (detour_settings_origin (stun, "listen", &file, &line));
  g_assert_cmpstr (file, ==, "DETOUR_SERVICE_STUN__LISTEN");
  g_assert_cmpuint (line, ==, 0);

  g_assert_cmpstr (
      detour_settings_string (detour_config_find (config, "auth/friends")->settings, "file"), ==,
      "/a=b");
  /* Spelled as the file has it, and begun anew with its plugin, which is read before the rest. */
  g_assert_cmpstr (
      detour_settings_string (detour_config_find (config, "log/Main.log")->settings, "path"), ==,
      "/l");
  g_assert_cmpstr (((const DetourClass *) config->classes->pdata[0])->name, ==, "a-b");

  dump = detour_config_dump (config);
  g_assert_nonnull (
      strstr (dump, "# environment:DETOUR_LIMITS_WRITE_TIMEOUT\nwrite-timeout = 7s\n"));
  g_assert_nonnull (
      strstr (dump, "# environment:DETOUR_AUTH_FRIENDS__PASSWORD\npassword = ********\n"));
  g_assert_null (strstr (dump, "hush"));
}

static void
environment_that_means_nothing (void)
{
  static const struct {
    const char *variable;
    const char *problem;
  } cases[] = {
    { "DETOUR_HOSTNAME=x",
      "DETOUR_HOSTNAME: no key of the configuration has this variable; did you mean "
      "DETOUR_CORE_HOSTNAME?" },
    { "DETOUR_ADMISION_CHAIN=open",
      "DETOUR_ADMISION_CHAIN: no key of the configuration has this variable; did you mean "
      "DETOUR_ADMISSION_CHAIN?" },
    { "DETOUR_CORE_HOST=x",
      "DETOUR_CORE_HOST: no key of the configuration has this variable; did you mean "
      "DETOUR_CORE_HOSTNAME?" },
    { "DETOUR_SERVICE_STUN_LISTEN=:1",
      "DETOUR_SERVICE_STUN_LISTEN: no key of the configuration has this variable; did you mean "
      "DETOUR_SERVICE_STUN__LISTEN?" },
    { "DETOUR_WHATEVER_ELSE_THERE_IS=1",
      "DETOUR_WHATEVER_ELSE_THERE_IS: no key of the configuration has this variable; write "
      "DETOUR_GROUP_KEY or DETOUR_KIND_NAME__KEY, as in DETOUR_CORE_HOSTNAME and "
      "DETOUR_TRANSPORT_HTTPS__LISTEN" },
    { "DETOUR_core_hostname=x",
      "DETOUR_core_hostname: no key of the configuration has this variable; write "
      "DETOUR_GROUP_KEY or DETOUR_KIND_NAME__KEY, as in DETOUR_CORE_HOSTNAME and "
      "DETOUR_TRANSPORT_HTTPS__LISTEN" },
    { "DETOUR_SERVICE_STUN__LISEN=:1",
      "DETOUR_SERVICE_STUN__LISEN: [service stun] lisen: no such key; did you mean \"listen\"?" },
    { "DETOUR_SERVICE_TUN__LISTEN=:1",
      "DETOUR_SERVICE_TUN__LISTEN: [service tun] plugin: no plugin \"tun\"; there are stun" },
    { "DETOUR_LIMITS_WRITE_TIMEOUT=2 secs",
      "DETOUR_LIMITS_WRITE_TIMEOUT: [limits] write-timeout: \"2 secs\" is not a duration; write "
      "2s, 500ms, 10m, or off" },
    { "DETOUR_CORE_HOSTNAME=a\n[limits]", "DETOUR_CORE_HOSTNAME: [core] hostname: a value is UTF-8 "
                                          "text without line breaks, of 16000 bytes at most" },
    { "DETOUR_CORE_HOSTNAME=\xff", "DETOUR_CORE_HOSTNAME: [core] hostname: a value is UTF-8 text "
                                   "without line breaks, of 16000 bytes at most" },
    { "DETOUR_CORE_HOSTNAME=a\u200bb",
      "DETOUR_CORE_HOSTNAME: [core] hostname: here is a character that is not seen or turns the "
      "direction of writing, U+200B; type it anew" },
    { "DETOUR_AUTH_KEYS__PASSWORD=\"hush\"",
      "DETOUR_AUTH_KEYS__PASSWORD: [auth keys] password: the value cannot be used; it is secret "
      "and not shown here" },
    { "DETOUR_CLASS_A_B__QUOTA=1G",
      "DETOUR_CLASS_A_B__QUOTA: this may be [class a.b] or [class a-b]; set it in a file" },
    { "DETOUR_SERVICE_HOST=10.0.0.1",
      "DETOUR_SERVICE_HOST: no key of the configuration has this variable; write "
      "DETOUR_GROUP_KEY or DETOUR_KIND_NAME__KEY, as in DETOUR_CORE_HOSTNAME and "
      "DETOUR_TRANSPORT_HTTPS__LISTEN" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const char *const environment[] = { cases[i].variable, NULL };
      g_autofree char *problems = NULL;
      g_autoptr (DetourConfig) config = load_with (
          OPEN "[service stun]\n[auth keys]\nfile=/k\n[class a.b]\n[class a-b]\n", environment,
          &problems);
      g_autofree char *wanted = g_strconcat (cases[i].problem,
                                             "\n1 error; the configuration was not used", NULL);

      g_assert_null (config);
      g_assert_cmpstr (problems, ==, wanted);
    }
}

/* Variables that Kubernetes sets for a Service called `detour`. */
static void
environment_of_kubernetes (void)
{
  static const char *const environment[] = {
    "KUBERNETES_SERVICE_HOST=10.0.0.1",
    "DETOUR_SERVICE_HOST=10.0.0.2",
    "DETOUR_SERVICE_PORT=443",
    "DETOUR_SERVICE_PORT_STUN=3478",
    "DETOUR_PORT=tcp://10.0.0.2:443",
    "DETOUR_PORT_3478_UDP=udp://10.0.0.2:3478",
    "DETOUR_PORT_3478_UDP_ADDR=10.0.0.2",
    "DETOUR_RELAY_SERVICE_HOST=10.0.0.3",
    "DETOUR_SERVICE_STUN__LISTEN=:1",
    NULL,
  };
  g_autofree char *problems = NULL;
  g_autoptr (DetourConfig) config = load_with (OPEN, environment, &problems);

  g_assert_cmpstr (problems, ==, "");
  g_assert_nonnull (detour_config_find (config, "service/stun"));
}

static void
environment_of_kubernetes_with_odd_bytes (void)
{
  static const char *const environment[] = { "KUBERNETES_SERVICE_HOST=10.0.0.1",
                                             "DETOUR_A\xf8\xf8_SERVICE_HOST=1", "DETOUR_PORT\xf0=1",
                                             NULL };
  g_autofree char *problems = NULL;
  g_autoptr (DetourConfig) config = load_with (OPEN, environment, &problems);

  g_assert_null (config);
  g_assert_true (g_str_has_suffix (problems, "\n2 errors; the configuration was not used"));
}

/* A check() may find more than one fault, and what it warns of does not refuse the file. */
static void
checks_of_plugins_have_several_lines (void)
{
  static const char warned[] = OPEN "[service stun]\nmust-be-even=100\n";
  g_autoptr (DetourPlugins) plugins = static_plugins_new ();
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (DetourConfig) config = NULL;
  g_auto (GStrv) warnings = NULL;
  g_autofree char *problems = NULL;
  g_autoptr (DetourConfig) bad = load (OPEN "[service stun]\nmust-be-even=101\n", &problems);

  g_assert_null (bad);
  g_assert_cmpstr (problems, ==,
                   "f:3: [service stun]: it is in no mood for more than 100\n"
                   "f:4: [service stun] must-be-even: \"101\" is odd\n"
                   "2 errors; the configuration was not used");

  config = detour_config_load_text ("f", warned, strlen (warned), plugins, errors);
  g_assert_nonnull (config);
  g_assert_cmpuint (detour_config_errors_count (errors), ==, 0);
  warnings = detour_config_errors_warnings (errors);
  g_assert_cmpuint (g_strv_length (warnings), ==, 2);
  g_assert_cmpstr (warnings[0], ==,
                   "f:2: [admission] chain: everyone may use this relay, because the chain is "
                   "\"open\"");
  g_assert_cmpstr (warnings[1], ==, "f:4: [service stun] must-be-even: this is a lot");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/config/fallbacks-of-fixed-groups", fallbacks);
  g_test_add_func ("/config/each-row-fills-a-field-of-its-own", each_row_fills_a_field_of_its_own);
  g_test_add_func ("/config/values-reach-their-fields", values_reach_their_fields);
  g_test_add_func ("/config/one-instance-a-group", instances);
  g_test_add_func ("/config/what-is-wrong-and-what-was-meant", refused);
  g_test_add_func ("/config/accepted", accepted);
  g_test_add_func ("/config/classes", classes);
  g_test_add_func ("/config/plugin-path", plugin_path);
  g_test_add_func ("/config/checks-of-plugins-have-several-lines",
                   checks_of_plugins_have_several_lines);
  g_test_add_func ("/config/dump-reads-back-without-secrets", dump);
  g_test_add_func ("/config/everything-wrong-in-one-run", everything_wrong_in_one_run);
  g_test_add_func ("/config/later-files-win-key-by-key", later_files_win_key_by_key);
  g_test_add_func ("/config/missing-files", missing_files);
  g_test_add_func ("/config/goes-on-in-the-next-program", goes_on_in_the_next_program);
  g_test_add_func ("/config/what-the-next-program-lacks", what_the_next_program_lacks);
  g_test_add_func ("/config/damaged-for-the-next-program", damaged_for_the_next_program);
  g_test_add_func ("/config/environment-wins-over-files", environment_wins_over_files);
  g_test_add_func ("/config/environment-that-means-nothing", environment_that_means_nothing);
  g_test_add_func ("/config/environment-of-kubernetes", environment_of_kubernetes);
  g_test_add_func ("/config/environment-of-kubernetes/odd-bytes",
                   environment_of_kubernetes_with_odd_bytes);
  return g_test_run ();
}
