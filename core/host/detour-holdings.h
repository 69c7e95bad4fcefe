/* detour-holdings.h: what an instance of a plugin was given by core, which takes it back.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whoever gives an instance something that has to end with it (a listener, routes, a sink, a key)
 * puts it here together with the function that takes it back. So neither the life of an instance
 * nor its owner has a list of what there is to give. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Takes @thing back on behalf of @owner. Whatever it calls may hold and release as well. */
typedef void (*DetourHoldingFunc) (gpointer owner, gpointer thing);

typedef enum {
  DETOUR_HOLD_FOR_RUN,      /* until the run of the instance ends */
  DETOUR_HOLD_OVER_RESTART, /* stays when the instance is started again at once */
} DetourHoldMode;

/* Main thread. */
typedef struct {
  GArray *entries; /* as they were given */
} DetourHoldings;

void detour_holdings_init (DetourHoldings *self);
/* Must be empty. */
void detour_holdings_clear (DetourHoldings *self);

/* What is held already becomes the newest. */
void detour_holdings_add (DetourHoldings *self, DetourHoldMode mode, DetourHoldingFunc release,
                          gpointer owner, gpointer thing);
/* Takes one thing back early. FALSE: it is not held, and nothing happened. */
gboolean detour_holdings_release (DetourHoldings *self, DetourHoldingFunc release, gpointer owner,
                                  gpointer thing);
/* Forgets one thing that ended by itself. FALSE: it is not held. */
gboolean detour_holdings_forget (DetourHoldings *self, DetourHoldingFunc release, gpointer owner,
                                 gpointer thing);
/* Takes back what was given, the newest first; of a restart only what does not outlast it. */
void detour_holdings_release_all (DetourHoldings *self, gboolean is_restart);

G_END_DECLS
