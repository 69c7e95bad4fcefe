/* fleet-input.c: what a program that is started reads from its standard input.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-input.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "detour-file-write.h"

int
fleet_input_open (const char *text, GError **error)
{
  int fd = memfd_create ("fleet", MFD_CLOEXEC);

  if (fd >= 0 && detour_file_write_bytes (fd, text, strlen (text)) && lseek (fd, 0, SEEK_SET) == 0)
    return fd;
  g_set_error_literal (error, G_IO_ERROR, (int) g_io_error_from_errno (errno), g_strerror (errno));
  if (fd >= 0)
    close (fd);
  return -1;
}
