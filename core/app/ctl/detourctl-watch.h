/* detourctl-watch.h: notices that the daemon has gone while a command waits for what it says.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl.h"

G_BEGIN_DECLS

typedef struct _DetourctlWatch DetourctlWatch;

/* @self is connected. Quits @loop when the daemon has gone. Main thread. */
DetourctlWatch *detourctl_watch_new (Detourctl *self, GMainLoop *loop);

/* Frees @watch. Returns @exit, or, when the daemon has gone, says so and returns
 * %DETOURCTL_NO_DAEMON. */
DetourctlExit detourctl_watch_end (DetourctlWatch *watch, DetourctlExit exit);

G_END_DECLS
