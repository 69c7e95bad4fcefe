/* debug-link.c: the connection of the pages to the daemon.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-link.h"

#include <unistd.h>

#define ROOT "/io/github/detourd/Detour1"

/* What the main thread opened, or why it could not. */
typedef struct {
  int fd; /* -1: @problem */
  char *problem;
} Opened;

struct _DebugLink {
  DebugSource source;
  DetourHost *host;
  GCancellable *cancellable;
  GAsyncQueue *opened; /* of Opened; from the main thread */
  /* Waiting in a synchronous call of GDBus would open descriptors each time, and GLib ends the
   * process when there are none; this one is made once. */
  GMainContext *context;
  GDBusConnection *connection; /* NULL: none */
  gint64 deadline_us;          /* of the page, monotonic */
};

/* ---- opening --------------------------------------------------------------------------------- */

static void
debug_link_opened_free (gpointer data)
{
  Opened *opened = data;

  if (opened->fd >= 0)
    close (opened->fd);
  g_free (opened->problem);
  g_free (opened);
}

static void
debug_link_hand_over (DebugLink *self, int fd, const char *problem)
{
  Opened *opened = g_new0 (Opened, 1);

  opened->fd = fd;
  opened->problem = g_strdup (problem);
  g_async_queue_push (self->opened, opened);
}

/* Main thread. */
static void
debug_link_on_wanted (gpointer data)
{
  DebugLink *self = data;
  g_autoptr (GError) error = NULL;
  int fd = detour_host_open_control (self->host, &error);

  debug_link_hand_over (self, fd, fd < 0 ? error->message : NULL);
}

static void
debug_link_on_dropped (gpointer data)
{
  debug_link_hand_over (data, -1, "the service stops");
}

static GDBusConnection *
debug_link_wrap (int fd, GError **error)
{
  g_autoptr (GSocket) socket = g_socket_new_from_fd (fd, error);
  g_autoptr (GSocketConnection) stream = NULL;
  GDBusConnection *connection;

  if (socket == NULL)
    {
      close (fd);
      return NULL;
    }
  stream = g_socket_connection_factory_create_connection (socket);
  connection = g_dbus_connection_new_sync (G_IO_STREAM (stream), NULL, G_DBUS_CONNECTION_FLAGS_NONE,
                                           NULL, NULL, error);
  if (connection != NULL)
    g_dbus_connection_set_exit_on_close (connection, FALSE);
  return connection;
}

static gboolean
debug_link_open (DebugLink *self, GError **error)
{
  Opened *opened;
  int fd;

  detour_host_post (self->host, debug_link_on_wanted, self, debug_link_on_dropped);
  /* It is owed: by the main thread, or when the instance stops. */
  opened = g_async_queue_pop (self->opened);
  fd = opened->fd;
  opened->fd = -1;
  if (fd < 0)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_CONNECTED, opened->problem);
  debug_link_opened_free (opened);
  if (fd < 0)
    return FALSE;
  self->connection = debug_link_wrap (fd, error);
  return self->connection != NULL;
}

/* ---- calls ----------------------------------------------------------------------------------- */

typedef struct {
  GVariant *answer;
  GError *error;
  gboolean is_done;
} Call;

static void
debug_link_on_answer (GObject *connection, GAsyncResult *result, gpointer data)
{
  Call *call = data;

  call->answer = g_dbus_connection_call_finish (G_DBUS_CONNECTION (connection), result,
                                                &call->error);
  call->is_done = TRUE;
}

static GVariant *
debug_link_call_within (DebugLink *self, const char *object, const char *interface,
                        const char *method, GVariant *arguments, GError **error)
{
  gint64 left_ms = (self->deadline_us - g_get_monotonic_time ()) / 1000;
  Call call = { NULL, NULL, FALSE };

  g_dbus_connection_call (self->connection, NULL, object, interface, method, arguments, NULL,
                          G_DBUS_CALL_FLAGS_NONE, (int) MAX (left_ms, 1), self->cancellable,
                          debug_link_on_answer, &call);
  while (!call.is_done)
    g_main_context_iteration (self->context, TRUE);
  if (call.error != NULL)
    {
      g_dbus_error_strip_remote_error (call.error);
      g_propagate_error (error, call.error);
    }
  return call.answer;
}

static GVariant *
debug_link_call (DebugSource *source, const char *path, const char *interface, const char *method,
                 GVariant *arguments, GError **error)
{
  DebugLink *self = (DebugLink *) source;
  g_autofree char *object = path[0] != '\0' ? g_strconcat (ROOT "/", path, NULL) : g_strdup (ROOT);
  g_autoptr (GVariant) own = arguments != NULL ? g_variant_ref_sink (arguments) : NULL;

  if (self->connection != NULL && g_dbus_connection_is_closed (self->connection))
    g_clear_object (&self->connection);
  if (self->connection == NULL && !debug_link_open (self, error))
    return NULL;
  return debug_link_call_within (self, object, interface, method, own, error);
}

/* ---------------------------------------------------------------------------------------------- */

DebugLink *
debug_link_new (DetourHost *host, GCancellable *cancellable)
{
  DebugLink *self = g_new0 (DebugLink, 1);

  self->source.call = debug_link_call;
  self->host = host;
  self->cancellable = cancellable;
  self->opened = g_async_queue_new_full (debug_link_opened_free);
  self->context = g_main_context_new ();
  return self;
}

void
debug_link_free (DebugLink *self)
{
  g_assert (self->connection == NULL);
  g_async_queue_unref (self->opened);
  g_main_context_unref (self->context);
  g_free (self);
}

DebugSource *
debug_link_begin (DebugLink *self)
{
  if (g_main_context_get_thread_default () != self->context)
    g_main_context_push_thread_default (self->context);
  self->deadline_us = g_get_monotonic_time () + DEBUG_LINK_PAGE_US;
  return &self->source;
}

void
debug_link_rest (DebugLink *self)
{
  if (self->connection == NULL)
    return;
  g_dbus_connection_close (self->connection, NULL, NULL, NULL);
  g_clear_object (&self->connection);
  while (g_main_context_iteration (self->context, FALSE))
    ;
}
