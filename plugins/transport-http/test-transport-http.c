/* test-transport-http.c: what the settings of the plugin become as a listener.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

extern const DetourPlugin detour_plugin;

typedef struct {
  gboolean derp;
  const char *redirect;
  guint flags;
} Case;

static const Case *current;
static guint listens;

/* The host of these tests: one group of settings, and a listener that is looked at. */
gboolean
detour_settings_bool (const DetourSettings *self, const char *key)
{
  g_assert_cmpstr (key, ==, "derp");
  return current->derp;
}

const char *
detour_settings_string (const DetourSettings *self, const char *key)
{
  return g_str_equal (key, "redirect") ? current->redirect : NULL;
}

const char *const *
detour_settings_list (const DetourSettings *self, const char *key)
{
  static const char *const list[] = { ":80", NULL };

  g_assert_cmpstr (key, ==, "listen");
  return list;
}

gboolean
detour_settings_has (const DetourSettings *self, const char *key)
{
  return FALSE;
}

void
detour_settings_error (const DetourSettings *self, const char *key, GError **error, const char *format, ...)
{
  g_assert_not_reached ();
}

gboolean
detour_host_listen (DetourHost *host, const DetourSettings *settings, const DetourListenerSpec *spec, GError **error)
{
  g_assert_null (spec->channel);
  g_assert_cmpstr (spec->addresses[0], ==, ":80");
  g_assert_cmpuint (spec->flags, ==, current->flags);
  listens++;
  return TRUE;
}

static void
flags (void)
{
  static const Case cases[] = {
    { TRUE, "none", DETOUR_LISTENER_DERP },
    { FALSE, "none", 0 },
    { FALSE, "https", DETOUR_LISTENER_REDIRECT_HTTPS },
    { TRUE, "https", DETOUR_LISTENER_DERP | DETOUR_LISTENER_REDIRECT_HTTPS },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      current = &cases[i];
      g_assert_true (detour_plugin.check (NULL, &error));
      g_assert_nonnull (detour_plugin.start ((DetourHost *) &current, NULL, &error));
    }
  g_assert_cmpuint (listens, ==, G_N_ELEMENTS (cases));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transport-http/settings-become-flags", flags);
  return g_test_run ();
}
