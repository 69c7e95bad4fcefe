/* detour-port-owner.c: finds the program that has a port of this host.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kernel's tables name the inode of each socket, and the descriptors of each process that may
 * be looked at name theirs. */
#include "config.h"

#include "detour-plugin.h"

#include <stdio.h>
#include <string.h>

#include "detour-file.h"

/* Bytes: some 7,000 sockets. The kernel lists those that listen before all others, of which a busy
 * host has hundreds of thousands. */
#define TABLE_MAX        (1u << 20)
#define PROGRAM_NAME_MAX 64u

/* Inode of a socket at @port in one of the kernel's tables; 0: none. Of TCP only what listens. */
static guint64
port_owner_find_inode (const char *table, guint port, gboolean udp)
{
  g_auto (DetourFile) file = { 0 };
  g_auto (GStrv) lines = NULL;

  if (!detour_file_read (table, TABLE_MAX, DETOUR_FILE_HEAD, &file, NULL))
    return 0;
  lines = g_strsplit (file.data, "\n", -1);
  /* The last line is empty, or may have been cut. */
  for (guint i = 1; lines[0] != NULL && lines[i] != NULL && lines[i + 1] != NULL; i++)
    {
      unsigned long long inode;
      unsigned local, state;

      /* sl local:port remote:port state tx:rx tr:when retrnsmt uid timeout inode */
      if (sscanf (lines[i],
                  " %*u: %*32[0-9A-Fa-f]:%x %*32[0-9A-Fa-f]:%*x %x %*s %*s %*s %*u %*u %llu",
                  &local, &state, &inode)
              == 3
          && local == port && inode != 0 && (udp || state == 0x0a))
        return inode;
    }
  return 0;
}

static gboolean
port_owner_has_socket (const char *pid, const char *link)
{
  g_autofree char *folder = g_build_filename ("/proc", pid, "fd", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_autofree char *target = g_file_read_link (path, NULL);

      if (g_strcmp0 (target, link) == 0)
        return TRUE;
    }
  return FALSE;
}

static char *
port_owner_describe (const char *pid)
{
  g_autofree char *path = g_build_filename ("/proc", pid, "comm", NULL);
  g_auto (DetourFile) file = { 0 };
  g_autofree char *name = NULL;

  if (!detour_file_read (path, PROGRAM_NAME_MAX, 0, &file, NULL))
    return g_strdup_printf ("process %s", pid);
  name = g_strescape (g_strchomp (file.data), NULL);
  return g_strdup_printf ("%s (process %s)", name, pid);
}

char *
detour_port_owner (guint port, gboolean udp)
{
  static const char *const tables[2][2] = { { "/proc/net/tcp", "/proc/net/tcp6" },
                                            { "/proc/net/udp", "/proc/net/udp6" } };
  g_autofree char *link = NULL;
  g_autoptr (GDir) dir = NULL;
  const char *pid;
  guint64 inode = port_owner_find_inode (tables[udp ? 1 : 0][0], port, udp);

  if (inode == 0)
    inode = port_owner_find_inode (tables[udp ? 1 : 0][1], port, udp);
  if (inode == 0)
    return NULL;
  link = g_strdup_printf ("socket:[%" G_GUINT64_FORMAT "]", inode);
  dir = g_dir_open ("/proc", 0, NULL);
  while (dir != NULL && (pid = g_dir_read_name (dir)) != NULL)
    if (g_ascii_isdigit (pid[0]) && port_owner_has_socket (pid, link))
      return port_owner_describe (pid);
  return NULL;
}
