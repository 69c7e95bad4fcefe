/* detour-listener-pause.c: a listener that refuses connections for a while, and takes them again.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <gio/gio.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "detour-listener.h"
#include "detour-log.h"

/* The file may be another program's from now on, even if it has the same inode. */
static void
listener_pause_remove_file (DetourListener *self, guint index)
{
  DetourSocketFileId *file = &g_array_index (self->files, DetourSocketFileId, index);

  detour_socket_remove_file (g_array_index (self->fds, int, index), file);
  *file = (DetourSocketFileId) { 0, 0 };
}

/* FALSE: it was paused already by the program that ran before. */
static gboolean
listener_pause_listens (const DetourListener *self, guint index)
{
  struct pollfd look = { .fd = g_array_index (self->fds, int, index), .events = POLLRDHUP };
  int listens = 1;
  socklen_t len = sizeof listens;

  if (detour_listener_is_unix (self, index))
    return poll (&look, 1, 0) <= 0 || (look.revents & POLLRDHUP) == 0;
  return getsockopt (look.fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 || listens != 0;
}

void
detour_listener_pause (DetourListener *self)
{
  self->is_paused = TRUE;
  for (guint i = 0; i < self->fds->len; i++)
    {
      gboolean is_unix = detour_listener_is_unix (self, i);

      /* What does not listen is silent already. */
      if (detour_listener_is_taken (self, i) || (is_unix && self->is_passed))
        continue;
      /* There may be another program's file by now where its own was. */
      if (!listener_pause_listens (self, i))
        {
          g_array_index (self->files, DetourSocketFileId, i) = (DetourSocketFileId) { 0, 0 };
          continue;
        }
      if (is_unix)
        listener_pause_remove_file (self, i);
      detour_socket_pause (g_array_index (self->fds, int, i));
    }
}

/* A Unix socket that refused once does so for ever: another one takes its place. */
static gboolean
listener_pause_replace_unix (DetourListener *self, guint index, const DetourSocketOptions *options,
                             GError **error)
{
  g_autoptr (GError) problem = NULL;
  DetourAddress address;
  int fd;

  if (self->is_passed)
    return TRUE;
  fd = detour_address_parse (self->addresses->pdata[index], &address, &problem)
         ? detour_socket_listen (&address, AF_UNSPEC, options, &self->file, &problem)
         : -1;
  if (fd < 0)
    {
      g_set_error (error, problem->domain, problem->code, "%s: cannot listen again: %s",
                   (const char *) self->addresses->pdata[index], problem->message);
      return FALSE;
    }
  close (g_array_index (self->fds, int, index));
  g_array_index (self->fds, int, index) = fd;
  g_array_index (self->files, DetourSocketFileId, index) = detour_socket_file_id (fd);
  return TRUE;
}

static gboolean
listener_pause_resume_one (DetourListener *self, guint index, const DetourSocketOptions *options,
                           GError **error)
{
  int code;

  if (detour_listener_is_unix (self, index))
    return listener_pause_replace_unix (self, index, options, error);
  if (detour_socket_resume (g_array_index (self->fds, int, index),
                            &g_array_index (self->bound, struct sockaddr_storage, index)))
    return TRUE;
  code = errno;
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code), "%s: cannot listen again: %s",
               (const char *) self->addresses->pdata[index], g_strerror (code));
  return FALSE;
}

gboolean
detour_listener_resume (DetourListener *self, const DetourSocketOptions *options, GError **error)
{
  gboolean good = TRUE;

  self->is_paused = FALSE;
  for (guint i = 0; i < self->fds->len; i++)
    {
      g_autoptr (GError) problem = NULL;
      gboolean listens = listener_pause_resume_one (self, i, options, &problem);

      g_array_index (self->taken, gboolean, i) = !listens;
      if (listens)
        continue;
      g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "address-absent",
                        DETOUR_LOG_LISTENER, self->instance, "MESSAGE",
                        "%s: %s; it is tried again until it can be had", self->instance,
                        problem->message);
      if (good)
        g_propagate_error (error, g_steal_pointer (&problem));
      good = FALSE;
    }
  return good;
}

gboolean
detour_listener_try_taken (DetourListener *self, const DetourSocketOptions *options)
{
  gboolean any = FALSE;

  for (guint i = 0; !self->is_paused && i < self->fds->len; i++)
    if (detour_listener_is_taken (self, i) && listener_pause_resume_one (self, i, options, NULL))
      {
        g_array_index (self->taken, gboolean, i) = FALSE;
        any = TRUE;
        g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "listening",
                          DETOUR_LOG_LISTENER, self->instance, "MESSAGE",
                          "%s: listening on %s again (%s)", self->instance,
                          (const char *) self->addresses->pdata[i], self->protocol);
      }
  return any;
}

gboolean
detour_listener_has_taken (const DetourListener *self)
{
  for (guint i = 0; i < self->fds->len; i++)
    if (detour_listener_is_taken (self, i))
      return TRUE;
  return FALSE;
}

GStrv
detour_listener_absent_addresses (const DetourListener *self)
{
  g_autoptr (GStrvBuilder) absent = g_strv_builder_new ();

  for (guint i = 0; i < self->fds->len; i++)
    if (detour_listener_is_taken (self, i)
        || detour_socket_is_absent (g_array_index (self->fds, int, i)))
      g_strv_builder_add (absent, self->addresses->pdata[i]);
  return g_strv_builder_end (absent);
}
