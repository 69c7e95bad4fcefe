/* detour-rate-stream.h: who moves how much now, every second, for callers that subscribed.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * While there is a subscriber the clients are looked at once a second, for all of them together. */
#pragma once

#include <gio/gio.h>

#include "detour-server.h"

G_BEGIN_DECLS

typedef struct _DetourRateStream DetourRateStream;

/* @path: of the object that emits. Main thread, like all that follows. */
DetourRateStream *detour_rate_stream_new (const char *path, DetourServer *server);
/* Runs the main context until every worker has answered. */
void detour_rate_stream_free (DetourRateStream *self);

/* Answer @call. @options: "limit", "sort" and "reverse" of ListClients(); a caller that has
 * subscribed before changes them. */
void detour_rate_stream_add (DetourRateStream *self, GVariant *options,
                             GDBusMethodInvocation *call);
void detour_rate_stream_remove (DetourRateStream *self, GDBusMethodInvocation *call);

G_END_DECLS
