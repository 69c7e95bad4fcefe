/* detour-watchdog.h: tells the service manager that every thread of the relay makes progress, and
 * the log which one does not.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A thread of its own asks the main loop, each worker and each thread for handshakes to come round.
 * Only when all of them have done so is the service manager told. A thread that has not come round
 * for a third of the manager's time is named in the log, so that there is a line before the manager
 * ends the daemon. */
#pragma once

#include "detour-server.h"

G_BEGIN_DECLS

typedef struct _DetourWatchdog DetourWatchdog;

/* Main thread. NULL when the service manager does not watch. */
DetourWatchdog *detour_watchdog_new (DetourServer *server);
/* The main loop waits for another program, for @for_us at most, and threads stand still meanwhile:
 * the service manager is told all the same. 0: that is over. Main thread. @self: (nullable) */
void detour_watchdog_excuse (DetourWatchdog *self, gint64 for_us);
/* Asks nobody any more. Main thread, while the server is there. */
void detour_watchdog_stop (DetourWatchdog *self);
/* When the server is gone: its threads may have answered until then. */
void detour_watchdog_free (DetourWatchdog *self);

G_END_DECLS
