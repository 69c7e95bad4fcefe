/* detour-plugins.h: finds plugins, loads them and looks them over before anything calls them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

#define DETOUR_PLUGINS_ERROR (detour_plugins_error_quark ())
GQuark detour_plugins_error_quark (void);

typedef enum {
  DETOUR_PLUGINS_ERROR_MISSING, /* no such module */
  DETOUR_PLUGINS_ERROR_BROKEN,  /* there is one, but it cannot be used */
} DetourPluginsError;

typedef struct _DetourPlugins DetourPlugins; /* main thread */

/* @directories: (array zero-terminated=1): where to look; the first hit counts. */
DetourPlugins *detour_plugins_new (const char *const *directories);
void detour_plugins_free (DetourPlugins *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourPlugins, detour_plugins_free)

/* A table of its own that knows what @self knows, for a configuration that is only tried: what it
 * looks for and loads does not change @self. */
DetourPlugins *detour_plugins_fork (const DetourPlugins *self);
/* The configuration that was tried with @fork is used: @self knows what that knows. */
void detour_plugins_adopt (DetourPlugins *self, const DetourPlugins *fork);

/* Looks elsewhere from now on, or (NULL) again where it began; what was loaded stays. */
void detour_plugins_set_directories (DetourPlugins *self, const char *const *directories);
const char *const *detour_plugins_directories (const DetourPlugins *self);

/* A plugin that is linked in, for tests of plugins and of core. */
void detour_plugins_add_static (DetourPlugins *self, const DetourPlugin *plugin);

/**
 * detour_plugins_load:
 * @name: KIND-PLUGIN
 *
 * A good module stays resident for the life of the process; one that was missing or bad is looked
 * at again by the next call, so that a reload can bring it in.
 *
 * Returns: (nullable): the checked descriptor, or NULL and @error in one line with path and reason.
 */
const DetourPlugin *detour_plugins_load (DetourPlugins *self, const char *name, GError **error);

/* Names of the plugins there are, of one kind or (DETOUR_N_KINDS) of all, sorted; nothing is
 * loaded. */
GStrv detour_plugins_names (DetourPlugins *self, DetourKind kind);

/* The name of the plugin that `plugin = WRITTEN` means in a group of @kind; of logs, `auto` is the
 * one that says that it suits this process best. There may be no such plugin. Free with g_free().
 */
char *detour_plugins_resolve (DetourPlugins *self, DetourKind kind, const char *written);

/* What is wrong with `plugin = WRITTEN` where there is no such plugin: the package that has it,
 * else the names there are, in the form of @written. Free with g_free(). */
char *detour_plugins_explain_missing (DetourPlugins *self, DetourKind kind, const char *written);

/* Everything the loader checks of a descriptor found under @name; @where is for the message. */
gboolean detour_plugins_check (const DetourPlugin *plugin, const char *name, const char *where,
                               GError **error);

G_END_DECLS
