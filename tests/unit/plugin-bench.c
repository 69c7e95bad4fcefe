/* plugin-bench.c: one plugin instance in a real host, without a daemon around it, for the tests of
 * plugins. SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-bench.h"

#include "detour-auth-request.h"

#include <glib/gstdio.h>
#include <string.h>

#include "detour-config-load.h"
#include "test-folder.h"

#define WAIT_MOST_US (60 * G_TIME_SPAN_SECOND)

static void
auth_changed (gpointer data, DetourInstance *instance)
{
  ((PluginBench *) data)->n_auth_changed++;
}

static void
set_mesh_key (gpointer data, const guint8 *key)
{
  PluginBench *self = data;

  self->has_mesh_key = key != NULL;
  if (key != NULL)
    memcpy (self->mesh_key, key, DETOUR_KEY_SIZE);
}

static gboolean
add_routes (gpointer data, DetourInstance *instance, const DetourHttpRoute *routes, gpointer user,
            GError **error)
{
  PluginBench *self = data;

  self->routes = routes;
  self->routes_user = user;
  return TRUE;
}

static const DetourHostHooks bench_hooks = {
  .add_routes = add_routes,
  .auth_changed = auth_changed,
  .set_mesh_key = set_mesh_key,
};

PluginBench *
plugin_bench_new (const DetourPlugin *plugin)
{
  static const char *const nowhere[] = { NULL };
  PluginBench *self = g_new0 (PluginBench, 1);

  self->directory = g_dir_make_tmp ("detour-XXXXXX", NULL);
  g_assert_nonnull (self->directory);
  self->plugins = detour_plugins_new (nowhere);
  detour_plugins_add_static (self->plugins, plugin);
  return self;
}

void
plugin_bench_free (PluginBench *self)
{
  g_clear_pointer (&self->roster, detour_roster_free);
  detour_plugins_free (self->plugins);
  test_folder_remove (self->directory);
  g_free (self->directory);
  g_free (self);
}

char *
plugin_bench_load (PluginBench *self, const char *text)
{
  static const guint8 server_key[DETOUR_KEY_SIZE] = { 1 };
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (DetourConfig) config = NULL;
  g_autoptr (GString) whole = g_string_new (text);

  g_assert_null (self->roster);
  if (strstr (text, "[admission]") == NULL)
    g_string_append (whole, "\n[admission]\nchain = open\n");
  g_string_replace (whole, "@DIR@", self->directory, 0);
  config = detour_config_load_text ("bench.conf", whole->str, whole->len, self->plugins, errors);
  if (config == NULL)
    {
      g_auto (GStrv) lines = detour_config_errors_lines (errors);

      return g_strjoinv ("\n", lines);
    }
  self->roster = detour_roster_new (config, self->directory, server_key, &bench_hooks, self);
  self->instance = detour_roster_nth (self->roster, 0);
  return NULL;
}

void
plugin_bench_load_good (PluginBench *self, const char *text)
{
  g_autofree char *errors = plugin_bench_load (self, text);

  g_assert_cmpstr (errors, ==, NULL);
}

void
plugin_bench_start (PluginBench *self)
{
  g_autoptr (GError) error = NULL;

  detour_instance_start (self->instance, &error);
  g_assert_no_error (error);
}

char *
plugin_bench_start_error (PluginBench *self)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (detour_instance_start (self->instance, &error));
  g_assert_nonnull (error);
  return g_strdup (error->message);
}

void
plugin_bench_reload (PluginBench *self)
{
  g_autoptr (DetourConfig) config = detour_config_ref (detour_roster_config (self->roster));

  detour_roster_apply (self->roster, config);
}

typedef struct {
  const char *name;
  guint64 value;
  gboolean found;
} Counter;

static void
look_at_counter (const DetourMetric *metric, gpointer data)
{
  Counter *self = data;

  if (g_str_equal (metric->name, self->name))
    {
      self->value = metric->value;
      self->found = TRUE;
    }
}

guint64
plugin_bench_counter (PluginBench *self, const char *name)
{
  Counter counter = { name, 0, FALSE };

  detour_instance_foreach_metric (self->instance, look_at_counter, &counter);
  g_assert_true (counter.found);
  return counter.value;
}

char *
plugin_bench_path (PluginBench *self, const char *name)
{
  return g_build_filename (self->directory, name, NULL);
}

void
plugin_bench_write (PluginBench *self, const char *name, const char *text)
{
  g_autofree char *path = plugin_bench_path (self, name);
  g_autoptr (GError) error = NULL;

  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
}

char *
plugin_bench_read (PluginBench *self, const char *name)
{
  g_autofree char *path = plugin_bench_path (self, name);
  g_autoptr (GError) error = NULL;
  char *text = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

int
plugin_bench_bind (PluginBench *self, const char *name, int type)
{
  g_autofree char *path = plugin_bench_path (self, name);
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  g_assert_cmpuint (g_strlcpy (address.sun_path, path, sizeof address.sun_path), <,
                    sizeof address.sun_path);
  g_remove (path);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  return fd;
}

static void
take_verdict (DetourVerdict *verdict, gpointer data)
{
  DetourVerdict **taken = data;

  g_assert_null (*taken);
  *taken = detour_verdict_ref (verdict);
}

static gboolean
is_answered (gpointer data)
{
  return *(DetourVerdict **) data != NULL;
}

DetourVerdict *
plugin_bench_verify (PluginBench *self, const guint8 *key)
{
  DetourAuthRequest fields = { .address = "192.0.2.1", .listener = "transport/https" };
  g_autoptr (DetourAuthRequest) request = NULL;
  DetourVerdict *verdict = NULL;

  memcpy (fields.key, key, DETOUR_KEY_SIZE);
  request = detour_auth_request_new (&fields);
  detour_instance_verify (self->instance, request, take_verdict, &verdict);
  plugin_bench_wait (is_answered, &verdict);
  return verdict;
}

static gboolean
wake (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

void
plugin_bench_wait (gboolean (*done) (gpointer data), gpointer data)
{
  gint64 end_us = g_get_monotonic_time () + WAIT_MOST_US;
  /* What another thread did wakes no loop. */
  guint source = g_timeout_add (10, wake, NULL);

  while (!done (data))
    {
      g_assert_cmpint (g_get_monotonic_time (), <, end_us);
      g_main_context_iteration (NULL, TRUE);
    }
  g_source_remove (source);
}
