/* fleet-state.h: what is known of the relays of a fleet from one command to the next: a file beside
 * the inventory.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  FLEET_OPEN,     /* it serves; what nothing is known of does so, too */
  FLEET_ENTERING, /* it is being taken into service */
  FLEET_LEAVING,  /* it is being taken out of service */
  FLEET_OUT,      /* it is out of service */
} FleetStage;

typedef struct _FleetState FleetState;

/* @inventory: its path. A file that is not there is as good as an empty one. NULL with @error. */
FleetState *fleet_state_load (const char *inventory, GError **error);
void fleet_state_free (FleetState *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FleetState, fleet_state_free)

/* @self: (nullable): all relays serve then */
FleetStage fleet_state_stage (const FleetState *self, const char *relay);
/* Whether its stage was written down, and is not only taken for open. */
gboolean fleet_state_knows (const FleetState *self, const char *relay);
/* For programs: "open". */
const char *fleet_state_stage_name (FleetStage stage);

/* Relays that the last `fleet upgrade` is done with. */
gboolean fleet_state_is_upgraded (const FleetState *self, const char *relay);

/* What other commands have written since. FALSE with @error. */
gboolean fleet_state_refresh (FleetState *self, GError **error);

/* Whether the stage may be written, by what is known of all relays in this moment. FALSE with
 * @error. */
typedef gboolean (*FleetStateJudge) (const FleetState *self, gpointer user, GError **error);

/* Each writes the file at once, in one step, and keeps what others have written to it. @judge:
 * (nullable). FALSE with @error. */
gboolean fleet_state_set_stage (FleetState *self, const char *relay, FleetStage stage,
                                FleetStateJudge judge, gpointer user, GError **error);
/* Nobody else writes a stage before @judge has done its part. FALSE with @error. */
gboolean fleet_state_hold (FleetState *self, FleetStateJudge judge, gpointer user, GError **error);
/* As long as this is not freed no other command upgrades the same fleet. Reads anew what the one
 * before has written. FALSE with @error: one
 * does, or nobody can know. */
gboolean fleet_state_claim_upgrade (FleetState *self, GError **error);
gboolean fleet_state_set_upgraded (FleetState *self, const char *relay, GError **error);
gboolean fleet_state_forget_upgrade (FleetState *self, GError **error);

G_END_DECLS
