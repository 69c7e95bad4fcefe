/* detourctl-time.h: points in time as people write them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * detourctl_time_parse:
 * @text: `03:10`, `03:10:05`, `yesterday 03:10`, `2026-11-29 03:10`, or ISO 8601
 * @now: in the zone of whoever writes; a time without a day is the last one before
 * @us: (out): Unix time in microseconds
 *
 * Returns: FALSE when it is none of these.
 */
gboolean detourctl_time_parse (const char *text, GDateTime *now, gint64 *us)
    G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
