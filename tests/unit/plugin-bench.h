/* plugin-bench.h: one plugin instance in a real host, without a daemon around it, for the tests of
 * plugins. SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"
#include "detour-roster.h"

G_BEGIN_DECLS

/* Main thread. Numbers and keys that the plugin gave to core are kept here. */
typedef struct {
  DetourPlugins *plugins;
  DetourRoster *roster;
  DetourInstance *instance;
  char *directory; /* of its own, for files; also the state directory */

  /* What the instance added last, and what it gave to be called with. */
  const DetourHttpRoute *routes;
  gpointer routes_user;

  guint n_auth_changed;
  gboolean has_mesh_key;
  guint8 mesh_key[DETOUR_KEY_SIZE];
} PluginBench;

/* @plugin: the one under test */
PluginBench *plugin_bench_new (const DetourPlugin *plugin);
/* Stops the instance if it runs, and removes the directory. */
void plugin_bench_free (PluginBench *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PluginBench, plugin_bench_free)

/**
 * plugin_bench_load:
 * @text: groups of a configuration, in which @DIR@ stands for the directory of the bench; the first
 *   instance is the one under test; admission is open where the text does not say otherwise
 *
 * Takes the instance over from the configuration; starts nothing. Once, but again after errors.
 *
 * Returns: (nullable): the errors, a line each; free with g_free(). NULL: there are none.
 */
char *plugin_bench_load (PluginBench *self, const char *text);
/* The same, and there must be no error. */
void plugin_bench_load_good (PluginBench *self, const char *text);

/* Must succeed. */
void plugin_bench_start (PluginBench *self);
/* Must fail; the error's text, free with g_free(). */
char *plugin_bench_start_error (PluginBench *self);
/* Lets the plugin look at its files again, without a check of the configuration before it. */
void plugin_bench_reload (PluginBench *self);

guint64 plugin_bench_counter (PluginBench *self, const char *name);

/* Files of the bench's directory; free results with g_free(). */
char *plugin_bench_path (PluginBench *self, const char *name);
void plugin_bench_write (PluginBench *self, const char *name, const char *text);
char *plugin_bench_read (PluginBench *self, const char *name);
/* A socket of @type there, in the place of what has that name; reading it does not block. */
int plugin_bench_bind (PluginBench *self, const char *name, int type);

/* What the instance says of a client with @key; (transfer full). */
DetourVerdict *plugin_bench_verify (PluginBench *self, const guint8 *key);

/* Runs the main loop until @done says so; fails the test after a minute. */
void plugin_bench_wait (gboolean (*done) (gpointer data), gpointer data);

G_END_DECLS
