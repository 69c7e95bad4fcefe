/* detourctl-fleet-publish.h: brings a map to where clients get it from.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl-fleet-map.h"

G_BEGIN_DECLS

typedef struct {
  gboolean is_partial; /* relays that do not answer are left out */
  gboolean is_dry;     /* nothing is changed */
  gboolean is_certain; /* nobody is asked */
  /* What became of it. */
  gboolean has_changed; /* or would, when it is dry */
  char *diff;           /* of the policy; NULL: there is none */
} DetourctlPublication;

void detourctl_publication_clear (DetourctlPublication *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DetourctlPublication, detourctl_publication_clear)

/* Whether the inventory says where the map is to be. */
gboolean detourctl_fleet_has_place (const Fleet *fleet);

/* The map of the inventory as it is now into all its places, of which there is one at least. Others
 * that write the same file wait from the reading to the writing. Not GOOD after a message. */
DetourctlExit detourctl_fleet_publish (const Detourctl *self, DetourctlPublication *publication);

G_END_DECLS
