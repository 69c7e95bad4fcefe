/* detour-bus-stub.h: answers the calls that busctl and gdbus make to a bus, on a connection that
 * has none.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Unique name of the daemon's end, such as a bus would give it. */
#define DETOUR_BUS_STUB_DAEMON ":1.0"

/* Main thread. The object stays registered until the connection is closed. */
gboolean detour_bus_stub_register (GDBusConnection *connection, GError **error);

/* The peer has called AddMatch(), so that it may wait for signals without calling anything. */
gboolean detour_bus_stub_wants_signals (GDBusConnection *connection);
/* The same, by another call. */
void detour_bus_stub_wait_for_signals (GDBusConnection *connection);

G_END_DECLS
