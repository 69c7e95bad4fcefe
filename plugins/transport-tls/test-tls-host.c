/* test-tls-host.c: the real host of core, with an instance of transport-tls and a listener that
 * only notes things down.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-tls-host.h"

#include <string.h>

#include "detour-config-load.h"
#include "detour-roster.h"

extern const DetourPlugin detour_plugin;

struct _TestHost {
  DetourPlugins *plugins;
  DetourRoster *roster;
  DetourListenerSpec spec;
  gboolean listens;
  gboolean refuses;
};

static void
release_listener (gpointer owner, gpointer thing)
{
  TestHost *self = owner;

  self->spec.release (self->spec.user);
  self->listens = FALSE;
}

static gboolean
note_listen (gpointer data, DetourInstance *instance, const DetourSettings *settings,
             const DetourListenerSpec *spec, GError **error)
{
  TestHost *self = data;

  if (self->refuses)
    {
      detour_settings_error (settings, spec->key, error, "in use");
      return FALSE;
    }
  self->spec = *spec;
  self->listens = TRUE;
  detour_instance_hold (instance, DETOUR_HOLD_FOR_RUN, release_listener, self, NULL);
  return TRUE;
}

static const DetourHostHooks hooks = { .listen = note_listen };

TestHost *
test_host_new_with (const char *lines, char **complaint)
{
  static const char *const nowhere[] = { NULL };
  g_autofree char *text = g_strdup_printf (
      "[admission]\nchain = open\n[transport https]\nplugin = tls\n%s\n", lines);
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (DetourConfig) config = NULL;
  TestHost *self = g_new0 (TestHost, 1);
  guint8 key[DETOUR_KEY_SIZE];

  for (guint i = 0; i < DETOUR_KEY_SIZE; i++)
    key[i] = (guint8) (0xa0 + i);
  self->plugins = detour_plugins_new (nowhere);
  detour_plugins_add_static (self->plugins, &detour_plugin);
  config = detour_config_load_text ("test.conf", text, strlen (text), self->plugins, errors);
  if (config == NULL)
    {
      g_auto (GStrv) all = detour_config_errors_lines (errors);

      *complaint = g_strdup (all[0]);
      detour_plugins_free (self->plugins);
      g_free (self);
      return NULL;
    }
  self->roster = detour_roster_new (config, g_get_tmp_dir (), key, &hooks, self);
  return self;
}

TestHost *
test_host_new (void)
{
  g_autofree char *complaint = NULL;
  TestHost *self = test_host_new_with ("listen = 127.0.0.1:443", &complaint);

  g_assert_cmpstr (complaint, ==, NULL);
  return self;
}

void
test_host_free (TestHost *self)
{
  detour_roster_free (self->roster);
  detour_plugins_free (self->plugins);
  g_free (self);
}

DetourHost *
test_host_instance (TestHost *self)
{
  return detour_roster_find (self->roster, "transport/https");
}

const DetourListenerSpec *
test_host_start (TestHost *self)
{
  g_autoptr (GError) error = NULL;

  detour_instance_start (test_host_instance (self), &error);
  g_assert_no_error (error);
  g_assert_true (self->listens);
  return &self->spec;
}

void
test_host_start_refused (TestHost *self)
{
  g_autoptr (GError) error = NULL;

  self->refuses = TRUE;
  g_assert_false (detour_instance_start (test_host_instance (self), &error));
  g_assert_nonnull (strstr (error->message, "listen: in use"));
  self->refuses = FALSE;
}

void
test_host_stop (TestHost *self)
{
  detour_instance_stop (test_host_instance (self));
}

void
test_host_publish (TestHost *self, DetourCert *const *certs, guint n)
{
  detour_cert_store_publish (detour_roster_certs (self->roster), "cert/test", certs, n);
}

char *
test_host_trouble (TestHost *self)
{
  return detour_instance_dup_trouble (test_host_instance (self));
}

gpointer
test_host_channels (TestHost *self)
{
  return detour_roster_channels (self->roster);
}

typedef struct {
  const char *name;
  guint64 value;
} Wanted;

static void
find_counter (const DetourMetric *metric, gpointer data)
{
  Wanted *wanted = data;

  if (strcmp (metric->name, wanted->name) == 0)
    wanted->value = metric->value;
}

guint64
test_host_counter (TestHost *self, const char *name)
{
  Wanted wanted = { name, G_MAXUINT64 };

  detour_instance_foreach_metric (test_host_instance (self), find_counter, &wanted);
  return wanted.value;
}
