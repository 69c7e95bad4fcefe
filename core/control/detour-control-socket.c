/* detour-control-socket.c: the Unix socket on which detourctl finds the daemon, peer to peer, with
 * no bus between.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-socket.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "detour-log-limit.h"
#include "detour-peer-stream.h"
#include "detour-peer.h"

/* Connections that the kernel keeps until they are accepted. */
#define BACKLOG 1024
/* Accepted in a row; then others have their turn on the main thread. */
#define ACCEPTS_MAX 16u

/* While there are no descriptors, new connections wait so long. */
#define PAUSE_MS 500u

struct _DetourControlSocket {
  char *path;
  DetourTree *tree;
  DetourDescriptors *descriptors;
  char *guid;
  DetourPeerTurns *turns;
  int fd;
  guint source;     /* of new connections; 0: they wait */
  guint timer;      /* checks the peers; 0: there are none */
  guint pause;      /* ends the wait for descriptors */
  GPtrArray *peers; /* of DetourPeer */
  DetourLogLimit log_limit;
  dev_t device; /* of the socket: another daemon may have put its own in the place */
  ino_t inode;
};

/* Whether somebody accepts connections there. */
static gboolean
control_socket_is_alive (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  gboolean alive;
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd < 0)
    return FALSE;
  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  alive = connect (fd, (const struct sockaddr *) &address, sizeof address) == 0 || errno == EAGAIN;
  close (fd);
  return alive;
}

static gboolean
control_socket_prepare_place (const char *path, GError **error)
{
  g_autofree char *directory = g_path_get_dirname (path);
  struct stat st;

  if (strlen (path) >= sizeof ((struct sockaddr_un *) NULL)->sun_path)
    {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_NAMETOOLONG,
                   "the path of a socket may have %u bytes",
                   (guint) sizeof ((struct sockaddr_un *) NULL)->sun_path - 1);
      return FALSE;
    }
  if (g_mkdir_with_parents (directory, 0755) < 0)
    {
      g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno), "%s cannot be made: %s",
                   directory, g_strerror (errno));
      return FALSE;
    }
  if (lstat (path, &st) < 0)
    return TRUE;
  if (!S_ISSOCK (st.st_mode))
    {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_EXIST, "something else is there");
      return FALSE;
    }
  if (control_socket_is_alive (path))
    {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_EXIST, "another daemon answers there");
      return FALSE;
    }
  unlink (path);
  return TRUE;
}

/* Peers ---------------------------------------------------------------------------------------- */

static gboolean
control_socket_may_change (uid_t uid)
{
  return uid == 0 || uid == geteuid ();
}

G_GNUC_PRINTF (2, 3)
static void
control_socket_log (DetourControlSocket *self, const char *format, ...)
{
  GLogLevelFlags level = detour_log_limit_level (&self->log_limit, g_get_monotonic_time ());
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_log_structured (G_LOG_DOMAIN, level, "MESSAGE", "control socket: %s", text);
}

static void
control_socket_close (DetourControlSocket *self, guint index, const char *fault)
{
  DetourPeer *peer = self->peers->pdata[index];

  if (fault != NULL)
    control_socket_log (self, "a connection of user %lu was closed: %s",
                        (gulong) detour_peer_place (peer, 0).uid, fault);
  g_ptr_array_remove_index_fast (self->peers, index);
}

static void
control_socket_on_gone (DetourPeer *peer, const char *fault, gpointer data)
{
  DetourControlSocket *self = data;
  guint index;

  if (g_ptr_array_find (self->peers, peer, &index))
    control_socket_close (self, index, fault);
}

static gboolean
control_socket_on_check (gpointer data)
{
  DetourControlSocket *self = data;
  gint64 now_us = g_get_monotonic_time ();

  for (guint i = self->peers->len; i-- > 0;)
    {
      const char *fault = detour_peer_check (self->peers->pdata[i], now_us);

      if (fault != NULL)
        control_socket_close (self, i, fault);
    }
  if (self->peers->len > 0)
    return G_SOURCE_CONTINUE;
  self->timer = 0;
  return G_SOURCE_REMOVE;
}

/* Whether there is a place for @uid, or one could be made. */
static gboolean
control_socket_find_place (DetourControlSocket *self, uid_t uid)
{
  gint64 now_us = g_get_monotonic_time ();
  g_autofree DetourPeerPlace *places = g_new (DetourPeerPlace, self->peers->len);
  guint leaving;

  for (guint i = 0; i < self->peers->len; i++)
    places[i] = detour_peer_place (self->peers->pdata[i], now_us);
  switch (detour_peer_places_find (places, self->peers->len, uid, control_socket_may_change (uid),
                                   now_us, &leaving))
    {
    case DETOUR_PLACE_FREE:
      return TRUE;
    case DETOUR_PLACE_TAKE:
      control_socket_close (self, leaving, "somebody else needed its place");
      return TRUE;
    case DETOUR_PLACE_NONE:
    default:
      control_socket_log (self, "a connection of user %lu was turned away: there are too many",
                          (gulong) uid);
      return FALSE;
    }
}

static void
control_socket_admit (DetourControlSocket *self, int fd)
{
  struct ucred peer;
  socklen_t size = sizeof peer;

  if (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0
      || !control_socket_find_place (self, peer.uid))
    {
      close (fd);
      return;
    }
  g_ptr_array_add (self->peers,
                   detour_peer_new (fd, peer.uid, control_socket_may_change (peer.uid), self->guid,
                                    self->turns, self->tree, control_socket_on_gone, self));
  if (self->timer == 0)
    self->timer = g_timeout_add_seconds (1, control_socket_on_check, self);
}

/* Accepting ------------------------------------------------------------------------------------ */

static gboolean control_socket_on_connection (int fd, GIOCondition condition, gpointer data);

static void
control_socket_listen (DetourControlSocket *self)
{
  self->source = g_unix_fd_add (self->fd, G_IO_IN, control_socket_on_connection, self);
}

static gboolean
control_socket_on_pause_over (gpointer data)
{
  DetourControlSocket *self = data;

  self->pause = 0;
  detour_descriptors_refill (self->descriptors);
  control_socket_listen (self);
  return G_SOURCE_REMOVE;
}

/* A descriptor; -1 with errno. */
static int
control_socket_accept (DetourControlSocket *self)
{
  int fd = accept4 (self->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

  if (fd >= 0 || (errno != EMFILE && errno != ENFILE))
    return fd;
  detour_descriptors_lend (self->descriptors, 1);
  return accept4 (self->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static gboolean
control_socket_on_connection (int listener, GIOCondition condition, gpointer data)
{
  DetourControlSocket *self = data;
  gboolean is_out_of_descriptors;
  guint n = 0;
  int fd;

  while (n < ACCEPTS_MAX && (fd = control_socket_accept (self)) >= 0)
    {
      control_socket_admit (self, fd);
      n++;
    }
  is_out_of_descriptors = n < ACCEPTS_MAX && errno != EAGAIN && errno != EINTR
                       && errno != ECONNABORTED;
  /* With nothing to accept it with, a connection that waits would wake the main loop for ever. */
  if (is_out_of_descriptors || !detour_descriptors_refill (self->descriptors))
    {
      if (is_out_of_descriptors)
        control_socket_log (self, "a connection has to wait: %s", g_strerror (errno));
      self->source = 0;
      self->pause = g_timeout_add (PAUSE_MS, control_socket_on_pause_over, self);
      return G_SOURCE_REMOVE;
    }
  return G_SOURCE_CONTINUE;
}

/* ---------------------------------------------------------------------------------------------- */

/* GDBus starts its thread with the first connection, and GLib ends the process when there is no
 * descriptor for that thread to be woken with. So it is started now. */
static void
control_socket_start_thread (DetourPeerTurns *turns)
{
  g_autoptr (DetourPeerStream) stream = NULL;
  g_autoptr (GDBusConnection) connection = NULL;
  int fds[2];

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
    return;
  close (fds[1]);
  stream = detour_peer_stream_new (fds[0], turns);
  connection = g_dbus_connection_new_sync (G_IO_STREAM (stream), NULL, G_DBUS_CONNECTION_FLAGS_NONE,
                                           NULL, NULL, NULL);
  if (connection != NULL)
    g_dbus_connection_set_exit_on_close (connection, FALSE);
}

/* At first the socket is open to nobody else; then to @gid, if there is one. */
static int
control_socket_bind (const char *path, gid_t gid, GError **error)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  mode_t mask = umask (0177);
  gboolean good;

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  good = fd >= 0 && bind (fd, (const struct sockaddr *) &address, sizeof address) == 0
      && listen (fd, BACKLOG) == 0
      && (gid == DETOUR_NO_GROUP
          || (lchown (path, (uid_t) -1, gid) == 0 && chmod (path, 0660) == 0));
  umask (mask);
  if (good)
    return fd;
  g_set_error_literal (error, G_FILE_ERROR, g_file_error_from_errno (errno), g_strerror (errno));
  if (fd >= 0)
    close (fd);
  return -1;
}

DetourControlSocket *
detour_control_socket_new (const char *path, gid_t gid, DetourTree *tree,
                           DetourDescriptors *descriptors, GError **error)
{
  DetourControlSocket *self;
  struct stat st;
  int fd;

  if (!control_socket_prepare_place (path, error))
    return NULL;
  fd = control_socket_bind (path, gid, error);
  if (fd < 0)
    return NULL;
  if (lstat (path, &st) < 0)
    {
      g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno), "it is gone already: %s",
                   g_strerror (errno));
      close (fd);
      return NULL;
    }

  self = g_new0 (DetourControlSocket, 1);
  self->path = g_strdup (path);
  self->tree = tree;
  self->descriptors = descriptors;
  self->turns = detour_peer_turns_new ();
  control_socket_start_thread (self->turns);
  self->guid = g_dbus_generate_guid ();
  self->fd = fd;
  self->peers = g_ptr_array_new_with_free_func ((GDestroyNotify) detour_peer_free);
  detour_log_limit_init (&self->log_limit, g_get_monotonic_time ());
  self->device = st.st_dev;
  self->inode = st.st_ino;
  control_socket_listen (self);
  return self;
}

void
detour_control_socket_free (DetourControlSocket *self)
{
  struct stat st;

  g_clear_handle_id (&self->source, g_source_remove);
  g_clear_handle_id (&self->pause, g_source_remove);
  g_clear_handle_id (&self->timer, g_source_remove);
  close (self->fd);
  if (lstat (self->path, &st) == 0 && st.st_dev == self->device && st.st_ino == self->inode)
    unlink (self->path);
  g_ptr_array_unref (self->peers);
  detour_peer_turns_unref (self->turns);
  g_free (self->guid);
  g_free (self->path);
  g_free (self);
}

const char *
detour_control_socket_path (const DetourControlSocket *self)
{
  return self->path;
}

guint
detour_control_socket_n_peers (const DetourControlSocket *self)
{
  return self->peers->len;
}
