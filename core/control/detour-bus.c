/* detour-bus.c: the daemon's connection to a message bus, which may be started later, end, and
 * be started again.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-bus.h"

#include "detour-log.h"

#define RETRY_FIRST_S 1u
#define RETRY_MAX_S   60u

struct _DetourBus {
  DetourBusKind kind;
  DetourTree *tree;
  GCancellable *cancellable; /* of the attempt to connect; NULL: there is none */
  GCancellable *asking;      /* of the question who has the name; NULL: it is not asked */
  GDBusConnection *connection;
  guint owner; /* of the name, from g_bus_own_name(); 0: not asked for */
  guint timer;
  guint wait_s;
  gboolean told;         /* the log has a line on the bus that is not there */
  gboolean told_refusal; /* the log has a line on the bus that refuses */
  gboolean told_of_name; /* the log has a line on the name that is not ours */
};

static void bus_try_now (DetourBus *self);
static void bus_own_name (DetourBus *self);

static const char *
bus_name_of (const DetourBus *self)
{
  return self->kind == DETOUR_BUS_SESSION ? "session bus" : "system bus";
}

/* GLib would start a session bus of its own where there is none. */
static char *
bus_dup_address (const DetourBus *self, GError **error)
{
  g_autofree char *path = NULL;
  g_autofree char *escaped = NULL;

  if (self->kind != DETOUR_BUS_SESSION)
    return g_dbus_address_get_for_bus_sync (G_BUS_TYPE_SYSTEM, NULL, error);
  if (g_getenv ("DBUS_SESSION_BUS_ADDRESS") != NULL)
    return g_strdup (g_getenv ("DBUS_SESSION_BUS_ADDRESS"));
  path = g_build_filename (g_get_user_runtime_dir (), "bus", NULL);
  escaped = g_dbus_address_escape_value (path);
  return g_strconcat ("unix:path=", escaped, NULL);
}

static gboolean
bus_on_retry (gpointer data)
{
  DetourBus *self = data;

  self->timer = 0;
  bus_try_now (self);
  return G_SOURCE_REMOVE;
}

static void
bus_retry_later (DetourBus *self)
{
  self->timer = g_timeout_add_seconds (self->wait_s, bus_on_retry, self);
  self->wait_s = MIN (2 * self->wait_s, RETRY_MAX_S);
}

/* There is a bus, and it does not take this process. */
static void
bus_tell_refusal (DetourBus *self, const char *text)
{
  if (!self->told_refusal)
    detour_log_event (G_LOG_LEVEL_WARNING, "bus-refused",
                      "the %s refuses this process and is tried again: %s; look at the bus's "
                      "policy, or set [core] dbus = none",
                      bus_name_of (self), text);
  self->told_refusal = TRUE;
}

static void
bus_tell_trouble (DetourBus *self, const char *text)
{
  /* Many systems have no bus and need none, so it is not worth a warning. */
  GLogLevelFlags level = self->kind == DETOUR_BUS_AUTO ? G_LOG_LEVEL_INFO : G_LOG_LEVEL_WARNING;

  if (self->told)
    return;
  self->told = TRUE;
  detour_log_event (level, "bus-lost", "not on the %s, which is tried again: %s",
                    bus_name_of (self), text);
}

static void
bus_stop_asking (DetourBus *self)
{
  g_cancellable_cancel (self->asking);
  g_clear_object (&self->asking);
}

static void
bus_leave (DetourBus *self)
{
  g_clear_handle_id (&self->timer, g_source_remove);
  if (self->owner != 0)
    g_bus_unown_name (self->owner);
  self->owner = 0;
  bus_stop_asking (self);
  if (self->connection != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->connection, self);
      detour_tree_leave (self->tree, self->connection);
      g_clear_object (&self->connection);
    }
}

static void
bus_on_closed (GDBusConnection *connection, gboolean vanished, GError *error, gpointer data)
{
  DetourBus *self = data;

  bus_tell_trouble (self, "it closed the connection");
  bus_leave (self);
  self->wait_s = RETRY_FIRST_S;
  bus_retry_later (self);
}

static void
bus_on_name_acquired (GDBusConnection *connection, const char *name, gpointer data)
{
  DetourBus *self = data;

  self->wait_s = RETRY_FIRST_S;
  self->told = FALSE;
  self->told_refusal = FALSE;
  self->told_of_name = FALSE;
  bus_stop_asking (self);
  g_clear_handle_id (&self->timer, g_source_remove);
  detour_log_event (G_LOG_LEVEL_MESSAGE, "bus-joined", "on the %s as %s", bus_name_of (self), name);
}

static gboolean
bus_on_ask_again (gpointer data)
{
  DetourBus *self = data;

  self->timer = 0;
  bus_own_name (self);
  return G_SOURCE_REMOVE;
}

static void
bus_on_owner (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant)
      reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  DetourBus *self = data;
  gboolean has_owner = FALSE;

  /* When the question was cancelled, @data may be freed already. */
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  g_clear_object (&self->asking);
  if (reply == NULL)
    return; /* it is asked again with the next attempt */
  self->told_of_name = TRUE;
  g_variant_get (reply, "(b)", &has_owner);
  if (has_owner)
    detour_log_event (G_LOG_LEVEL_MESSAGE, "bus-name-taken",
                      "not called %s on the %s, which is asked again: another process is",
                      DETOUR_BUS_NAME, bus_name_of (self));
  else
    detour_log_event (G_LOG_LEVEL_WARNING, "bus-name-refused",
                      "not called %s on the %s, which is asked again: the policy of the bus does "
                      "not allow it; install the policy that comes with Detour, or set [core] "
                      "dbus = none",
                      DETOUR_BUS_NAME, bus_name_of (self));
}

/* Another process has the name and this one is in the queue, or the bus's policy refuses it. */
static void
bus_tell_of_name (DetourBus *self, GDBusConnection *connection)
{
  if (self->told_of_name || self->asking != NULL)
    return;
  self->asking = g_cancellable_new ();
  g_dbus_connection_call (connection, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                          "org.freedesktop.DBus", "NameHasOwner",
                          g_variant_new ("(s)", DETOUR_BUS_NAME), G_VARIANT_TYPE ("(b)"),
                          G_DBUS_CALL_FLAGS_NONE, -1, self->asking, bus_on_owner, self);
}

/* Callers that use the unique name are served all the same. A policy may be installed later, and a
 * bus does not tell its clients when it has read one, so the name is asked for again. */
static void
bus_on_name_lost (GDBusConnection *connection, const char *name, gpointer data)
{
  DetourBus *self = data;

  if (connection == NULL)
    return;
  bus_tell_of_name (self, connection);
  if (self->timer == 0)
    self->timer = g_timeout_add_seconds (self->wait_s, bus_on_ask_again, self);
  self->wait_s = MIN (2 * self->wait_s, RETRY_MAX_S);
}

static void
bus_own_name (DetourBus *self)
{
  if (self->owner != 0)
    g_bus_unown_name (self->owner);
  self->owner = g_bus_own_name_on_connection (self->connection, DETOUR_BUS_NAME,
                                              G_BUS_NAME_OWNER_FLAGS_NONE, bus_on_name_acquired,
                                              bus_on_name_lost, self, NULL);
}

static gboolean
bus_is_refusal (const GError *error)
{
  return error->domain == G_DBUS_ERROR
      || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);
}

static void
bus_on_connected (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusConnection)
      connection = g_dbus_connection_new_for_address_finish (result, &error);
  DetourBus *self = data;

  /* When the attempt was cancelled, @data is freed already. */
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  g_clear_object (&self->cancellable);
  if (connection == NULL
      || !detour_tree_serve (
          self->tree, connection,
          self->kind == DETOUR_BUS_SESSION ? DETOUR_TREE_BUS : DETOUR_TREE_SYSTEM, &error))
    {
      if (bus_is_refusal (error))
        bus_tell_refusal (self, error->message);
      else
        bus_tell_trouble (self, error->message);
      bus_retry_later (self);
      return;
    }
  self->connection = g_steal_pointer (&connection);
  g_dbus_connection_set_exit_on_close (self->connection, FALSE);
  g_signal_connect (self->connection, "closed", G_CALLBACK (bus_on_closed), self);
  bus_own_name (self);
}

static void
bus_try_now (DetourBus *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *address = bus_dup_address (self, &error);

  if (address == NULL)
    {
      bus_tell_trouble (self, error->message);
      bus_retry_later (self);
      return;
    }
  self->cancellable = g_cancellable_new ();
  g_dbus_connection_new_for_address (address,
                                     G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT
                                         | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                     NULL, self->cancellable, bus_on_connected, self);
}

DetourBus *
detour_bus_new (DetourBusKind kind, DetourTree *tree)
{
  DetourBus *self = g_new0 (DetourBus, 1);

  self->kind = kind;
  self->tree = tree;
  self->wait_s = RETRY_FIRST_S;
  bus_try_now (self);
  return self;
}

void
detour_bus_free (DetourBus *self)
{
  if (self->cancellable != NULL)
    {
      g_cancellable_cancel (self->cancellable);
      g_object_unref (self->cancellable);
    }
  g_clear_handle_id (&self->timer, g_source_remove);
  if (self->connection != NULL)
    {
      GDBusConnection *connection = g_object_ref (self->connection);

      bus_leave (self);
      g_dbus_connection_close (connection, NULL, NULL, NULL);
      g_object_unref (connection);
    }
  g_free (self);
}

void
detour_bus_ask_again (DetourBus *self)
{
  self->wait_s = RETRY_FIRST_S;
  if (self->connection == NULL || self->timer == 0)
    return;
  g_clear_handle_id (&self->timer, g_source_remove);
  bus_own_name (self);
}
