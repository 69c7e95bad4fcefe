/* detour-peer.c: one peer of the control socket, from the moment it was accepted to its end.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-peer.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

#include "detour-bus-stub.h"
#include "detour-sasl.h"

struct _DetourPeer {
  DetourPeerPlace place;
  DetourPeerTurns *turns;
  DetourTree *tree;
  DetourPeerGone gone;
  gpointer user;
  gint64 since_us;

  /* Until it has authenticated: */
  int fd; /* -1 afterwards */
  guint source;
  DetourSasl sasl;

  /* Afterwards: */
  DetourPeerStream *stream;
  GDBusConnection *connection;
  guint n_calls;  /* that were seen */
  guint32 mark;   /* serial of a message that was sent to it */
  gint64 mark_us; /* when that was */
};

/* Authentication ------------------------------------------------------------------------------- */

static void
peer_on_closed (GDBusConnection *connection, gboolean vanished, GError *error, gpointer data)
{
  DetourPeer *self = data;

  self->gone (self, detour_peer_stream_fault (self->stream), self->user);
}

static gboolean
peer_open (DetourPeer *self, GError **error)
{
  self->stream = detour_peer_stream_new (self->fd, self->turns);
  self->fd = -1;
  /* Nothing blocks: the authentication is over. */
  self->connection = g_dbus_connection_new_sync (G_IO_STREAM (self->stream), NULL,
                                                 G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING,
                                                 NULL, NULL, error);
  if (self->connection == NULL)
    return FALSE;
  g_dbus_connection_set_exit_on_close (self->connection, FALSE);
  if (!detour_bus_stub_register (self->connection, error)
      || !detour_tree_serve (self->tree, self->connection,
                             self->place.may_change ? DETOUR_TREE_OPERATOR : DETOUR_TREE_READER,
                             error))
    return FALSE;
  g_signal_connect (self->connection, "closed", G_CALLBACK (peer_on_closed), self);
  g_dbus_connection_start_message_processing (self->connection);
  return TRUE;
}

/* Sends what the authentication answers; a peer whose socket is full by then is no D-Bus client. */
static gboolean
peer_send (DetourPeer *self, const GString *answer)
{
  return answer->len == 0
      || send (self->fd, answer->str, answer->len, MSG_DONTWAIT | MSG_NOSIGNAL)
             == (gssize) answer->len;
}

/* Messages may follow at once, and are left in the socket: so it looks first and then takes what
 * was used. */
static DetourSaslResult
peer_read (DetourPeer *self)
{
  g_autoptr (GString) answer = g_string_new (NULL);
  guint8 bytes[512];
  gssize n = recv (self->fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_PEEK);
  DetourSaslResult result;
  gsize used;

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return DETOUR_SASL_MORE;
  if (n <= 0)
    return DETOUR_SASL_BAD;
  result = detour_sasl_take (&self->sasl, bytes, (gsize) n, &used, answer);
  if (recv (self->fd, bytes, used, MSG_DONTWAIT) != (gssize) used || !peer_send (self, answer))
    return DETOUR_SASL_BAD;
  return result;
}

static gboolean
peer_on_readable (int fd, GIOCondition condition, gpointer data)
{
  DetourPeer *self = data;
  DetourSaslResult result = peer_read (self);
  g_autoptr (GError) error = NULL;

  if (result == DETOUR_SASL_MORE)
    return G_SOURCE_CONTINUE;
  self->source = 0;
  if (result == DETOUR_SASL_BAD)
    self->gone (self, NULL, self->user);
  else if (!peer_open (self, &error))
    self->gone (self, error->message, self->user);
  return G_SOURCE_REMOVE;
}

/* ---------------------------------------------------------------------------------------------- */

static DetourPeer *
peer_make (int fd, uid_t uid, gboolean may_change, DetourPeerTurns *turns, DetourTree *tree,
           DetourPeerGone gone, gpointer user)
{
  DetourPeer *self = g_new0 (DetourPeer, 1);

  self->since_us = g_get_monotonic_time ();
  self->place = (DetourPeerPlace) { uid, may_change, self->since_us };
  self->turns = turns;
  self->tree = tree;
  self->gone = gone;
  self->user = user;
  self->fd = fd;
  return self;
}

DetourPeer *
detour_peer_new_inside (int fd, DetourPeerTurns *turns, DetourTree *tree, DetourPeerGone gone,
                        gpointer user, GError **error)
{
  DetourPeer *self = peer_make (fd, geteuid (), FALSE, turns, tree, gone, user);

  if (peer_open (self, error))
    return self;
  detour_peer_free (self);
  return NULL;
}

DetourPeer *
detour_peer_new (int fd, uid_t uid, gboolean may_change, const char *guid, DetourPeerTurns *turns,
                 DetourTree *tree, DetourPeerGone gone, gpointer user)
{
  DetourPeer *self = peer_make (fd, uid, may_change, turns, tree, gone, user);

  detour_sasl_init (&self->sasl, uid, guid);
  self->source = g_unix_fd_add (fd, G_IO_IN, peer_on_readable, self);
  return self;
}

void
detour_peer_free (DetourPeer *self)
{
  g_clear_handle_id (&self->source, g_source_remove);
  if (self->fd >= 0)
    close (self->fd);
  if (self->connection != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->connection, self);
      /* What the peer does not read would hold up the close. And a call that comes without its
       * objects would be told that they do not exist. */
      detour_peer_stream_end (self->stream);
      detour_tree_leave (self->tree, self->connection);
      g_dbus_connection_close (self->connection, NULL, NULL, NULL);
      g_object_unref (self->connection);
    }
  g_clear_object (&self->stream);
  g_free (self);
}

static void
peer_note_calls (DetourPeer *self, gint64 now_us)
{
  guint n_calls = detour_peer_stream_n_calls (self->stream);

  if (n_calls != self->n_calls)
    self->place.active_us = now_us;
  self->n_calls = n_calls;
}

DetourPeerPlace
detour_peer_place (DetourPeer *self, gint64 now_us)
{
  if (self->stream != NULL)
    peer_note_calls (self, now_us);
  return self->place;
}

/* GDBus numbers messages as it queues them. When the stream has written as many as the number that
 * the last one from this thread has, it has written that one. */
static const char *
peer_check_reading (DetourPeer *self, gint64 now_us)
{
  guint32 sent = g_dbus_connection_get_last_serial (self->connection);
  guint32 written = detour_peer_stream_n_written (self->stream);

  if ((gint32) (written - self->mark) >= 0)
    {
      self->mark = sent;
      self->mark_us = now_us;
    }
  else if (now_us - self->mark_us >= DETOUR_PEER_TAKES_US)
    return "it did not read what was sent to it for 10 s";
  if ((gint32) (sent - written) > (gint32) DETOUR_PEER_WAITING_MAX)
    return "too many messages wait for it";
  return NULL;
}

const char *
detour_peer_check (DetourPeer *self, gint64 now_us)
{
  const char *fault;

  if (self->connection == NULL)
    return now_us - self->since_us >= DETOUR_PEER_AUTH_US ? "it did not authenticate within 5 s"
                                                          : NULL;
  peer_note_calls (self, now_us);
  fault = peer_check_reading (self, now_us);
  if (fault == NULL && now_us - self->place.active_us >= DETOUR_PEER_IDLE_US
      && !detour_bus_stub_wants_signals (self->connection))
    fault = "it called nothing for 10 minutes";
  return fault;
}
