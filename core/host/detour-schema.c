/* detour-schema.c: the keys of the fixed groups, and what core itself reads of each instance's
 * group.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-schema.h"

#include <string.h>

#define SECOND 1000ull
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define KIB    1024ull
#define MIB    (1024 * KIB)
#define GIB    (1024 * MIB)

/* clang-format off */
#define FIELD(member) DETOUR_CONFIG_FIELD (DetourCoreOptions, member)
const DetourConfigKey detour_schema_core[] = {
  { "hostname", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "name or address under which clients know this relay", DETOUR_CONFIG_RESTART,
    FIELD (hostname) },
  { "key-file", DETOUR_CONFIG_PATH, NULL, 0, 0,
    "the relay's private key, in derper's form; server.key in the state directory when not set, made when missing",
    DETOUR_CONFIG_RESTART,
    FIELD (key_file) },
  { "state-directory", DETOUR_CONFIG_PATH, NULL, 0, 0,
    "where the relay keeps what it must remember; the service manager's or /var/lib/detour when not set",
    DETOUR_CONFIG_RESTART,
    FIELD (state_directory) },
  { "workers", DETOUR_CONFIG_UINT, "auto", 1, 64,
    "worker threads; auto: one less than there are processors, at most 4",
    DETOUR_CONFIG_RESTART | DETOUR_CONFIG_AUTO,
    FIELD (workers) },
  { "plugin-path", DETOUR_CONFIG_PATH, NULL, 0, 0,
    "directories in which to look for plugins, the first hit counts; the installed ones when not set. What is loaded "
    "stays so",
    DETOUR_CONFIG_LIST,
    FIELD (plugin_path) },
  { "control-socket", DETOUR_CONFIG_PATH, NULL, 0, 0,
    "socket for detourctl; control in the run-time directory when not set", DETOUR_CONFIG_RESTART,
    FIELD (control_socket) },
  { "control-group", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "group whose members may read on the control socket; detour-status when not set, where there is such a group. "
    "Without one, only root and the user that the daemon runs as may connect",
    DETOUR_CONFIG_RESTART,
    FIELD (control_group) },
  { "dbus", DETOUR_CONFIG_ENUM, "auto", 0, 0,
    "bus to appear on; auto: the system bus where there is one", DETOUR_CONFIG_RESTART, "auto|system|session|none",
    FIELD (dbus) },
  { NULL }
};
#undef FIELD

#define FIELD(member) DETOUR_CONFIG_FIELD (DetourLimits, member)
const DetourConfigKey detour_schema_limits[] = {
  { "connections", DETOUR_CONFIG_UINT, "off", 1, 10000000,
    "clients connected at a time", DETOUR_CONFIG_LIMIT,
    FIELD (connections) },
  { "half-open", DETOUR_CONFIG_UINT, "2000", 1, 1000000,
    "connections of one listener that are logging in at a time; more of them wait for their turn",
    DETOUR_CONFIG_LIMIT,
    FIELD (half_open) },
  { "connections-per-source", DETOUR_CONFIG_UINT, "off", 1, 10000000,
    "clients from one address, or one /64 of IPv6", DETOUR_CONFIG_LIMIT,
    FIELD (connections_per_source) },
  { "half-open-per-source", DETOUR_CONFIG_UINT, "64", 1, 1000000,
    "of these, connections from one address, or one /64 of IPv6",
    DETOUR_CONFIG_LIMIT,
    FIELD (half_open_per_source) },
  { "accept-rate", DETOUR_CONFIG_UINT, "off", 1, 1000000,
    "connections accepted in a second", DETOUR_CONFIG_LIMIT,
    FIELD (accept_rate) },
  { "accept-burst", DETOUR_CONFIG_UINT, NULL, 1, 1000000,
    "connections accepted at once before accept-rate slows them; as many as accept-rate when not set",
    FIELD (accept_burst) },
  { "handshake-timeout", DETOUR_CONFIG_DURATION, "30s", SECOND, 10 * MINUTE,
    "time for the TLS handshake and the HTTP head together",
    FIELD (handshake_timeout_us) },
  { "login-timeout", DETOUR_CONFIG_DURATION, "10s", SECOND, 10 * MINUTE,
    "time for the DERP login",
    FIELD (login_timeout_us) },
  { "http-requests", DETOUR_CONFIG_UINT, "64", 1, 1000000,
    "HTTP requests that are answered on one connection", DETOUR_CONFIG_LIMIT,
    FIELD (http_requests) },
  { "http-time", DETOUR_CONFIG_DURATION, "60s", SECOND, HOUR,
    "time for all HTTP requests of one connection together", DETOUR_CONFIG_LIMIT,
    FIELD (http_time_us) },
  { "half-open-memory", DETOUR_CONFIG_SIZE, "auto", MIB, 1024 * GIB,
    "bytes that connections which are not logged in may hold together; auto: an eighth of the machine's memory",
    DETOUR_CONFIG_LIMIT | DETOUR_CONFIG_AUTO,
    FIELD (half_open_memory) },
  { "reserve-descriptors", DETOUR_CONFIG_UINT, "64", 0, 100000,
    "open files that are kept free of connections, for control, logs and reloads",
    0,
    FIELD (reserve_descriptors) },
  { "write-timeout", DETOUR_CONFIG_DURATION, "2s", 100, HOUR,
    "a client that takes nothing for so long is closed; a slow reader has 20s more, if its system buffers much",
    DETOUR_CONFIG_LIMIT,
    FIELD (write_timeout_us) },
  { "keep-alive", DETOUR_CONFIG_DURATION, "60s", SECOND, HOUR,
    "time between keep-alive frames",
    FIELD (keep_alive_us) },
  { "tcp-user-timeout", DETOUR_CONFIG_DURATION, "15s", SECOND, DAY,
    "time after which the kernel gives up on unacknowledged bytes", DETOUR_CONFIG_LIMIT,
    FIELD (tcp_user_timeout_us) },
  { "tcp-keep-alive", DETOUR_CONFIG_DURATION, "10m", SECOND, 7 * DAY,
    "idle time before the kernel probes a connection", DETOUR_CONFIG_LIMIT,
    FIELD (tcp_keep_alive_us) },
  { "queue-packets", DETOUR_CONFIG_UINT, "32", 1, 4096,
    "packets that wait for a slow client; the oldest is dropped",
    FIELD (queue_packets) },
  { "queue-bytes", DETOUR_CONFIG_SIZE, "256K", 128 * KIB, 64 * MIB,
    "bytes that wait for a client which has stopped reading; one that is merely slow has queue-packets of any size",
    FIELD (queue_bytes) },
  { "queue-memory", DETOUR_CONFIG_SIZE, "auto", 4 * MIB, 1024 * GIB,
    "bytes that wait for all clients together; the oldest packet of a long queue is dropped; auto: an eighth of the memory",
    DETOUR_CONFIG_LIMIT | DETOUR_CONFIG_AUTO,
    FIELD (queue_memory) },
  { "receive-rate", DETOUR_CONFIG_RATE, "off", KIB, 100 * GIB,
    "bytes a second that one client may send, heads of frames included", DETOUR_CONFIG_LIMIT,
    FIELD (receive_rate) },
  { "receive-burst", DETOUR_CONFIG_SIZE, NULL, KIB, 100 * GIB,
    "bytes that one client may send at once before receive-rate slows it; one second's worth when not set",
    FIELD (receive_burst) },
  { "rate-config-file", DETOUR_CONFIG_PATH, NULL, 0, 0,
    "derper's JSON file of receive rates, read again on reload; it wins over receive-rate",
    FIELD (rate_config_file) },
  { NULL }
};
#undef FIELD

#define FIELD(member) DETOUR_CONFIG_FIELD (DetourAdmissionOptions, member)
const DetourConfigKey detour_schema_admission[] = {
  { "chain", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "names of the auth instances to ask, or open for everyone", DETOUR_CONFIG_LIST,
    FIELD (chain) },
  { "match", DETOUR_CONFIG_ENUM, "any", 0, 0,
    "any: one instance that allows is enough; all: every instance must allow", 0, "any|all",
    FIELD (match) },
  { "grace", DETOUR_CONFIG_DURATION, "24h", 0, 365 * DAY,
    "how long a key that was allowed stays allowed while no auth instance can answer",
    FIELD (grace_us) },
  { "recheck", DETOUR_CONFIG_DURATION, "10m", SECOND, 365 * DAY,
    "how often connected clients are asked about again", DETOUR_CONFIG_LIMIT,
    FIELD (recheck_us) },
  { "timeout", DETOUR_CONFIG_DURATION, "5s", 100, 10 * MINUTE,
    "time in which an auth instance must answer",
    FIELD (timeout_us) },
  { "negative-ttl", DETOUR_CONFIG_DURATION, "30s", 0, DAY,
    "how long a refusal is remembered",
    FIELD (negative_ttl_us) },
  { "refuse-hold", DETOUR_CONFIG_DURATION, "30s", 0, HOUR,
    "how long a refused client is kept connected in silence before it is closed; 0s closes it at once",
    FIELD (refuse_hold_us) },
  { "disallow-app-names", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "application names whose clients are refused; an empty one is left out", DETOUR_CONFIG_LIST,
    FIELD (disallow_app_names) },
  { "dry-run", DETOUR_CONFIG_BOOL, "false", 0, 0,
    "decide, count and log, but admit everyone",
    FIELD (dry_run) },
  { NULL }
};
#undef FIELD

const DetourConfigKey detour_schema_instance[] = {
  { "plugin", DETOUR_CONFIG_STRING, NULL, 0, 0, "which plugin this is; called like the instance when not set" },
  { "enabled", DETOUR_CONFIG_BOOL, "true", 0, 0, "whether it is started" },
  { NULL }
};
/* clang-format on */

const DetourSchemaGroup detour_schema_groups[] = {
  { "core", detour_schema_core },
  { "limits", detour_schema_limits },
  { "admission", detour_schema_admission },
  { NULL, NULL },
};

const char *const detour_kind_names[DETOUR_N_KINDS + 1] = {
  [DETOUR_KIND_TRANSPORT] = "transport", [DETOUR_KIND_CERT] = "cert", [DETOUR_KIND_AUTH] = "auth",
  [DETOUR_KIND_SERVICE] = "service",     [DETOUR_KIND_HTTP] = "http", [DETOUR_KIND_LOG] = "log",
};

gboolean
detour_kind_from_name (const char *name, DetourKind *out)
{
  for (guint i = 0; i < DETOUR_N_KINDS; i++)
    if (strcmp (detour_kind_names[i], name) == 0)
      {
        *out = (DetourKind) i;
        return TRUE;
      }
  return FALSE;
}
