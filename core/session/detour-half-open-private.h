/* detour-half-open-private.h: the inside of the half-open backlog, for it and its test.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-half-open.h"

G_BEGIN_DECLS

/* The connections of one client address. It is there as long as it has any. */
struct _DetourHalfOpenAddress {
  DetourAddressKey key;
  GQueue stages[DETOUR_HALF_OPEN_N_STAGES]; /* of DetourHalfOpenEntry, ordered as those of all */
  guint64 begun;                            /* when one of them last got a place after waiting */
  /* Where it is among the others; NULL: it has none of that kind. */
  GSequenceIter *holding, *crowded, *wanting;
};

struct _DetourHalfOpen {
  const DetourHalfOpenFuncs *funcs;
  gpointer user;
  DetourHalfOpenLimits limits;
  GHashTable *addresses; /* DetourAddressKey → DetourHalfOpenAddress, which holds it */
  /* Of DetourHalfOpenEntry: those that wait, the one that came last first; those with a place, the
   * one that rests longest first. */
  GQueue stages[DETOUR_HALF_OPEN_N_STAGES];
  GSequence *holding; /* addresses with places, the one with the most last */
  GSequence *crowded; /* addresses with connections that wait, the one with the most last */
  GSequence *wanting; /* addresses with connections in WAITING, the next to be served first */
  guint64 begun;
};

G_END_DECLS
