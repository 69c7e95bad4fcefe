/* detour-client-rates.h: how much clients send and receive now, from two looks at their counters.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Nothing is kept before somebody asks, and nothing half a minute after the last one did: packets
 * are only counted, as ever. A look keeps 48 bytes for each connection. */
#pragma once

#include "detour-scan.h"

G_BEGIN_DECLS

/* Main thread. */
typedef struct _DetourClientRates DetourClientRates;

DetourClientRates *detour_client_rates_new (void);
void detour_client_rates_free (DetourClientRates *self);

/* How long to wait before the next look at clients, up to a second; 0: it can be now. @now_us is
 * the monotonic time. */
gint64 detour_client_rates_wait_us (const DetourClientRates *self, gint64 now_us);

/**
 * detour_client_rates_fill:
 * @rows: (element-type DetourScanRow): of a scan of all connections
 * @now_us: the monotonic time
 *
 * Sets the rates of rows, and keeps what the next look is compared with. A look that is less than a
 * second from the last one is compared with the one before that, so that callers do not spoil each
 * other's.
 *
 * Returns: FALSE when it was the first look for long, and has to be done again.
 */
gboolean detour_client_rates_fill (DetourClientRates *self, GPtrArray *rows, gint64 now_us)
    G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
