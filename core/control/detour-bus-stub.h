/* detour-bus-stub.h: answers for the bus on a connection that has none, so that busctl and gdbus
 * work on it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The daemon's own end, as if a bus had named it. */
#define DETOUR_BUS_STUB_DAEMON ":1.0"

/* Main thread. Good until the connection is closed. */
gboolean detour_bus_stub_register (GDBusConnection *connection, GError **error);

/* The peer has called AddMatch(), so that it may wait for signals without calling anything. */
gboolean detour_bus_stub_wants_signals (GDBusConnection *connection);

G_END_DECLS
