/* detour-config.h: one whole configuration, checked, and immutable from then on.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-classes.h"
#include "detour-config-merge.h"
#include "detour-mesh-peer.h"
#include "detour-plugins.h"
#include "detour-schema.h"
#include "detour-settings.h"
#include "detour-tenants.h"

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
    DetourMapOptions derpmap;
  } options;
  DetourSettings *core;
  DetourSettings *limits;
  DetourSettings *admission;
  DetourSettings *derpmap;
  GPtrArray *classes;       /* DetourClass, in the order of the files */
  GPtrArray *tenants;       /* DetourTenantGroup, likewise */
  GPtrArray *peers;         /* DetourMeshPeerGroup, likewise */
  GPtrArray *instances;     /* DetourConfigInstance, in the order of the files */
  DetourConfigMerge *merge; /* what all this was made of; NULL: nothing */
} DetourConfig;

/* Empty, for detour_config_load(), which fills it. */
DetourConfig *detour_config_new (void);
void detour_config_instance_free (gpointer instance);

DetourConfig *detour_config_ref (DetourConfig *self);
void detour_config_unref (DetourConfig *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourConfig, detour_config_unref)

/* @id: "KIND/NAME"; NULL when there is none. */
DetourConfigInstance *detour_config_find (const DetourConfig *self, const char *id);

/* One address that an instance listens at. */
typedef struct {
  const DetourConfigInstance *instance;
  const DetourConfigKey *key; /* that has it */
  const char *text;           /* as it is written */
  gboolean udp;
} DetourConfigListener;

/* Those of all instances that are enabled and have their plugin, in the order of the files. Array
 * of DetourConfigListener, valid as long as @self; free with g_array_unref(). */
GArray *detour_config_listeners (const DetourConfig *self);

/* Whether an instance of @kind is enabled and has its plugin. */
gboolean detour_config_has_kind (const DetourConfig *self, DetourKind kind);

/* detour_settings_set_errors() of all groups. */
void detour_config_set_errors (const DetourConfig *self, DetourConfigErrors *errors);

/* Where the daemon keeps its state; free with g_free(). */
char *detour_config_state_directory (const DetourConfig *self);

/* The whole configuration as a file, with the origin of each value; secrets are masked. Free with
 * g_free(). */
char *detour_config_dump (const DetourConfig *self);

G_END_DECLS
