/* detour-watchdog.h: tells the service manager that the threads which carry traffic are alive.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-server.h"

G_BEGIN_DECLS

typedef struct _DetourWatchdog DetourWatchdog;

/* Main thread. NULL when the service manager does not watch. */
DetourWatchdog *detour_watchdog_new (DetourServer *server);
/* Asks nobody any more. Main thread, while the server is there. */
void detour_watchdog_stop (DetourWatchdog *self);
/* When the server is gone: its threads may have answered until then. */
void detour_watchdog_free (DetourWatchdog *self);

G_END_DECLS
