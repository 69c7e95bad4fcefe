/* detour-event-stream.h: events as they happen, for callers that subscribed.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * While there is a subscriber the memory of events is looked at ten times a second, on the main
 * thread: whoever notes an event waits for nobody. */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _DetourEventStream DetourEventStream;

/* @path: of the object that emits. Main thread, like all that follows. */
DetourEventStream *detour_event_stream_new (const char *path);
void detour_event_stream_free (DetourEventStream *self);

/* Answer @call. Twice is as good as once. */
void detour_event_stream_add (DetourEventStream *self, GDBusMethodInvocation *call);
void detour_event_stream_remove (DetourEventStream *self, GDBusMethodInvocation *call);

G_END_DECLS
