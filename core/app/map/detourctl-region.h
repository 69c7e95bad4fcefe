/* detourctl-region.h: the entry of this relay in a DERP map.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* One region with one node. Texts are borrowed. */
typedef struct _DetourctlRegion DetourctlRegion;
struct _DetourctlRegion {
  guint64 id;
  const char *code, *name;
  const char *node_name; /* NULL: made of the number of the region */
  const char *hostname;
  const char *ipv4, *ipv6; /* NULL: clients look the name up; "none": that family is not used */
  const char *cert_name;   /* NULL: the certificate is for the host name */
  guint derp_port;         /* 0: 443 */
  int stun_port;           /* 0: 3478; -1: no STUN */
  gboolean stun_only;      /* no listener relays */
  gboolean can_port80;
  const DetourctlRegion *next; /* of the same relay, with another certificate; NULL: none */
};

typedef enum {
  DETOURCTL_REGION_TAILSCALE, /* member of a policy file */
  DETOURCTL_REGION_HEADSCALE, /* a YAML file for derp.paths */
  DETOURCTL_REGION_JSON,      /* a whole DERP map */
} DetourctlRegionFormat;

/* First label of a host name; "own" for an address, which has none. Free with g_free(). */
char *detourctl_region_default_code (const char *hostname);

/* "tailscale", …; FALSE when there is none. */
gboolean detourctl_region_format_from_name (const char *name, DetourctlRegionFormat *out);

/**
 * detourctl_region_learn:
 * @objects: a{oa{sa{sv}}} of the daemon
 * @self: (inout): with `hostname`; ports, pin and port 80 are filled in, and of the addresses those
 * that are not set: from the host name, when it is one, and from listeners that are bound to one
 * that is not private. Listeners with another pin, or without one, make further regions, with the
 * numbers that follow
 * @texts: (inout): array with g_free() as free function that keeps what @self points to, further
 * regions too
 *
 * Pure.
 *
 * Returns: FALSE when no listener that relays speaks TLS: then the port is what clients expect, and
 * something in front must listen there, unless the node has `stun_only`.
 */
gboolean detourctl_region_learn (DetourctlRegion *self, GVariant *objects, GPtrArray *texts);

/* Free with g_free(). */
char *detourctl_region_format (const DetourctlRegion *self, DetourctlRegionFormat format);

G_END_DECLS
