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
const DetourConfigKey detour_schema_core[] = {
  { "hostname", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "name or address under which clients know this relay", DETOUR_CONFIG_RESTART },
  { "key-file", DETOUR_CONFIG_PATH, NULL, 0, 0,
    "the relay's private key, in derper's form; server.key in the state directory when not set, made when missing",
    DETOUR_CONFIG_RESTART },
  { "state-directory", DETOUR_CONFIG_PATH, NULL, 0, 0,
    "where the relay keeps what it must remember; the service manager's or /var/lib/detour when not set",
    DETOUR_CONFIG_RESTART },
  { "workers", DETOUR_CONFIG_STRING, "auto", 0, 0,
    "threads that carry traffic, 1 to 64; auto: one less than there are processors, at most 4", DETOUR_CONFIG_RESTART },
  { "plugin-path", DETOUR_CONFIG_PATH, NULL, 0, 0,
    "directories in which to look for plugins, the first hit counts; the installed ones when not set. What is loaded "
    "stays so",
    DETOUR_CONFIG_LIST },
  { "control-socket", DETOUR_CONFIG_PATH, NULL, 0, 0,
    "socket for detourctl; control in the run-time directory when not set", DETOUR_CONFIG_RESTART },
  { "dbus", DETOUR_CONFIG_ENUM, "auto", 0, 0,
    "bus to appear on; auto: the system bus where there is one", DETOUR_CONFIG_RESTART, "auto|system|session|none" },
  { NULL }
};

const DetourConfigKey detour_schema_limits[] = {
  { "connections", DETOUR_CONFIG_UINT, "off", 1, 10000000,
    "clients connected at a time", DETOUR_CONFIG_LIMIT },
  { "half-open", DETOUR_CONFIG_UINT, "2000", 1, 1000000,
    "connections that are logging in at a time; more of them wait for their turn", DETOUR_CONFIG_LIMIT },
  { "connections-per-source", DETOUR_CONFIG_UINT, "off", 1, 10000000,
    "clients from one address, or one /64 of IPv6", DETOUR_CONFIG_LIMIT },
  { "half-open-per-source", DETOUR_CONFIG_UINT, "64", 1, 1000000,
    "connections from one address that are logging in at a time; more of them wait for their turn",
    DETOUR_CONFIG_LIMIT },
  { "accept-rate", DETOUR_CONFIG_UINT, "off", 1, 1000000,
    "connections accepted in a second", DETOUR_CONFIG_LIMIT },
  { "accept-burst", DETOUR_CONFIG_UINT, NULL, 1, 1000000,
    "connections accepted at once before accept-rate slows them; as many as accept-rate when not set" },
  { "handshake-timeout", DETOUR_CONFIG_DURATION, "30s", SECOND, 10 * MINUTE,
    "time for the TLS handshake and the HTTP head together" },
  { "login-timeout", DETOUR_CONFIG_DURATION, "10s", SECOND, 10 * MINUTE,
    "time for the DERP login" },
  { "write-timeout", DETOUR_CONFIG_DURATION, "2s", 100, HOUR,
    "a client that takes nothing for so long is closed", DETOUR_CONFIG_LIMIT },
  { "keep-alive", DETOUR_CONFIG_DURATION, "60s", SECOND, HOUR,
    "time between keep-alive frames" },
  { "tcp-user-timeout", DETOUR_CONFIG_DURATION, "15s", SECOND, DAY,
    "time after which the kernel gives up on unacknowledged bytes", DETOUR_CONFIG_LIMIT },
  { "tcp-keep-alive", DETOUR_CONFIG_DURATION, "10m", SECOND, 7 * DAY,
    "idle time before the kernel probes a connection", DETOUR_CONFIG_LIMIT },
  { "queue-packets", DETOUR_CONFIG_UINT, "32", 1, 4096,
    "packets that wait for a slow client; the oldest is dropped" },
  { "queue-bytes", DETOUR_CONFIG_SIZE, "256K", 128 * KIB, 64 * MIB,
    "bytes that wait for a client which has stopped reading; one that is merely slow has queue-packets of any size" },
  { "receive-rate", DETOUR_CONFIG_RATE, "off", KIB, 100 * GIB,
    "bytes a second that one client may send", DETOUR_CONFIG_LIMIT },
  { "receive-burst", DETOUR_CONFIG_SIZE, NULL, KIB, 100 * GIB,
    "bytes that one client may send at once before receive-rate slows it; one second's worth when not set" },
  { "rate-config-file", DETOUR_CONFIG_PATH, NULL, 0, 0,
    "derper's JSON file of receive rates, read again on reload; it wins over receive-rate" },
  { NULL }
};

const DetourConfigKey detour_schema_admission[] = {
  { "chain", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "names of the auth instances to ask, or open for everyone", DETOUR_CONFIG_LIST },
  { "match", DETOUR_CONFIG_ENUM, "any", 0, 0,
    "any: one that allows is enough; all: every one must", 0, "any|all" },
  { "grace", DETOUR_CONFIG_DURATION, "24h", 0, 365 * DAY,
    "a key allowed so lately stays allowed while nobody can say" },
  { "recheck", DETOUR_CONFIG_DURATION, "10m", SECOND, 365 * DAY,
    "how often connected clients are asked about again", DETOUR_CONFIG_LIMIT },
  { "timeout", DETOUR_CONFIG_DURATION, "5s", 100, 10 * MINUTE,
    "time for a verdict" },
  { "negative-ttl", DETOUR_CONFIG_DURATION, "30s", 0, DAY,
    "how long a refusal is remembered" },
  { "refuse-hold", DETOUR_CONFIG_DURATION, "30s", 0, HOUR,
    "a refused client is held silently so long before it is closed; 0s closes at once" },
  { "disallow-app-names", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "application names whose clients are refused; an empty one is left out", DETOUR_CONFIG_LIST },
  { "dry-run", DETOUR_CONFIG_BOOL, "false", 0, 0,
    "decide, count and log, but let everyone pass" },
  { NULL }
};

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
