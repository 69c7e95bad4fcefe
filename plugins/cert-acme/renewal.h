/* renewal.h: the certificate of one instance: published, ordered, kept and renewed.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Main thread. */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

typedef struct _Renewal Renewal;

/* Publishes what is stored and orders what is due, but not before the daemon is ready. NULL with
 * @error set: the settings name no name. */
Renewal *renewal_new (DetourHost *host, DetourSettings *settings, GError **error);
/* Ends a try that is under way; it counts as failed. */
void renewal_free (Renewal *self);

/* An operator wants a new one now; answered when the try is over. */
void renewal_request (Renewal *self, DetourCertRenewal *request);

/* An operator wants another key for the account; answered when the authority has it. */
void renewal_request_rollover (Renewal *self, DetourCertRenewal *request);

/* The authority is asked at once whether it wants the certificate renewed. */
void renewal_look_again (Renewal *self);

G_END_DECLS
