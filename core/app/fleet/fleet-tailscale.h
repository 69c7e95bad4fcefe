/* fleet-tailscale.h: reads and writes the policy of a tailnet over Tailscale's API.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fleet-inventory.h"

G_BEGIN_DECLS

typedef enum {
  FLEET_TAILSCALE_ERROR_FAILED,
  FLEET_TAILSCALE_ERROR_CHANGED, /* somebody else has changed the policy since it was read */
} FleetTailscaleError;

#define FLEET_TAILSCALE_ERROR (fleet_tailscale_error_quark ())
GQuark fleet_tailscale_error_quark (void);

typedef struct _FleetApi FleetApi;

/* Reads the secret, and gets a token where one is needed. @setup is borrowed. NULL with @error. */
FleetApi *fleet_tailscale_open (const FleetTailscale *setup, gint64 limit_ms, GError **error);
void fleet_tailscale_close (FleetApi *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FleetApi, fleet_tailscale_close)

/* The policy as its authors wrote it, with comments; NULL with @error. Remembers which one it is.
 */
char *fleet_tailscale_get (FleetApi *self, GError **error);
/* Puts another one in the place of the one that was read, unless that is another one by now. */
gboolean fleet_tailscale_put (FleetApi *self, const char *policy, GError **error);

G_END_DECLS
