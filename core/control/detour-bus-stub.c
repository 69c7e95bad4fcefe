/* detour-bus-stub.c: answers the calls that busctl and gdbus make to a bus, on a connection that
 * has none.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-bus-stub.h"

#include <string.h>

#include "detour-bus-interfaces.h"

#define BUS_NAME "org.freedesktop.DBus"

#define NAME_OF_PEER ":1.1"

/* Key of data of a connection: it called AddMatch(). */
#define WANTS_SIGNALS "detour-wants-signals"

#define START_REPLY_ALREADY_RUNNING 2u

static gboolean
bus_stub_is_here (const char *name)
{
  return strcmp (name, DETOUR_BUS_NAME) == 0 || strcmp (name, DETOUR_BUS_STUB_DAEMON) == 0;
}

static GVariant *
bus_stub_answer (const char *method, const char *name)
{
  static const char *const names[] = { BUS_NAME, DETOUR_BUS_NAME, NULL };

  if (strcmp (method, "Hello") == 0)
    return g_variant_new ("(s)", NAME_OF_PEER);
  if (strcmp (method, "ListNames") == 0)
    return g_variant_new ("(^as)", names);
  if (strcmp (method, "ListActivatableNames") == 0)
    return g_variant_new ("(as)", NULL);
  if (strcmp (method, "NameHasOwner") == 0)
    return g_variant_new ("(b)", bus_stub_is_here (name) || strcmp (name, BUS_NAME) == 0);
  if (strcmp (method, "GetNameOwner") == 0 && bus_stub_is_here (name))
    return g_variant_new ("(s)", DETOUR_BUS_STUB_DAEMON);
  if (strcmp (method, "StartServiceByName") == 0 && bus_stub_is_here (name))
    return g_variant_new ("(u)", START_REPLY_ALREADY_RUNNING);
  return NULL;
}

static void
bus_stub_on_call (GDBusConnection *connection, const char *sender, const char *path,
                  const char *interface_name, const char *method, GVariant *arguments,
                  GDBusMethodInvocation *call, gpointer data)
{
  g_autoptr (GVariant) first = g_variant_n_children (arguments) > 0
                                 ? g_variant_get_child_value (arguments, 0)
                                 : NULL;
  const char *name = first != NULL ? g_variant_get_string (first, NULL) : "";
  GVariant *result = bus_stub_answer (method, name);

  if (strcmp (method, "AddMatch") == 0)
    g_object_set_data (G_OBJECT (connection), WANTS_SIGNALS, GINT_TO_POINTER (TRUE));
  /* Every peer gets all signals, so match rules change nothing. */
  if (result != NULL || g_str_has_suffix (method, "Match"))
    g_dbus_method_invocation_return_value (call, result);
  else
    g_dbus_method_invocation_return_error (call, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER,
                                           "nobody but " DETOUR_BUS_NAME " is here");
}

static const GDBusInterfaceVTable vtable = { .method_call = bus_stub_on_call };

gboolean
detour_bus_stub_register (GDBusConnection *connection, GError **error)
{
  return g_dbus_connection_register_object (
             connection, "/org/freedesktop/DBus",
             (GDBusInterfaceInfo *) &detour_bus_org_freedesktop_dbus_interface, &vtable, NULL, NULL,
             error)
      != 0;
}

gboolean
detour_bus_stub_wants_signals (GDBusConnection *connection)
{
  return g_object_get_data (G_OBJECT (connection), WANTS_SIGNALS) != NULL;
}

void
detour_bus_stub_wait_for_signals (GDBusConnection *connection)
{
  g_object_set_data (G_OBJECT (connection), WANTS_SIGNALS, GINT_TO_POINTER (TRUE));
}
