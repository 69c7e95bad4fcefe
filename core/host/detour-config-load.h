/* detour-config-load.h: builds a configuration from its files and collects all errors in one run.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config-errors.h"
#include "detour-config.h"

G_BEGIN_DECLS

/* What a configuration is made of, in the order in which it is merged. Each may be NULL. */
typedef struct {
  const char *vendor_file;
  const char *built_in; /* text, not a path */
  const char *main_file;
  gboolean main_file_optional; /* it is no error when it does not exist */
  const char *const *environment;
} DetourConfigSources;

/**
 * detour_config_load:
 * @plugins: asked for the tables of the instances; plugins are loaded, never started
 * @errors: errors and warnings are added here
 *
 * Reads the files of @sources, the `conf.d` folder beside the main file and the environment, merges
 * them key by key, and checks everything, the plugins' own check() included. Main thread.
 *
 * Returns: (transfer full) (nullable): NULL when there are errors.
 */
DetourConfig *detour_config_load (const DetourConfigSources *sources, DetourPlugins *plugins,
                                  DetourConfigErrors *errors);

typedef enum {
  DETOUR_CONFIG_LOAD_NO_FILE = 1 << 0, /* nothing but the vendor's file is there */
  DETOUR_CONFIG_LOAD_AGAIN = 1 << 1, /* it was in force: a plugin that is gone costs its instance */
} DetourConfigLoadFlags;

/* The same of files that were read already. @merge: taken */
DetourConfig *detour_config_load_merged (DetourConfigMerge *merge, DetourConfigLoadFlags flags,
                                         DetourPlugins *plugins, DetourConfigErrors *errors);

/* The same for one text, without files; @name is for messages. */
DetourConfig *detour_config_load_text (const char *name, const char *text, gsize len,
                                       DetourPlugins *plugins, DetourConfigErrors *errors);

G_END_DECLS
