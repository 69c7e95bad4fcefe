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
/* The manager keeps a duplicate of @fd for the next program, whether or not somebody holds the
 * other end; nothing says that it did not want it. */
void detour_notify_store (const char *name, int fd);
void detour_notify_unstore (const char *name);

/* Time within which the manager expects detour_notify_watchdog(), in microseconds; 0: the manager
 * has no watchdog for this process. */
guint64 detour_notify_watchdog_us (void);

G_END_DECLS
