/* detour-notify.h: tells the service manager the state of the daemon.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* All of these do nothing where no service manager asked to be told ($NOTIFY_SOCKET). Any thread.
 */
void detour_notify_ready (void);
void detour_notify_reloading (void);
void detour_notify_stopping (void);
void detour_notify_watchdog (void);
void detour_notify_status (const char *format, ...) G_GNUC_PRINTF (1, 2);

/* Time within which the manager expects detour_notify_watchdog(), in microseconds; 0: the manager
 * has no watchdog for this process. */
guint64 detour_notify_watchdog_us (void);

G_END_DECLS
