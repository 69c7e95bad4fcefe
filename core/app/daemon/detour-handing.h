/* detour-handing.h: this program hands its clients to one that waits in another process.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-handover.h"
#include "detour-key.h"
#include "detour-rehearsal.h"

G_BEGIN_DECLS

typedef struct _DetourHanding DetourHanding; /* main thread */

/* Asks the program that waits at @path whether it could take over. @draft: its samples; @key: of
 * this relay, which the other one has to have as well. @done is called once, later, as of a
 * rehearsal. */
DetourHanding *detour_handing_new (const char *path, const DetourHandoverDraft *draft,
                                   const DetourKey *key, DetourRehearsalDone done, gpointer user);
/* The other one hears that nothing comes any more. */
void detour_handing_free (DetourHanding *self);

/* From the record to the word that all is there; nothing moves meanwhile. */
#define DETOUR_HANDING_GIVE_US (10 * G_USEC_PER_SEC)

/**
 * detour_handing_give:
 * @draft: all connections, which nobody touches meanwhile
 *
 * Waits until the other program has all and could go on, DETOUR_HANDING_GIVE_US at most. FALSE: it
 * could not, and has forgotten what it got; TRUE: it goes on, and nothing may be sealed here any
 * more.
 */
gboolean detour_handing_give (DetourHanding *self, const DetourHandoverDraft *draft,
                              GError **error);

G_END_DECLS
