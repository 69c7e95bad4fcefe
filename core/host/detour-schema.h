/* detour-schema.h: the keys of the fixed groups with the structs they fill, and what core itself
 * reads of each instance's group.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

typedef enum {
  DETOUR_CORE_BUS_AUTO,
  DETOUR_CORE_BUS_SYSTEM,
  DETOUR_CORE_BUS_SESSION,
  DETOUR_CORE_BUS_NONE,
} DetourCoreBus;

/* [core]. NULL: not set. */
typedef struct {
  const char *hostname;
  const char *key_file;
  const char *state_directory;
  const char *control_socket;
  const char *control_group;
  const char *const *plugin_path;
  guint workers; /* G_MAXUINT: auto */
  guint dbus;    /* DetourCoreBus */
} DetourCoreOptions;

/* [limits]. 0: off, or not set. The meaning of each stands in its row. */
typedef struct {
  guint connections;
  guint connections_per_source;
  guint half_open;
  guint half_open_per_source;
  guint accept_rate;
  guint accept_burst;
  gint64 handshake_timeout_us;
  gint64 login_timeout_us;
  guint http_requests;
  gint64 http_time_us;
  guint64 half_open_memory; /* DETOUR_CONFIG_AUTOMATIC: auto */
  guint reserve_descriptors;
  gint64 write_timeout_us;
  gint64 keep_alive_us;
  gint64 tcp_user_timeout_us;
  gint64 tcp_keep_alive_us;
  guint queue_packets;
  guint64 queue_bytes;
  guint64 queue_memory; /* DETOUR_CONFIG_AUTOMATIC: auto */
  guint64 receive_rate;
  guint64 receive_burst;
  const char *rate_config_file; /* NULL: not set */
} DetourLimits;

typedef enum {
  DETOUR_ADMISSION_ANY,
  DETOUR_ADMISSION_ALL,
} DetourAdmissionMatch;

/* [admission]. */
typedef struct {
  const char *const *chain;
  guint match; /* DetourAdmissionMatch */
  gint64 grace_us;
  gint64 recheck_us; /* 0: off */
  gint64 timeout_us;
  gint64 negative_ttl_us;
  gint64 refuse_hold_us;
  const char *const *disallow_app_names;
  gboolean dry_run;
} DetourAdmissionOptions;

/* Rows of the structs above, for detour_settings_fill(). */
extern const DetourConfigKey detour_schema_core[];
extern const DetourConfigKey detour_schema_limits[];
extern const DetourConfigKey detour_schema_admission[];
/* `plugin` and `enabled` of each [KIND NAME]. */
extern const DetourConfigKey detour_schema_instance[];

/* The fixed groups with their tables; ends with { NULL, NULL }. */
typedef struct {
  const char *name;
  const DetourConfigKey *table;
} DetourSchemaGroup;

extern const DetourSchemaGroup detour_schema_groups[];

/* "transport", …; NULL behind the last. */
extern const char *const detour_kind_names[DETOUR_N_KINDS + 1];
/* FALSE when @name is no kind. */
gboolean detour_kind_from_name (const char *name, DetourKind *out);

G_END_DECLS
