/* detour-config.h: one whole configuration, checked, and immutable from then on.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

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

/* Empty, for detour_config_load(), which fills it. */
DetourConfig *detour_config_new (void);
void detour_config_instance_free (gpointer instance);

DetourConfig *detour_config_ref (DetourConfig *self);
void detour_config_unref (DetourConfig *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourConfig, detour_config_unref)

/* @id: "KIND/NAME"; NULL when there is none. */
DetourConfigInstance *detour_config_find (const DetourConfig *self, const char *id);

/* Where the daemon keeps its state; free with g_free(). */
char *detour_config_state_directory (const DetourConfig *self);

/* The whole configuration as a file, with the origin of each value; secrets are masked. Free with
 * g_free(). */
char *detour_config_dump (const DetourConfig *self);

G_END_DECLS
