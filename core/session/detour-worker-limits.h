/* detour-worker-limits.h: the limits of workers, as the configuration has them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-schema.h"
#include "detour-settings.h"
#include "detour-worker.h"

G_BEGIN_DECLS

/**
 * detour_worker_limits_read:
 * @settings: [limits], for the place of an error
 * @limits: the same, read
 * @n_workers: workers that share what is a limit of all
 *
 * Returns: FALSE with @error set when the file of rates cannot be used; @self has what the file
 *   does not say then.
 */
gboolean detour_worker_limits_read (DetourWorkerLimits *self, const DetourSettings *settings,
                                    const DetourLimits *limits, guint n_workers, GError **error);

G_END_DECLS
