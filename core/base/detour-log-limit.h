/* detour-log-limit.h: how many lines of one kind the log takes, where strangers decide how many
 * there are.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-bucket.h"

G_BEGIN_DECLS

/* Thread: one owner. */
typedef struct {
  DetourBucket lines;
  guint n_left_out;
} DetourLogLimit;

void detour_log_limit_init (DetourLogLimit *self, gint64 now_us);

/**
 * detour_log_limit_level:
 *
 * Asked before each line. Says first how many lines were left out since the last one that was
 * shown.
 *
 * Returns: the level of the line: MESSAGE, or DEBUG when there were too many of them lately.
 */
GLogLevelFlags detour_log_limit_level (DetourLogLimit *self, gint64 now_us);

G_END_DECLS
