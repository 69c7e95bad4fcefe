/* detour-log-view.h: the last lines of the log for callers, and lines as they come for those who
 * subscribed.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What ListLog(), SubscribeLog() and UnsubscribeLog() do, as data/io.github.detourd.Detour1.xml
 * describes them. While there is a subscriber the memory of the log is looked at ten times a
 * second, on the main thread: whoever logs waits for nobody. */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _DetourLogView DetourLogView;

/* @path: of the object that emits. Main thread, like all that follows. */
DetourLogView *detour_log_view_new (const char *path);
void detour_log_view_free (DetourLogView *self);

/* Answer @call. */
void detour_log_view_list (DetourLogView *self, GVariant *options, GDBusMethodInvocation *call);
void detour_log_view_subscribe (DetourLogView *self, GDBusMethodInvocation *call);
void detour_log_view_unsubscribe (DetourLogView *self, GDBusMethodInvocation *call);

G_END_DECLS
