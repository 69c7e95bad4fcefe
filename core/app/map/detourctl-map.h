/* detourctl-map.h: a DERP map, read from a document of whichever form, and what is wrong with it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl-document.h"
#include "detourctl-region.h"

G_BEGIN_DECLS

typedef struct {
  gboolean is_error; /* clients, or what reads the map for them, would refuse or miss something */
  guint line;        /* 0: no line in particular */
  char *path; /* "Regions.901.Nodes[0].DERPPort", as the document spells the names; "": all of
                 it */
  char *text; /* translated */
} DetourctlMapFinding;

/* Texts are NULL where the document has none; other defaults are 0. */
typedef struct {
  guint line;
  char *path;
  char *name, *host_name, *cert_name, *ipv4, *ipv6, *stun_test_ip;
  gint64 region_id, stun_port, derp_port;
  gboolean has_region_id, stun_only, can_port80, insecure;
} DetourctlMapNode;

typedef struct {
  guint line;
  char *path;
  gint64 key; /* of the member */
  gint64 id;  /* inside of it */
  gboolean has_id;
  gboolean is_null; /* takes a region of the default map away */
  char *code, *name;
  char *latitude, *longitude; /* as they are written */
  gboolean avoid, no_measure_no_home;
  GPtrArray *nodes; /* of DetourctlMapNode */
} DetourctlMapRegion;

typedef struct {
  gint64 region;
  char *factor; /* as it is written */
} DetourctlMapScore;

typedef struct {
  DetourctlDocumentKind kind;
  gboolean is_policy; /* the map is the member derpMap */
  GPtrArray *regions; /* of DetourctlMapRegion, in the order of the document */
  GPtrArray *scores;  /* of DetourctlMapScore */
  gboolean omit_default_regions;
  GPtrArray *findings; /* of DetourctlMapFinding */
} DetourctlMap;

/**
 * detourctl_map_read:
 *
 * Takes from @document what it has of a map. Whatever has the wrong type or an unknown name becomes
 * a finding; check the rest with detourctl_map_check(). Pure.
 */
DetourctlMap *detourctl_map_read (const DetourctlDocument *document);
/* One without regions. */
DetourctlMap *detourctl_map_new (void);
void detourctl_map_free (DetourctlMap *self);
/* Both have a path and a number at most, and are owned by what they are added to. */
DetourctlMapRegion *detourctl_map_add_region (DetourctlMap *self, gint64 key, const char *path);
DetourctlMapNode *detourctl_map_add_node (DetourctlMapRegion *region, const char *path);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourctlMap, detourctl_map_free)

/* Adds to the findings of @self all that clients, probers or Headscale would stumble over. Pure. */
void detourctl_map_check (DetourctlMap *self);
/* The same for what @self and @before, which Headscale would read earlier, have in common;
 * @before_name is for messages. */
void detourctl_map_check_together (DetourctlMap *self, const DetourctlMap *before,
                                   const char *before_name);

/* @line: 0: none in particular */
void detourctl_map_note (DetourctlMap *self, gboolean is_error, guint line, const char *path,
                         const char *format, ...) G_GNUC_PRINTF (5, 6);
guint detourctl_map_count (const DetourctlMap *self, gboolean is_error);

/**
 * detourctl_map_load:
 * @place: as for detourctl_place_read()
 * @limit_ms: how long a server may take
 *
 * Returns: (nullable): read and checked; NULL with @error
 */
DetourctlMap *detourctl_map_load (const char *place, gint64 limit_ms, GError **error);

/* Regions of @from take the place of those of @into with the same number; the order is that of the
 * numbers. Findings of @from are not taken over. */
void detourctl_map_merge (DetourctlMap *into, const DetourctlMap *from);

/* The region of a relay, and those that come with it; implemented in detourctl-region.c. */
void detourctl_map_add_relay (DetourctlMap *self, const DetourctlRegion *relay);

/* ---- detourctl-map-text.c ----------------------------------------------------------------------
 */

/* What the structs have of the map; members that they do not know are lost. Free with g_free(). */
char *detourctl_map_format (const DetourctlMap *self, DetourctlRegionFormat format);

G_END_DECLS
