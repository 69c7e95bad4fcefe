/* test-transport-http.c: tests of how settings become a listener.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "detour-config-load.h"
#include "detour-roster.h"

extern const DetourPlugin detour_plugin;

typedef struct {
  const char *lines;
  guint flags;
  const char *complaint; /* NULL: it starts */
} Case;

static gboolean
note_listen (gpointer data, DetourInstance *instance, const DetourSettings *settings,
             const DetourListenerSpec *spec, GError **error)
{
  guint *flags = data;

  g_assert_null (spec->channel);
  g_assert_null (spec->release);
  g_assert_cmpstr (spec->addresses[0], ==, ":80");
  g_assert_cmpstr (spec->protocol, ==, "http");
  *flags = spec->flags;
  return TRUE;
}

static const DetourHostHooks hooks = { .listen = note_listen };

static void
try_case (DetourPlugins *plugins, const Case *test)
{
  g_autofree char *text = g_strdup_printf ("[admission]\nchain = open\n[transport http]\n%s\n",
                                           test->lines);
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (DetourConfig) config = NULL;
  g_autoptr (DetourRoster) roster = NULL;
  g_auto (GStrv) complaints = NULL;
  const guint8 key[DETOUR_KEY_SIZE] = { 1 };
  guint flags = G_MAXUINT;

  config = detour_config_load_text ("test.conf", text, strlen (text), plugins, errors);
  complaints = detour_config_errors_lines (errors);
  if (test->complaint != NULL)
    {
      g_assert_null (config);
      g_assert_nonnull (strstr (complaints[0], test->complaint));
      return;
    }
  g_assert_cmpstr (complaints[0], ==, NULL);
  roster = detour_roster_new (config, g_get_tmp_dir (), key, &hooks, &flags);
  g_assert_true (detour_instance_start (detour_roster_find (roster, "transport/http"), NULL));
  g_assert_cmpuint (flags, ==, test->flags);
}

static void
settings (void)
{
  static const Case cases[] = {
    { "listen = :80", DETOUR_LISTENER_DERP, NULL },
    { "listen = :80\nderp = no", 0, NULL },
    { "listen = :80\nderp = no\nredirect = https", DETOUR_LISTENER_REDIRECT_HTTPS, NULL },
    { "listen = :80\nredirect = https", DETOUR_LISTENER_DERP | DETOUR_LISTENER_REDIRECT_HTTPS,
      NULL },
    { "listen = :80\nfamily = any", DETOUR_LISTENER_DERP, NULL },
    { "listen = :80\nfamily = ipv4", DETOUR_LISTENER_DERP | DETOUR_LISTENER_ONLY_IPV4, NULL },
    { "listen = :80\nfamily = ipv6", DETOUR_LISTENER_DERP | DETOUR_LISTENER_ONLY_IPV6, NULL },
    { "listen = :80\nfamily = ipv5", 0, "family: \"ipv5\"" },
    { "derp = no", 0, "listen: not set" },
    { "listen = :80\nredirect = ftp", 0, "redirect: \"ftp\"" },
  };
  static const char *const nowhere[] = { NULL };
  g_autoptr (DetourPlugins) plugins = detour_plugins_new (nowhere);

  detour_plugins_add_static (plugins, &detour_plugin);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    try_case (plugins, &cases[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transport-http/settings-become-flags", settings);
  return g_test_run ();
}
