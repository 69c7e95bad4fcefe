/* detour-control-socket.c: the Unix socket on which detourctl finds the daemon, peer to peer, with
 * no bus between.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "detour-bus-stub.h"

/* Peers at a time; more are turned away. */
#define PEERS_MAX 64

struct _DetourControlSocket {
  char *path;
  DetourTree *tree;
  GDBusServer *server;
  GPtrArray *peers; /* of GDBusConnection */
  dev_t device;     /* of the socket: another daemon may have put its own in the place */
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

static void
control_socket_on_closed (GDBusConnection *connection, gboolean vanished, GError *error,
                          gpointer data)
{
  DetourControlSocket *self = data;

  g_signal_handlers_disconnect_by_data (connection, self);
  detour_tree_leave (self->tree, connection);
  g_ptr_array_remove_fast (self->peers, connection);
}

static gboolean
control_socket_on_connection (GDBusServer *server, GDBusConnection *connection, gpointer data)
{
  DetourControlSocket *self = data;
  g_autoptr (GError) error = NULL;

  if (self->peers->len >= PEERS_MAX)
    {
      g_warning ("%s: more than %d connections at a time; another one was turned away", self->path,
                 PEERS_MAX);
      return FALSE;
    }
  if (!detour_bus_stub_register (connection, &error)
      || !detour_tree_serve (self->tree, connection, TRUE, &error))
    {
      g_warning ("%s: %s", self->path, error->message);
      return FALSE;
    }
  g_dbus_connection_set_exit_on_close (connection, FALSE);
  g_signal_connect (connection, "closed", G_CALLBACK (control_socket_on_closed), self);
  g_ptr_array_add (self->peers, g_object_ref (connection));
  return TRUE;
}

/* The kernel's word for who the peer is; anything else could be claimed. */
static gboolean
control_socket_on_allow_mechanism (GDBusAuthObserver *observer, const char *mechanism,
                                   gpointer data)
{
  return strcmp (mechanism, "EXTERNAL") == 0;
}

/* Whoever the socket's mode lets in may read. */
static gboolean
control_socket_on_authorize (GDBusAuthObserver *observer, GIOStream *stream,
                             GCredentials *credentials, gpointer data)
{
  return credentials != NULL;
}

DetourControlSocket *
detour_control_socket_new (const char *path, DetourTree *tree, GError **error)
{
  g_autofree char *escaped = g_dbus_address_escape_value (path);
  g_autofree char *address = g_strconcat ("unix:path=", escaped, NULL);
  g_autofree char *guid = g_dbus_generate_guid ();
  g_autoptr (GDBusAuthObserver) observer = g_dbus_auth_observer_new ();
  g_autoptr (GDBusServer) server = NULL;
  DetourControlSocket *self;
  struct stat st;
  mode_t mask;

  if (!control_socket_prepare_place (path, error))
    return NULL;
  g_signal_connect (observer, "allow-mechanism", G_CALLBACK (control_socket_on_allow_mechanism),
                    NULL);
  g_signal_connect (observer, "authorize-authenticated-peer",
                    G_CALLBACK (control_socket_on_authorize), NULL);

  /* From its first moment it has the mode that it keeps. */
  mask = umask (0117);
  server = g_dbus_server_new_sync (address, G_DBUS_SERVER_FLAGS_NONE, guid, observer, NULL, error);
  umask (mask);
  if (server == NULL)
    return NULL;
  if (lstat (path, &st) < 0)
    {
      g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno), "it is gone already: %s",
                   g_strerror (errno));
      return NULL;
    }

  self = g_new0 (DetourControlSocket, 1);
  self->path = g_strdup (path);
  self->tree = tree;
  self->server = g_steal_pointer (&server);
  self->peers = g_ptr_array_new_with_free_func (g_object_unref);
  self->device = st.st_dev;
  self->inode = st.st_ino;
  g_signal_connect (self->server, "new-connection", G_CALLBACK (control_socket_on_connection),
                    self);
  g_dbus_server_start (self->server);
  return self;
}

void
detour_control_socket_free (DetourControlSocket *self)
{
  struct stat st;

  g_signal_handlers_disconnect_by_data (self->server, self);
  /* Stopping removes the path, whoever it belongs to; without that, only our descriptor is closed.
   */
  if (lstat (self->path, &st) == 0 && st.st_dev == self->device && st.st_ino == self->inode)
    g_dbus_server_stop (self->server);
  for (guint i = self->peers->len; i-- > 0;)
    {
      GDBusConnection *connection = self->peers->pdata[i];

      g_signal_handlers_disconnect_by_data (connection, self);
      detour_tree_leave (self->tree, connection);
      g_dbus_connection_close (connection, NULL, NULL, NULL);
    }
  g_ptr_array_unref (self->peers);
  g_object_unref (self->server);
  g_free (self->path);
  g_free (self);
}

const char *
detour_control_socket_path (const DetourControlSocket *self)
{
  return self->path;
}
