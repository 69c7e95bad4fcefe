/* detour-subscribers.c: callers that asked for a signal, and get it until they go.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-subscribers.h"

#include "detour-bus-interfaces.h"
#include "detour-bus-stub.h"
#include "detour-control-error.h"

/* On a message bus a caller can have any number of names. */
#define SUBSCRIBERS_MAX 64u

struct _DetourSubscribers {
  char *path;
  const DetourSubscribersFuncs *funcs;
  gpointer user;
  GPtrArray *list; /* of Subscriber */
  guint timer;     /* 0: there is none */
};

typedef struct {
  DetourSubscribers *owner;
  GDBusConnection *connection;
  char *sender; /* on a bus; NULL: at the other end of the connection */
  gulong closed_id;
  guint watch_id; /* of its name on the bus; 0: none */
  gpointer data;
  GDestroyNotify free_data;
} Subscriber;

static void
subscribers_clear_data (Subscriber *subscriber)
{
  if (subscriber->free_data != NULL)
    subscriber->free_data (subscriber->data);
}

static void
subscribers_free_one (gpointer data)
{
  Subscriber *subscriber = data;

  g_signal_handler_disconnect (subscriber->connection, subscriber->closed_id);
  if (subscriber->watch_id != 0)
    g_bus_unwatch_name (subscriber->watch_id);
  g_object_unref (subscriber->connection);
  g_free (subscriber->sender);
  subscribers_clear_data (subscriber);
  g_free (subscriber);
}

static void
subscribers_drop (Subscriber *subscriber)
{
  g_ptr_array_remove_fast (subscriber->owner->list, subscriber);
}

static void
subscribers_on_closed (GDBusConnection *connection, gboolean vanished, GError *error, gpointer data)
{
  subscribers_drop (data);
}

static void
subscribers_on_vanished (GDBusConnection *connection, const char *name, gpointer data)
{
  subscribers_drop (data);
}

/* NULL: the other end of the connection, whatever it calls itself. */
static const char *
subscribers_sender (GDBusMethodInvocation *call)
{
  GDBusConnection *connection = g_dbus_method_invocation_get_connection (call);

  return g_dbus_connection_get_unique_name (connection) != NULL
           ? g_dbus_method_invocation_get_sender (call)
           : NULL;
}

static Subscriber *
subscribers_find (DetourSubscribers *self, GDBusMethodInvocation *call)
{
  GDBusConnection *connection = g_dbus_method_invocation_get_connection (call);
  const char *sender = subscribers_sender (call);

  for (guint i = 0; i < self->list->len; i++)
    {
      Subscriber *subscriber = self->list->pdata[i];

      if (subscriber->connection == connection && g_strcmp0 (subscriber->sender, sender) == 0)
        return subscriber;
    }
  return NULL;
}

static Subscriber *
subscribers_make (DetourSubscribers *self, GDBusMethodInvocation *call)
{
  GDBusConnection *connection = g_dbus_method_invocation_get_connection (call);
  const char *sender = subscribers_sender (call);
  Subscriber *subscriber = g_new0 (Subscriber, 1);

  if (sender == NULL)
    detour_bus_stub_wait_for_signals (connection);
  subscriber->owner = self;
  subscriber->connection = g_object_ref (connection);
  subscriber->sender = g_strdup (sender);
  subscriber->closed_id = g_signal_connect (connection, "closed",
                                            G_CALLBACK (subscribers_on_closed), subscriber);
  if (sender != NULL)
    subscriber->watch_id = g_bus_watch_name_on_connection (
        connection, sender, G_BUS_NAME_WATCHER_FLAGS_NONE, NULL, subscribers_on_vanished,
        subscriber, NULL);
  g_ptr_array_add (self->list, subscriber);
  return subscriber;
}

static gboolean
subscribers_on_look (gpointer data)
{
  DetourSubscribers *self = data;

  if (self->list->len > 0)
    {
      self->funcs->look (self->user);
      return G_SOURCE_CONTINUE;
    }
  self->timer = 0;
  return G_SOURCE_REMOVE;
}

void
detour_subscribers_add (DetourSubscribers *self, GDBusMethodInvocation *call, gpointer data,
                        GDestroyNotify free_data)
{
  Subscriber *subscriber = subscribers_find (self, call);

  if (subscriber == NULL && self->list->len >= SUBSCRIBERS_MAX)
    {
      g_dbus_method_invocation_return_error (call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BUSY,
                                             "%u others get %s() already; try again later",
                                             SUBSCRIBERS_MAX, self->funcs->signal);
      if (free_data != NULL)
        free_data (data);
      return;
    }
  if (subscriber == NULL)
    subscriber = subscribers_make (self, call);
  else
    subscribers_clear_data (subscriber);
  subscriber->data = data;
  subscriber->free_data = free_data;
  if (self->timer == 0)
    {
      self->timer = g_timeout_add (self->funcs->every_ms, subscribers_on_look, self);
      self->funcs->begin (self->user);
    }
  g_dbus_method_invocation_return_value (call, NULL);
}

void
detour_subscribers_remove (DetourSubscribers *self, GDBusMethodInvocation *call)
{
  Subscriber *subscriber = subscribers_find (self, call);

  if (subscriber != NULL)
    subscribers_drop (subscriber);
  g_dbus_method_invocation_return_value (call, NULL);
}

guint
detour_subscribers_n (const DetourSubscribers *self)
{
  return self->list->len;
}

gpointer
detour_subscribers_data (const DetourSubscribers *self, guint i)
{
  return ((const Subscriber *) self->list->pdata[i])->data;
}

void
detour_subscribers_tell (DetourSubscribers *self, guint i, GVariant *arguments)
{
  const Subscriber *subscriber = self->list->pdata[i];
  g_autoptr (GVariant) held = g_variant_ref_sink (arguments);
  g_autoptr (GDBusMessage) message = g_dbus_message_new_signal (
      self->path, DETOUR_BUS_NAME ".Manager", self->funcs->signal);

  /* busctl and gdbus expect a sender as on a bus. */
  if (subscriber->sender != NULL)
    g_dbus_message_set_destination (message, subscriber->sender);
  else
    g_dbus_message_set_sender (message, DETOUR_BUS_STUB_DAEMON);
  g_dbus_message_set_body (message, held);
  g_dbus_connection_send_message (subscriber->connection, message, G_DBUS_SEND_MESSAGE_FLAGS_NONE,
                                  NULL, NULL);
}

void
detour_subscribers_tell_all (DetourSubscribers *self, GVariant *arguments)
{
  g_autoptr (GVariant) held = g_variant_ref_sink (arguments);

  for (guint i = 0; i < self->list->len; i++)
    detour_subscribers_tell (self, i, held);
}

DetourSubscribers *
detour_subscribers_new (const char *path, const DetourSubscribersFuncs *funcs, gpointer user)
{
  DetourSubscribers *self = g_new0 (DetourSubscribers, 1);

  self->path = g_strdup (path);
  self->funcs = funcs;
  self->user = user;
  self->list = g_ptr_array_new_with_free_func (subscribers_free_one);
  return self;
}

void
detour_subscribers_free (DetourSubscribers *self)
{
  g_clear_handle_id (&self->timer, g_source_remove);
  g_ptr_array_unref (self->list);
  g_free (self->path);
  g_free (self);
}
