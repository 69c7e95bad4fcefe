/* fleet-facts.h: what a relay of a fleet says of itself.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fleet-ask.h"

G_BEGIN_DECLS

typedef struct {
  GVariant *manager; /* a{sv} */
  GVariant *objects; /* a{oa{sa{sv}}} */
  /* Of [derpmap] in its configuration; NULL: not set. */
  char *region, *code, *name, *ipv4, *ipv6;
} FleetFacts;

/* For fleet_ask(). */
gpointer fleet_facts_ask (FleetLink *link, gpointer user, GError **error);
void fleet_facts_free (gpointer facts);

G_END_DECLS
