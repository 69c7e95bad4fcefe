/* detour-config.h: one whole configuration, merged from its files, checked, and immutable from
 * then on.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config-errors.h"
#include "detour-plugins.h"
#include "detour-schema.h"
#include "detour-settings.h"

G_BEGIN_DECLS

/* One [KIND NAME] group. */
typedef struct {
  DetourKind kind;
  char *name;                 /* "friends" */
  char *id;                   /* "auth/friends" */
  char *plugin_name;          /* "auth-keys" */
  const DetourPlugin *plugin; /* NULL: it cannot be loaded */
  char *problem;              /* why not */
  gboolean enabled;
  DetourSettings *settings; /* no keys without @plugin */
} DetourConfigInstance;

typedef struct {
  gatomicrefcount refs;
  /* The fixed groups: their values, and the same with texts and places. */
  struct {
    DetourCoreOptions core;
    DetourLimits limits;
    DetourAdmissionOptions admission;
  } options;
  DetourSettings *core;
  DetourSettings *limits;
  DetourSettings *admission;
  GPtrArray *instances; /* DetourConfigInstance, in the order of the files */
} DetourConfig;

/* Where a configuration comes from, in the order of merging. All may be NULL. */
typedef struct {
  const char *vendor_file;
  const char *built_in; /* text, not a path */
  const char *main_file;
  gboolean main_file_optional; /* it is no error when it does not exist */
} DetourConfigSources;

/**
 * detour_config_load:
 * @plugins: asked for the tables of the instances; plugins are loaded, never started
 * @errors: everything that is wrong is added here
 *
 * Reads the files of @sources and the `conf.d` folder beside the main file, merges them key by key,
 * and checks everything, the plugins' own check() included. Main thread.
 *
 * Returns: (transfer full) (nullable): NULL when there are errors.
 */
DetourConfig *detour_config_load (const DetourConfigSources *sources, DetourPlugins *plugins,
                                  DetourConfigErrors *errors);

/* The same for one text, without files; @name is for messages. */
DetourConfig *detour_config_load_text (const char *name, const char *text, gsize len,
                                       DetourPlugins *plugins, DetourConfigErrors *errors);

DetourConfig *detour_config_ref (DetourConfig *self);
void detour_config_unref (DetourConfig *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourConfig, detour_config_unref)

/* @id: "KIND/NAME"; NULL when there is none. */
DetourConfigInstance *detour_config_find (const DetourConfig *self, const char *id);

/* The whole configuration as a file, with the origin of each value; secrets are masked. Free with
 * g_free(). */
char *detour_config_dump (const DetourConfig *self);

G_END_DECLS
