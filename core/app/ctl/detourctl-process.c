/* detourctl-process.c: the process of the daemon, which may end while a command waits for it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-process.h"

#include <gio/gunixsocketaddress.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

/* 0: the bus does not say. */
static guint
ctl_process_ask_bus (Detourctl *self)
{
  guint32 pid = 0;
  g_autoptr (GVariant) reply = g_dbus_connection_call_sync (
      self->connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
      "GetConnectionUnixProcessID", g_variant_new ("(s)", DETOUR_BUS_NAME), G_VARIANT_TYPE ("(u)"),
      G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL, NULL);

  if (reply != NULL)
    g_variant_get (reply, "(u)", &pid);
  return pid;
}

/* 0: the kernel does not say, as of a process that has no number here. */
static guint
ctl_process_ask_socket (Detourctl *self)
{
  GIOStream *stream = g_dbus_connection_get_stream (self->connection);
  g_autoptr (GCredentials) credentials = NULL;
  pid_t pid;

  if (!G_IS_SOCKET_CONNECTION (stream))
    return 0;
  credentials = g_socket_get_credentials (
      g_socket_connection_get_socket (G_SOCKET_CONNECTION (stream)), NULL);
  pid = credentials != NULL ? g_credentials_get_unix_pid (credentials, NULL) : -1;
  return pid > 0 ? (guint) pid : 0;
}

void
detourctl_process_init (DetourctlProcess *process, Detourctl *self)
{
  *process = (DetourctlProcess) { .fd = -1 };
  if (self->connection == NULL)
    return;
  process->pid = self->bus != NULL ? ctl_process_ask_bus (self) : ctl_process_ask_socket (self);
#ifdef SYS_pidfd_open
  if (process->pid > 0)
    process->fd = (int) syscall (SYS_pidfd_open, (pid_t) process->pid, 0u);
#endif
}

void
detourctl_process_clear (DetourctlProcess *process)
{
  if (process->fd >= 0)
    close (process->fd);
  process->fd = -1;
}

gboolean
detourctl_process_has_ended (const DetourctlProcess *process)
{
  struct pollfd entry = { .fd = process->fd, .events = POLLIN };

  return process->fd >= 0 && poll (&entry, 1, 0) == 1 && (entry.revents & POLLIN) != 0;
}
