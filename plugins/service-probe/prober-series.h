/* prober-series.h: what the last look saw, as numbers for monitoring.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Main thread. */
#pragma once

#include "detour-plugin.h"
#include "prober-report.h"

G_BEGIN_DECLS

typedef struct _ProberSeries ProberSeries;

ProberSeries *prober_series_new (DetourHost *host);
void prober_series_free (ProberSeries *self);

/* Checks that are not in @report any more count as neither good nor failed. */
void prober_series_update (ProberSeries *self, const ProberReport *report);
/* A look that told nothing. */
void prober_series_note_broken (ProberSeries *self);

G_END_DECLS
