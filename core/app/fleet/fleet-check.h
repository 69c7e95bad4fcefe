/* fleet-check.h: what is wrong between the relays of a fleet, which none of them sees alone.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fleet-inventory.h"

G_BEGIN_DECLS

/* A relay that answered; borrowed. */
typedef struct {
  const FleetRelay *relay;
  gboolean is_out;       /* of service: it need not be linked */
  GVariant *manager;     /* a{sv} */
  GVariant *objects;     /* a{oa{sa{sv}}} */
  gint64 clock_ahead_us; /* of its clock before the one here; negative: behind */
  gint64 clock_doubt_us; /* to both sides: how long the question took */
} FleetMember;

typedef struct {
  const char *code;  /* "pair_unlinked", for programs; static */
  const char *relay; /* borrowed from the members; NULL: this host */
  const char *other; /* likewise; NULL: it is about one */
  char *text;        /* for people; translated */
  char *remedy;      /* likewise */
} FleetFinding;

/* Pure. Of FleetFinding. @fleet: all, also those that are not among @members */
GPtrArray *fleet_check (const Fleet *fleet, const FleetMember *members, guint n);

G_END_DECLS
