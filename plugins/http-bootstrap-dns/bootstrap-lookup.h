/* bootstrap-lookup.h: asks the system's resolver for all names at once.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bootstrap-name.h"

G_BEGIN_DECLS

typedef struct _BootstrapLookup BootstrapLookup;

/**
 * bootstrap_lookup_new:
 * @names: of BootstrapName, at least one; must stay until @done was called or the lookup was
 *   abandoned
 * @done: called once, from the main loop, when all questions have an answer or were given up
 *
 * A name that is not found keeps the addresses it had. Main thread.
 */
BootstrapLookup *bootstrap_lookup_new (GPtrArray *names, void (*done) (gpointer user),
                                       gpointer user);
/* Time is up: what has no answer yet gets none. */
void bootstrap_lookup_give_up (BootstrapLookup *self);
/* @done is not called any more, and names are not touched. */
void bootstrap_lookup_abandon (BootstrapLookup *self);

G_END_DECLS
