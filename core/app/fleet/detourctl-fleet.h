/* detourctl-fleet.h: what the commands for several relays share.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fleet-ask.h"
#include "fleet-state.h"

G_BEGIN_DECLS

/* For the options of a command. */
extern char *detourctl_fleet_inventory;
#define DETOURCTL_FLEET_OPTION                                              \
  {                                                                         \
    "inventory", 0, 0, G_OPTION_ARG_FILENAME, &detourctl_fleet_inventory,   \
        N_ ("Take FILE and not the usual inventory of relays"), N_ ("FILE") \
  }

/* Of the inventory. */
const char *detourctl_fleet_path (void);

/* "detourctl fleet WORDS" with the option of the inventory that was given, for a next step. */
char *detourctl_fleet_command (const char *words);

/* NULL after a message, with @exit. @names: relays that have to be there; NULL: none */
Fleet *detourctl_fleet_load (char **names, DetourctlExit *exit);

/* Stages of the relays; NULL after a message, with @exit. */
FleetState *detourctl_fleet_load_state (const Fleet *fleet, DetourctlExit *exit);

/* Names of the relays that are not out of service; NULL after a message, with @exit: all are. */
GStrv detourctl_fleet_in_service (const Fleet *fleet, const FleetState *state, DetourctlExit *exit);

/* Names those that did not answer on standard error; FAILED if one of them is not out of service,
 * else @exit. */
DetourctlExit detourctl_fleet_name_silent (const GPtrArray *answers, const FleetState *state,
                                           DetourctlExit exit);

/* "a, b", or "a, b, c, d and 12 more"; free with g_free(). @names: of char * */
char *detourctl_fleet_join_names (const GPtrArray *names);

/* A line of what is wrong, with "!". */
void detourctl_fleet_print_finding (const Detourctl *self, const char *text);

G_END_DECLS
