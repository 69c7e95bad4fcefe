/* detour-quota-month.h: the months by which quotas are counted, from one day of the month to the
 * next such day.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure functions over Unix time in seconds. A month begins at midnight UTC, so that it has the same
 * length wherever the relay is, and summer time changes nothing. In a month that does not have the
 * day, the last day takes its place. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Of the month in which @now_s lies. @day: 1 to 31 */
gint64 detour_quota_month_begin (gint64 now_s, guint day);
/* Of the month after the one in which @now_s lies. */
gint64 detour_quota_month_end (gint64 now_s, guint day);

G_END_DECLS
