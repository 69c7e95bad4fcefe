/* detour-state-lock.c: says to other programs on this host that a relay runs with a state
 * directory.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-state-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

/* Whoever asks holds it for a moment. */
#define TRIES   20u
#define STEP_US 1000

static int
state_lock_open (const char *state)
{
  return open (state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
detour_state_lock_take (const char *state)
{
  int fd = state_lock_open (state);

  for (guint i = 0; fd >= 0 && i < TRIES; i++)
    {
      if (flock (fd, LOCK_SH | LOCK_NB) == 0)
        return fd;
      if (errno != EWOULDBLOCK)
        break;
      g_usleep (STEP_US);
    }
  if (fd >= 0)
    close (fd);
  return -1;
}

gboolean
detour_state_lock_is_free (const char *state)
{
  int fd = state_lock_open (state);
  gboolean is_free;

  if (fd < 0)
    return TRUE;
  is_free = flock (fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
  close (fd);
  return is_free;
}
