/* detour-daemon-user.c: which user the daemon runs as, for programs that root starts.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-daemon-user.h"

#include <sys/stat.h>
#include <unistd.h>

/* As in the service unit. */
#define DAEMON_USER "detour"

const struct passwd *
detour_daemon_user (const char *state_directory)
{
  const struct passwd *user = NULL;
  struct stat st;

  if (geteuid () != 0)
    return NULL;
  if (state_directory != NULL && stat (state_directory, &st) == 0 && st.st_uid != 0)
    user = getpwuid (st.st_uid);
  return user != NULL ? user : getpwnam (DAEMON_USER);
}
