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
  guint workers;         /* G_MAXUINT: auto */
  guint dbus;            /* DetourCoreBus */
  guint64 events_memory; /* 0: off */
  guint64 events_file_size;
  const char *events_file;
  guint events_privacy; /* DetourLogPrivacy */
  guint64 log_memory;   /* 0: off */
} DetourCoreOptions;

typedef enum {
  DETOUR_OVER_QUOTA_WARN,
  DETOUR_OVER_QUOTA_SLOW,
  DETOUR_OVER_QUOTA_DENY,
  DETOUR_OVER_QUOTA_CLOSE,
} DetourOverQuota;

/* As in the configuration, such as "deny"; static. */
const char *detour_over_quota_name (guint over);

/* The keys of a quota, in every group that may have one. */
typedef struct {
  guint64 bytes; /* a month; 0: off */
  guint day;     /* of the month, on which it begins anew */
  guint over;    /* DetourOverQuota */
  guint64 slow_rate;
} DetourQuotaOptions;

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
  gint64 black_hole_us;
  gint64 keep_alive_us;
  gint64 drain_us;
  gint64 tcp_user_timeout_us;
  gint64 tcp_keep_alive_us;
  guint queue_packets;
  guint64 queue_bytes;
  guint64 queue_memory; /* DETOUR_CONFIG_AUTOMATIC: auto */
  guint64 receive_rate;
  guint64 receive_burst;
  const char *rate_config_file; /* NULL: not set */
  DetourQuotaOptions quota;     /* of the relay as a whole */
} DetourLimits;

/* [class NAME]. 0: off, or not set. */
typedef struct {
  guint64 receive_rate;
  guint64 receive_burst;
  guint connections;
  DetourQuotaOptions quota;
} DetourClassOptions;

/* [tenant NAME]. */
typedef struct {
  const char *const *names;     /* asked for in TLS */
  const char *const *listeners; /* names of transport instances */
  const char *const *chain;     /* empty: that of [admission] */
  guint match;                  /* DetourAdmissionMatch; counts if it is written */
  const char *class_;           /* NULL: that of [admission] */
  gboolean isolate;
  guint connections; /* 0: off */
  DetourQuotaOptions quota;
} DetourTenantOptions;

/* [peer NAME]. NULL: not set. */
typedef struct {
  const char *host;       /* as written, with a port or without */
  const char *address;    /* likewise */
  guint port;             /* 0: not set */
  const char *const *pin; /* of both kinds */
  const char *ca_file;
} DetourMeshPeerOptions;

typedef enum {
  DETOUR_ADMISSION_ANY,
  DETOUR_ADMISSION_ALL,
} DetourAdmissionMatch;

/* [admission]. */
typedef struct {
  const char *const *chain;
  guint match;        /* DetourAdmissionMatch */
  const char *class_; /* NULL: not set */
  gint64 grace_us;
  gboolean keep_grace;
  gint64 recheck_us; /* 0: off */
  gint64 timeout_us;
  gint64 negative_ttl_us;
  gint64 refuse_hold_us;
  const char *const *disallow_app_names;
  gboolean dry_run;
} DetourAdmissionOptions;

typedef enum {
  DETOUR_MAP_HEADSCALE,
  DETOUR_MAP_JSON,
  DETOUR_MAP_TAILSCALE,
} DetourMapForm;

/* [derpmap]. NULL: not set. */
typedef struct {
  const char *file;
  guint region;
  const char *code;
  const char *name;
  guint format; /* DetourMapForm */
  const char *ipv4;
  const char *ipv6;
} DetourMapOptions;

/* Rows of the structs above, for detour_settings_fill(). */
extern const DetourConfigKey detour_schema_core[];
extern const DetourConfigKey detour_schema_limits[];
extern const DetourConfigKey detour_schema_admission[];
extern const DetourConfigKey detour_schema_derpmap[];
/* Of each [class NAME]. */
extern const DetourConfigKey detour_schema_class[];
extern const DetourConfigKey detour_schema_tenant[];
extern const DetourConfigKey detour_schema_peer[];
/* `plugin` and `enabled` of each [KIND NAME]. */
extern const DetourConfigKey detour_schema_instance[];

/* The fixed groups with their tables; ends with { NULL, NULL }. */
typedef struct {
  const char *name;
  const DetourConfigKey *table;
} DetourSchemaGroup;

extern const DetourSchemaGroup detour_schema_groups[];

/* Those of which there may be any number, each with a name of its own: [class NAME]. */
extern const DetourSchemaGroup detour_schema_named_groups[];

/* "transport", …; NULL behind the last. */
extern const char *const detour_kind_names[DETOUR_N_KINDS + 1];
/* FALSE when @name is no kind. */
gboolean detour_kind_from_name (const char *name, DetourKind *out);

G_END_DECLS
