/* detourctl-stream.c: a connection as a client makes it: TCP, TLS, bytes.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-stream.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "detour-paths.h"

#define READ_SIZE  16384u
#define REPORT_MAX 262144u
#define JUDGING_US (30 * G_USEC_PER_SEC)

/* ---- TCP ------------------------------------------------------------------------------------- */

static gboolean
ctl_stream_fail (GError **error, int number)
{
  g_set_error (error, G_IO_ERROR,
               number == ETIMEDOUT ? G_IO_ERROR_TIMED_OUT : g_io_error_from_errno (number), "%s",
               number == ETIMEDOUT ? _ ("no answer in time") : g_strerror (number));
  return FALSE;
}

/* Waits for @events until @end_us; FALSE with errno set. */
static gboolean
ctl_stream_poll (int fd, short events, gint64 end_us)
{
  for (;;)
    {
      struct pollfd one = { fd, events, 0 };
      gint64 left_us = end_us - g_get_monotonic_time ();
      int n = poll (&one, 1, left_us > 0 ? (int) (left_us / 1000) + 1 : 0);

      if (n > 0)
        return TRUE;
      if (n < 0 && errno != EINTR)
        return FALSE;
      if (n == 0 && left_us <= 0)
        {
          errno = ETIMEDOUT;
          return FALSE;
        }
    }
}

static gboolean
ctl_stream_connect (int fd, const struct sockaddr *address, socklen_t len, gint64 end_us)
{
  int number = 0;
  socklen_t size = sizeof number;

  if (connect (fd, address, len) == 0)
    return TRUE;
  if (errno != EINPROGRESS || !ctl_stream_poll (fd, POLLOUT, end_us))
    return FALSE;
  if (getsockopt (fd, SOL_SOCKET, SO_ERROR, &number, &size) < 0)
    return FALSE;
  errno = number;
  return number == 0;
}

gboolean
detourctl_stream_connect (DetourctlStream *self, GInetAddress *address, guint16 port,
                          gint64 limit_us, GError **error)
{
  g_autoptr (GSocketAddress) socket_address = g_inet_socket_address_new (address, port);
  gssize len = g_socket_address_get_native_size (socket_address);
  struct sockaddr_storage storage;

  self->limit_us = limit_us;
  self->in = g_byte_array_new ();
  if (len < 0 || !g_socket_address_to_native (socket_address, &storage, sizeof storage, error))
    return FALSE;
  self->fd = socket (storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (self->fd < 0
      || !ctl_stream_connect (self->fd, (struct sockaddr *) &storage, (socklen_t) len,
                              g_get_monotonic_time () + limit_us))
    return ctl_stream_fail (error, errno);
  return TRUE;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

gboolean
detourctl_stream_write (DetourctlStream *self, gconstpointer data, gsize len, GError **error)
{
  const guint8 *bytes = data;
  gint64 end_us = g_get_monotonic_time () + self->limit_us;

  while (len > 0)
    {
      gssize n = send (self->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

      if (n < 0 && errno == EAGAIN && ctl_stream_poll (self->fd, POLLOUT, end_us))
        continue;
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return ctl_stream_fail (error, errno);
      bytes += n;
      len -= (gsize) n;
    }
  return TRUE;
}

static gboolean
ctl_stream_read_until (DetourctlStream *self, gsize len, gint64 end_us, GError **error)
{
  while (self->in->len < len)
    {
      guint8 buffer[READ_SIZE];
      gssize n;

      if (!ctl_stream_poll (self->fd, POLLIN, end_us))
        return ctl_stream_fail (error, errno);
      n = recv (self->fd, buffer, sizeof buffer, MSG_DONTWAIT);
      if (n < 0 && (errno == EAGAIN || errno == EINTR))
        continue;
      if (n < 0)
        return ctl_stream_fail (error, errno);
      if (n == 0)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, _ ("the other side has closed"));
          return FALSE;
        }
      g_byte_array_append (self->in, buffer, (guint) n);
    }
  return TRUE;
}

gboolean
detourctl_stream_need (DetourctlStream *self, gsize len, GError **error)
{
  return ctl_stream_read_until (self, len, g_get_monotonic_time () + self->limit_us, error);
}

void
detourctl_stream_take (DetourctlStream *self, gsize len)
{
  g_byte_array_remove_range (self->in, 0, (guint) len);
}

gssize
detourctl_stream_read_to (DetourctlStream *self, const char *mark, gsize max, gint64 limit_us,
                          GError **error)
{
  gint64 end_us = g_get_monotonic_time () + limit_us;

  for (;;)
    {
      const guint8 *found = self->in->len > 0
                              ? memmem (self->in->data, self->in->len, mark, strlen (mark))
                              : NULL;

      if (found != NULL)
        return found - self->in->data;
      if (self->in->len > max)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                       _ ("what came is no answer of a relay"));
          return -1;
        }
      if (!ctl_stream_read_until (self, self->in->len + 1u, end_us, error))
        return -1;
    }
}

void
detourctl_stream_close (DetourctlStream *self)
{
  if (self->fd >= 0)
    close (self->fd);
  if (self->pid != 0)
    {
      /* It would see the end and go by itself; a server that says nothing would keep it. */
      kill (self->pid, SIGTERM);
      while (waitpid (self->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    }
  g_clear_pointer (&self->in, g_byte_array_unref);
  g_clear_pointer (&self->tls, detourctl_dial_tls_free);
  *self = (DetourctlStream) DETOURCTL_STREAM_INIT;
}

/* ---- TLS ------------------------------------------------------------------------------------- */

/* The program gets the connection, and we get a pipe to it in its place. */
static gboolean
ctl_stream_start_program (DetourctlStream *self, const char *name, const char *ca, GError **error)
{
  g_autofree char *program = detour_paths_tls_client ();
  g_autofree char *name_option = g_strconcat ("--name=", name, NULL);
  g_autofree char *ca_option = g_strconcat ("--ca=", ca, NULL);
  g_autofree char *limit = g_strdup_printf ("--milliseconds=%" G_GINT64_FORMAT,
                                            self->limit_us / 1000);
  const char *arguments[5] = { program, limit };
  guint n = 2;
  int pair[2];
  gboolean is_good;

  if (name != NULL)
    arguments[n++] = name_option;
  if (ca != NULL)
    arguments[n++] = ca_option;
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    return ctl_stream_fail (error, errno);
  fcntl (self->fd, F_SETFL, fcntl (self->fd, F_GETFL) & ~O_NONBLOCK);
  is_good = g_spawn_async_with_fds (NULL, (char **) arguments, NULL, G_SPAWN_DO_NOT_REAP_CHILD,
                                    NULL, NULL, &self->pid, self->fd, pair[1], STDERR_FILENO,
                                    error);
  close (pair[1]);
  close (self->fd);
  self->fd = pair[0];
  return is_good;
}

gboolean
detourctl_stream_start_tls (DetourctlStream *self, const char *name, const char *ca, GError **error)
{
  g_autofree char *line = NULL;
  gssize len;

  if (!ctl_stream_start_program (self, name, ca, error))
    return FALSE;
  /* It has the limit itself, and says so; reading the authorities of a system takes time, too. */
  len = detourctl_stream_read_to (self, "\n", REPORT_MAX, self->limit_us + JUDGING_US, error);
  if (len < 0)
    return FALSE;
  line = g_strndup ((const char *) self->in->data, (gsize) len);
  detourctl_stream_take (self, (gsize) len + 1);
  self->tls = detourctl_dial_tls_parse (line, error);
  if (self->tls == NULL)
    return FALSE;
  if (self->tls->error != NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, self->tls->error);
      return FALSE;
    }
  return TRUE;
}
