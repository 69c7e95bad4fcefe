/* probe.h: what the checks of `detourctl probe` know, and how they say what they found.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each node of the map is looked at on a thread; its checks follow each other, since a later one
 * needs to know how far an earlier one came. Then each pair of nodes of a region is tried. */
#pragma once

#include "detourctl-derp.h"
#include "detourctl-dial.h"
#include "detourctl-map.h"
#include "detourctl.h"

G_BEGIN_DECLS

typedef enum {
  PROBE_GOOD,
  PROBE_WARNING, /* clients get on, but somebody should look */
  PROBE_FAILED,  /* clients notice */
  PROBE_SKIPPED, /* it could not be tried from here, or there was no use in it */
  PROBE_N_STATUS,
} ProbeStatus;

typedef enum {
  PROBE_STUN4,
  PROBE_STUN6,
  PROBE_TLS4,
  PROBE_TLS6,
  PROBE_LATENCY,
  PROBE_CAPTIVE,
  PROBE_LOGIN,
  PROBE_PACKET,
  PROBE_WEBSOCKET,
  PROBE_BANDWIDTH,
  PROBE_N_CHECKS,
} ProbeCheck;

typedef struct _ProbeNode ProbeNode;

typedef struct {
  ProbeCheck check;
  const ProbeNode *node;
  const ProbeNode *to; /* of a packet between two nodes; NULL: it stays within the node */
  ProbeStatus status;
  const char *code; /* "pin_wrong", for programs; static. "good" when it is */
  char *text;       /* what was seen, or what is wrong; translated, without a full stop */
  gint64 took_us;   /* -1: nothing was measured */
  gint64 left_s;    /* until the first certificate ends; G_MININT64: nothing is known of one */
  guint64 rate;     /* bytes a second; 0: nothing was measured */
} ProbeResult;

/* One family of a node. */
typedef struct {
  gboolean is_off;      /* the map says that it is not to be used */
  GPtrArray *addresses; /* of GInetAddress; empty when there is none */
} ProbeFamily;

typedef enum {
  PROBE_IPV4,
  PROBE_IPV6,
  PROBE_N_FAMILIES,
} ProbeFamilyIndex;

struct _ProbeNode {
  const DetourctlMapRegion *region;
  const DetourctlMapNode *entry;
  const char *name;     /* never NULL */
  guint16 port;         /* of DERP */
  guint16 stun_port;    /* 0: no STUN */
  char *no_name;        /* why HostName leads nowhere; NULL: it was not asked for, or it does */
  gboolean has_literal; /* HostName is an address, which no TLS asks for */
  ProbeFamily families[PROBE_N_FAMILIES], stun[PROBE_N_FAMILIES];

  GPtrArray *results; /* of ProbeResult */
  /* What the checks found out, for later ones. */
  gboolean has_tcp[PROBE_N_FAMILIES], has_tls[PROBE_N_FAMILIES];
  char *judged[PROBE_N_FAMILIES]; /* fingerprint of the certificate that a client would take */
  gboolean is_admitted;
  gint64 stun_us, latency_us; /* the best; -1: none */
};

typedef struct {
  gint64 limit_us; /* of each step on the network */
  char *ca_file;   /* NULL: the system's authorities */
  guint8 *mesh_key;
  gboolean is_closed;  /* the relays admit known keys alone, and must not admit ours */
  guint16 plain_port;  /* of the check for captive portals */
  guint64 bandwidth;   /* bytes to carry; 0: that is not asked */
  gboolean no_between; /* nodes of one region are not meshed */

  const DetourctlMap *map;
  GPtrArray *nodes;   /* of ProbeNode */
  GPtrArray *between; /* of ProbeResult: packets from one node to another */
} Probe;

/* Words of a check and of a status, for programs. */
const char *probe_check_name (ProbeCheck check);
const char *probe_status_name (ProbeStatus status);

/* Takes @text. */
ProbeResult *probe_note (GPtrArray *results, ProbeCheck check, const ProbeNode *node,
                         ProbeStatus status, const char *code, char *text);
void probe_result_free (gpointer result);
/* NULL: there is none. */
const ProbeResult *probe_node_result (const ProbeNode *node, ProbeCheck check);

/* FAILED with a code that says why, or SKIPPED when this host has no such network. */
void probe_note_error (GPtrArray *results, ProbeCheck check, const ProbeNode *node,
                       const char *place, const GError *error);

/* ---- probe-run.c ----------------------------------------------------------------------------- */

/* Looks at all nodes of @map in regions that @wants (NULL: all of them); blocks. */
void probe_run (Probe *self, const DetourctlMap *map, const char *region);
void probe_clear (Probe *self);
/* How many results have that status. */
guint probe_count (const Probe *self, ProbeStatus status);
typedef void (*ProbeResultFunc) (const ProbeResult *result, gpointer user);
/* In the order in which they are shown. */
void probe_foreach (const Probe *self, ProbeResultFunc func, gpointer user);

/* ---- probe-node.c ---------------------------------------------------------------------------- */

ProbeNode *probe_node_new (const DetourctlMapRegion *region, const DetourctlMapNode *entry);
void probe_node_free (gpointer node);
/* Finds its addresses; blocks. */
void probe_node_resolve (ProbeNode *self, gint64 limit_us);
/* What clients write as Host; free with g_free(). */
char *probe_node_host (const ProbeNode *self);
/* Where a client comes in: by IPv6 if it can, else by IPv4; NULL: nowhere. */
GInetAddress *probe_node_address (const ProbeNode *self);

/* ---- checks ---------------------------------------------------------------------------------- */

void probe_stun_check (const Probe *probe, ProbeNode *node);
/* TLS in each family, and the latency check in the best. */
void probe_tls_check (const Probe *probe, ProbeNode *node);
void probe_captive_check (const Probe *probe, ProbeNode *node);
/* Login, a packet, bandwidth. */
void probe_login_check (const Probe *probe, ProbeNode *node);
void probe_websocket_check (const Probe *probe, ProbeNode *node);
/* A packet from one node of a region to another one. */
void probe_between_check (const Probe *probe, const ProbeNode *from, const ProbeNode *to,
                          GPtrArray *results);

/**
 * probe_tls_connect:
 *
 * TCP and TLS as a client does it, where one would be let in by the verdict of
 * probe_tls_check(): the certificate has to be the same.
 *
 * Returns: FALSE with @error set.
 */
gboolean probe_tls_connect (const Probe *probe, const ProbeNode *node, GInetAddress *address,
                            DetourctlStream *stream, GError **error);

/* ---- probe-client.c -------------------------------------------------------------------------- */

/* One sentence on what a client would have done. */
typedef struct {
  const DetourctlMapRegion *region; /* NULL: of the whole map */
  const ProbeNode *node;            /* NULL: of the region */
  const char *code;                 /* static */
  char *text;                       /* translated, with a full stop */
} ProbeAdvice;

/* Array of ProbeAdvice. Pure. */
GPtrArray *probe_client_advice (const Probe *probe);

/* ---- probe-tell.c ---------------------------------------------------------------------------- */

void probe_tell_table (const Detourctl *ctl, const Probe *probe, const GPtrArray *advice);
void probe_tell_json (const Probe *probe, const char *place, const GPtrArray *advice);

G_END_DECLS
