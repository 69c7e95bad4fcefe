/* detour-health.h: what a client's user is told of the relay, in a Health frame.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Official clients show the text until another one comes, or the empty one. So a text is never sent
 * shortly before the end of a connection: it would stay although nobody could take it back. Only
 * clients that take extra frames get any. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Reasons, one bit each; there may be several. The text has all of them, the most important first,
 * in this order. */
typedef enum {
  DETOUR_HEALTH_ANNOUNCED = 1 << 0,   /* what the operator says to all */
  DETOUR_HEALTH_OVER_BUDGET = 1 << 1, /* no traffic is left this month */
  DETOUR_HEALTH_DUPLICATE = 1 << 2,   /* two connections with its key send in turns */
  DETOUR_HEALTH_SLOWED = 1 << 3,      /* it sends more than its receive rate */
} DetourHealth;

#define DETOUR_HEALTH_N_REASONS 4u

/* Bytes of an announcement, and of the text with all reasons. */
#define DETOUR_HEALTH_ANNOUNCEMENT_MAX 256u
#define DETOUR_HEALTH_TEXT_MAX         1024u

/* The name of reason number @index, for programs: "announcement"; static. */
const char *detour_health_reason_name (guint index);

/**
 * detour_health_format:
 * @reasons: of DetourHealth
 * @announcement: (nullable): needed with ANNOUNCED
 * @out: DETOUR_HEALTH_TEXT_MAX + 1 bytes
 *
 * Writes the text for these reasons; "" for none. Returns: its length.
 */
gsize detour_health_format (guint reasons, const char *announcement, char *out);

G_END_DECLS
