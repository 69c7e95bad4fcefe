/* fleet-inventory.h: the file that names the relays of a fleet and how each is reached.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config-errors.h"

G_BEGIN_DECLS

/* A relay has one of `socket`, `ssh` and `command`. */
typedef struct {
  char *name;
  guint line;
  guint64 region;
  char *socket;                  /* of a daemon on this host */
  char *ssh;                     /* where ssh connects to: "user@host", "ssh://user@host:2222" */
  GStrv command;                 /* words of a program that runs detourctl at the other end */
  char *node;                    /* its name in the map; NULL: made of the region and a letter */
  char *host_name, *ipv4, *ipv6; /* NULL: what the relay says itself */
} FleetRelay;

/* What the map says of a region; NULL: what its relays say. */
typedef struct {
  guint64 id;
  guint line;
  char *code, *name;
} FleetRegion;

/* Where the map of the fleet is to be. */
typedef struct {
  char *file; /* NULL: there is no group [headscale] */
  gboolean is_json;
} FleetHeadscale;

typedef struct {
  char *url; /* NULL: there is no group [tailscale] */
  char *tailnet;
  char *client_id, *client_secret_file; /* NULL: an API key */
  char *key_file;                       /* NULL: an OAuth client */
  char *ca_file;                        /* NULL: the system's authorities */
} FleetTailscale;

typedef struct {
  char *path;         /* of the file, for messages */
  GPtrArray *relays;  /* of FleetRelay, in the order of the file */
  GPtrArray *regions; /* of FleetRegion */
  FleetHeadscale headscale;
  FleetTailscale tailscale;
  guint parallel; /* relays that are asked at once */
} Fleet;

/**
 * fleet_inventory_parse:
 * @name: of the file, for messages
 * @errors: what is wrong is added here
 *
 * Pure. Returns: (nullable): NULL when there was an error.
 */
Fleet *fleet_inventory_parse (const char *name, const char *data, gsize len,
                              DetourConfigErrors *errors);
/* The same for a file on disk. */
Fleet *fleet_inventory_load (const char *path, DetourConfigErrors *errors);
void fleet_inventory_free (Fleet *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fleet, fleet_inventory_free)

/* NULL: there is none. */
const FleetRelay *fleet_inventory_relay (const Fleet *self, const char *name);
const FleetRegion *fleet_inventory_region (const Fleet *self, guint64 id);

/* The words with which detourctl is run on a relay's host, for execvp(); no shell here reads them.
 * Add only words without a meaning for any shell: one at the other end may read them. @own: path of
 * this program; @limit_ms: how long ssh may try */
GStrv fleet_inventory_way (const FleetRelay *relay, const char *own, gint64 limit_ms);

G_END_DECLS
