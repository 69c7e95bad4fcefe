/* simulate-region.h: one region of many nodes, as a model that counts.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define SIMULATE_NODES_MAX 65535u

typedef struct {
  guint nodes;       /* 1 to SIMULATE_NODES_MAX */
  guint keys;        /* clients of the region, at least 1 */
  double churn;      /* how often a client connects anew, an hour */
  double seconds;    /* of churn that are watched */
  double logins;     /* that a node serves a second */
  guint packets;     /* that are sent to see where they go */
  gboolean in_order; /* all clients have the nodes in one order, and take the first that answers */
  guint64 seed;
} SimulateRegionPlan;

typedef struct {
  guint64 links;
  /* Clients at a node. */
  guint local_most;
  double local_mean;
  guint remote_most; /* keys that a node knows of other nodes */
  /* Packets. */
  double forwarded; /* share, 0 to 1 */
  /* Churn. */
  guint64 changes;   /* arrivals and departures */
  guint64 frames;    /* that told of them, on all links */
  double heard;      /* frames that a node gets a second, mean */
  double heard_peak; /* the most of one node in one second */
  double link_bytes; /* of frames a second on one link, mean */
  /* The fullest node ends. */
  guint lost;               /* clients that have to go elsewhere */
  double back_seconds;      /* until all have */
  guint retries;            /* attempts that waited too long for their turn */
  guint link_peak;          /* most PeerPresent on one link in one second meanwhile */
  double forwarded_without; /* share of packets that are forwarded then */
  /* It comes back, empty, and hears of everyone. */
  guint flood_frames;
  guint flood_link; /* the most on one link */
} SimulateRegionResult;

void simulate_region (const SimulateRegionPlan *plan, SimulateRegionResult *result);

G_END_DECLS
