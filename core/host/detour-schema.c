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
  { "events-memory", DETOUR_CONFIG_SIZE, "1M", 64 * KIB, GIB,
    "memory for what happened to clients lately, for detourctl why and detourctl monitor; an event takes about 130 bytes",
    DETOUR_CONFIG_RESTART | DETOUR_CONFIG_LIMIT,
    FIELD (events_memory) },
  { "events-file", DETOUR_CONFIG_PATH, NULL, 0, 0,
    "file in which they are kept over restarts as well, a JSON object a line; with .1 behind its name the part before",
    DETOUR_CONFIG_RESTART,
    FIELD (events_file) },
  { "events-file-size", DETOUR_CONFIG_SIZE, "16M", 64 * KIB, GIB,
    "how large events-file and the part before may be together", DETOUR_CONFIG_RESTART,
    FIELD (events_file_size) },
  { "events-privacy", DETOUR_CONFIG_ENUM, "full", 0, 0,
    "how much of clients' keys and addresses stands in events-file", DETOUR_CONFIG_RESTART, "full|prefix|hash|none",
    FIELD (events_privacy) },
  { "log-memory", DETOUR_CONFIG_SIZE, "256K", 16 * KIB, 64 * MIB,
    "memory for the last lines of the log, for detourctl log; masked as the log instance masks that tells least",
    DETOUR_CONFIG_RESTART | DETOUR_CONFIG_LIMIT,
    FIELD (log_memory) },
  { NULL }
};
#undef FIELD

/* The keys of a quota, which fill a DetourQuotaOptions. */
#define QUOTA_KEYS(quota) \
  { "quota", DETOUR_CONFIG_SIZE, "off", MIB, 1024 * 1024 * GIB, \
    "bytes of packets that clients may send in a month, each counted once", DETOUR_CONFIG_LIMIT, NULL, \
    FIELD (quota.bytes) }, \
  { "quota-day", DETOUR_CONFIG_UINT, "1", 1, 31, \
    "day of the month on which the quota begins anew, at midnight UTC; the last day where a month is shorter", \
    0, NULL, FIELD (quota.day) }, \
  { "over-quota", DETOUR_CONFIG_ENUM, "warn", 0, 0, \
    "what happens when the quota is used up: warn says so; slow reads clients at slow-rate; deny lets nobody new in; " \
    "close closes who is there as well", 0, "warn|slow|deny|close", \
    FIELD (quota.over) }, \
  { "slow-rate", DETOUR_CONFIG_RATE, "64K", KIB, 100 * GIB, \
    "bytes a second that one client may send when the quota is used up and over-quota is slow", 0, NULL, \
    FIELD (quota.slow_rate) }

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
    "bytes that connections which are not logged in may hold together; auto: an eighth of the memory that the machine or its control group has",
    DETOUR_CONFIG_LIMIT | DETOUR_CONFIG_AUTO,
    FIELD (half_open_memory) },
  { "reserve-descriptors", DETOUR_CONFIG_UINT, "64", 0, 100000,
    "open files that are kept free of connections, for control, logs and reloads",
    0,
    FIELD (reserve_descriptors) },
  { "write-timeout", DETOUR_CONFIG_DURATION, "2s", 100, HOUR,
    "a client that takes nothing for so long is closed; up to 20s more where its system or TLS takes much at a time",
    DETOUR_CONFIG_LIMIT,
    FIELD (write_timeout_us) },
  { "black-hole-timeout", DETOUR_CONFIG_DURATION, "off", SECOND, HOUR,
    "a client that was silent, and then neither acknowledges what it is sent nor answers a ping for so long, is closed, so that it comes back; tcp-user-timeout ends it, too",
    DETOUR_CONFIG_LIMIT,
    FIELD (black_hole_us) },
  { "keep-alive", DETOUR_CONFIG_DURATION, "60s", SECOND, HOUR,
    "time between keep-alive frames",
    FIELD (keep_alive_us) },
  { "drain-time", DETOUR_CONFIG_DURATION, "10m", 0, 7 * DAY,
    "time over which clients are closed when the relay is taken out of service, unless the call says another", 0,
    FIELD (drain_us) },
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
    "bytes that wait for all clients together; the oldest packet of a long queue is dropped; auto: as for half-open-memory",
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
  QUOTA_KEYS (quota),
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
  { "class", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "name of the [class NAME] of clients whose verdict names none; none when not set",
    0, NULL,
    FIELD (class_) },
  { "grace", DETOUR_CONFIG_DURATION, "24h", 0, 365 * DAY,
    "how long a key that was allowed stays allowed while no auth instance can answer",
    FIELD (grace_us) },
  { "keep-grace", DETOUR_CONFIG_BOOL, "true", 0, 0,
    "keep on disk which keys were allowed, so that grace outlasts a restart; the file shows no key and no name",
    FIELD (keep_grace) },
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

#define FIELD(member) DETOUR_CONFIG_FIELD (DetourMapOptions, member)
const DetourConfigKey detour_schema_derpmap[] = {
  { "file", DETOUR_CONFIG_PATH, NULL, 0, 0,
    "file that always has this relay's entry for a DERP map, written anew when the entry changes, for Headscale's derp.paths; "
    "none when not set. A new one may be read by everyone",
    0, NULL,
    FIELD (file) },
  { "region", DETOUR_CONFIG_UINT, "900", 1, 65535,
    "number of the region; 900 to 999 are for relays of one's own", 0, NULL,
    FIELD (region) },
  { "code", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "short name of the region; the first word of the host name when not set", 0, NULL,
    FIELD (code) },
  { "name", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "long name of the region; the host name when not set", 0, NULL,
    FIELD (name) },
  { "format", DETOUR_CONFIG_ENUM, "headscale", 0, 0,
    "headscale: YAML; json: a whole DERP map; tailscale: a member of a policy file", 0, "headscale|json|tailscale",
    FIELD (format) },
  { "ipv4", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "IPv4 address, so that clients need no DNS; none: not to be used. What a listener is bound to when not set", 0, NULL,
    FIELD (ipv4) },
  { "ipv6", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "IPv6 address, likewise", 0, NULL,
    FIELD (ipv6) },
  { NULL }
};
#undef FIELD

#define FIELD(member) DETOUR_CONFIG_FIELD (DetourClassOptions, member)
const DetourConfigKey detour_schema_class[] = {
  { "receive-rate", DETOUR_CONFIG_RATE, NULL, KIB, 100 * GIB,
    "bytes a second that one client of the class may send, heads of frames included; that of [limits] when not set",
    DETOUR_CONFIG_LIMIT, NULL,
    FIELD (receive_rate) },
  { "receive-burst", DETOUR_CONFIG_SIZE, NULL, KIB, 100 * GIB,
    "bytes that it may send at once before receive-rate slows it; one second's worth when not set", 0, NULL,
    FIELD (receive_burst) },
  { "connections", DETOUR_CONFIG_UINT, "off", 1, 10000000,
    "clients of the class connected at a time; the next one is refused", DETOUR_CONFIG_LIMIT, NULL,
    FIELD (connections) },
  QUOTA_KEYS (quota),
  { NULL }
};
#undef FIELD

#define FIELD(member) DETOUR_CONFIG_FIELD (DetourTenantOptions, member)
const DetourConfigKey detour_schema_tenant[] = {
  { "names", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "names asked for in TLS by which clients belong here; *.example.com is any one label before the rest",
    DETOUR_CONFIG_LIST, NULL,
    FIELD (names) },
  { "listeners", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "transport instances whose clients belong here, unless they ask for a name of another tenant",
    DETOUR_CONFIG_LIST, NULL,
    FIELD (listeners) },
  { "chain", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "names of the auth instances to ask, or open; that of [admission] when not set", DETOUR_CONFIG_LIST, NULL,
    FIELD (chain) },
  { "match", DETOUR_CONFIG_ENUM, NULL, 0, 0,
    "as in [admission]; the one there when not set", 0, "any|all",
    FIELD (match) },
  { "class", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "class of the clients whose verdict names none; that of [admission] when not set", 0, NULL,
    FIELD (class_) },
  { "isolate", DETOUR_CONFIG_BOOL, "true", 0, 0,
    "whether its clients reach only each other; else they share the relay with all who are not set apart", 0, NULL,
    FIELD (isolate) },
  { "connections", DETOUR_CONFIG_UINT, "off", 1, 10000000,
    "clients of the tenant connected at a time; the next one is refused", DETOUR_CONFIG_LIMIT, NULL,
    FIELD (connections) },
  QUOTA_KEYS (quota),
  { NULL }
};
#undef FIELD

#define FIELD(member) DETOUR_CONFIG_FIELD (DetourMeshPeerOptions, member)
const DetourConfigKey detour_schema_peer[] = {
  { "host", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "name of the server in its certificate, with a port if that is not 443; the relay itself may be one of the peers",
    DETOUR_CONFIG_REQUIRED, NULL,
    FIELD (host) },
  { "address", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "name or address that is dialled instead of `host`, with a port if it is not that of `host`", 0, NULL,
    FIELD (address) },
  { "port", DETOUR_CONFIG_UINT, NULL, 1, 65535,
    "port of `host`, if it does not stand there", 0, NULL,
    FIELD (port) },
  { "pin", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "what the server has to show: `sha256-raw:` and the 64 hex digits of its certificate, in place of a name and an authority; "
    "`nodekey:` and the 64 of its DERP key, in addition to the certificate; the server has to have one of each kind that is there",
    DETOUR_CONFIG_LIST, NULL,
    FIELD (pin) },
  { "ca-file", DETOUR_CONFIG_PATH, NULL, 0, 0,
    "file with the authorities, PEM, that vouch for its certificate; those of the system when not set", 0, NULL,
    FIELD (ca_file) },
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
  { "derpmap", detour_schema_derpmap },
  { NULL, NULL },
};

const DetourSchemaGroup detour_schema_named_groups[] = {
  { "class", detour_schema_class },
  { "tenant", detour_schema_tenant },
  { "peer", detour_schema_peer },
  { NULL, NULL },
};

const char *
detour_over_quota_name (guint over)
{
  static const char *const names[] = {
    [DETOUR_OVER_QUOTA_WARN] = "warn",
    [DETOUR_OVER_QUOTA_SLOW] = "slow",
    [DETOUR_OVER_QUOTA_DENY] = "deny",
    [DETOUR_OVER_QUOTA_CLOSE] = "close",
  };

  return names[over];
}

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
