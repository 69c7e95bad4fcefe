/* fleet-input.c: what a program that is started reads from its standard input.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-input.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int
fleet_input_open (const char *text, GError **error)
{
  int fd = memfd_create ("fleet", MFD_CLOEXEC);
  gsize len = strlen (text);
  gsize done = 0;

  while (fd >= 0 && done < len)
    {
      gssize n = write (fd, text + done, len - done);

      if (n < 0 && errno != EINTR)
        break;
      done += n > 0 ? (gsize) n : 0;
    }
  if (fd >= 0 && done == len && lseek (fd, 0, SEEK_SET) == 0)
    return fd;
  g_set_error_literal (error, G_IO_ERROR, (int) g_io_error_from_errno (errno), g_strerror (errno));
  if (fd >= 0)
    close (fd);
  return -1;
}
