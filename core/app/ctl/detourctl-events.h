/* detourctl-events.h: events of the daemon as people read them, and what happened to a key.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl-json.h"

G_BEGIN_DECLS

/* Members of an event that are times. */
extern const char *const detourctl_event_times[];

/* "2026-11-29 03:10:05" in local time; free with g_free(). */
char *detourctl_event_time (GVariant *event);
/* "joined", translated. */
const char *detourctl_event_word (GVariant *event);
/* What else there is to say of it; free with g_free(). */
char *detourctl_event_text (GVariant *event);

/* What ListEvents() takes for the next one, floating. */
GVariant *detourctl_events_wishes (const char *key, gint64 from_us, gint64 until_us);
/* Events of @key, aa{sv}, the oldest first; NULL after a message. @key: (nullable): of all, and of
 * none; @from_us: 0: from the first one that is known */
GVariant *detourctl_events_ask (Detourctl *self, const char *key, gint64 from_us, gint64 until_us,
                                DetourctlExit *exit);

/* `detourctl why KEY --at TIME`: what happened to @key around that time. */
DetourctlExit detourctl_events_why (Detourctl *self, const char *key, const char *at);

G_END_DECLS
