/* doctor-access.c: whether the daemon's user may do something with a file.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "doctor-access.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUPS_MAX 256
/* Behind a folder. */
#define FOLDER_MARK "/."

/* What the child says. */
typedef struct {
  int number;
  guint place; /* in the list of paths */
} Answer;

gboolean
doctor_access_is_known (const Doctor *doctor)
{
  return geteuid () == 0 || geteuid () == doctor->uid;
}

/* "/.", "/etc/.", "/etc/detour/.", "/etc/detour/x": a file where a folder should be is told by it.
 */
static GPtrArray *
doctor_access_list_places (const char *path)
{
  g_autofree char *whole = g_canonicalize_filename (path, "/");
  GPtrArray *places = g_ptr_array_new_with_free_func (g_free);

  for (const char *end = whole; end != NULL && end[1] != '\0'; end = strchr (end + 1, '/'))
    g_ptr_array_add (places, g_strdup_printf ("%.*s" FOLDER_MARK, (int) (end - whole), whole));
  g_ptr_array_add (places, g_steal_pointer (&whole));
  return places;
}

/* "/var/lib/detour", with DynamicUser= a link to "private/detour": systemd keeps such folders where
 * only root passes, and shows them to the service alone. NULL: @path is below no such folder. */
static char *
doctor_access_find_private (const char *path)
{
  static const char *const parents[] = { "/var/lib/", "/var/log/", "/var/cache/" };
  g_autofree char *whole = g_canonicalize_filename (path, "/");

  for (guint i = 0; i < G_N_ELEMENTS (parents); i++)
    {
      const char *name = whole + strlen (parents[i]);
      g_autofree char *folder = NULL;
      g_autofree char *link = NULL;

      if (!g_str_has_prefix (whole, parents[i]))
        continue;
      folder = g_strndup (whole, strlen (parents[i]) + strcspn (name, "/"));
      link = g_file_read_link (folder, NULL);
      if (link != NULL && g_str_has_prefix (link, "private/")
          && strcmp (link + strlen ("private/"), folder + strlen (parents[i])) == 0)
        return g_steal_pointer (&folder);
    }
  return NULL;
}

/* @place as it is found from @folder, which the child is in; @place itself elsewhere. */
static const char *
doctor_access_from (const char *folder, const char *place)
{
  gsize n = folder != NULL ? strlen (folder) : 0;

  if (n == 0 || strncmp (place, folder, n) != 0 || (place[n] != '\0' && place[n] != '/'))
    return place;
  return place[n] == '\0' ? "." : place + n + 1;
}

/* In the child of a process with threads: nothing but system calls. It may wait for a file system
 * that does not answer, and is not to be waited for by others then, or to outlive the look. */
static Answer
doctor_access_ask (const Doctor *doctor, const gid_t *groups, int n_groups, const GPtrArray *places,
                   const char *folder, int mode, pid_t parent)
{
  /* While it may; who is not root takes the way of everybody. */
  if (folder != NULL && chdir (folder) < 0)
    folder = NULL;
  if (geteuid () == 0 && doctor->uid != 0
      && (setgroups ((size_t) n_groups, groups) < 0
          || setresgid (doctor->gid, doctor->gid, doctor->gid) < 0
          || setresuid (doctor->uid, doctor->uid, doctor->uid) < 0))
    return (Answer) { errno, places->len - 1 };
  /* Behind the change of the user, which would undo it. */
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  if (getppid () != parent)
    return (Answer) { ECANCELED, places->len - 1 };
  for (guint i = 0; i < places->len; i++)
    if (faccessat (AT_FDCWD, doctor_access_from (folder, places->pdata[i]),
                   i + 1 < places->len ? X_OK : mode, AT_EACCESS)
        < 0)
      return (Answer) { errno, i };
  return (Answer) { 0, 0 };
}

int
doctor_access_try (const Doctor *doctor, const char *path, int mode, char **where)
{
  g_autoptr (GPtrArray) places = doctor_access_list_places (path);
  g_autofree char *folder = doctor_access_find_private (path);
  Answer answer = { EIO, places->len - 1 };
  gid_t groups[GROUPS_MAX] = { doctor->gid };
  int n_groups = GROUPS_MAX, ends[2];
  pid_t child, parent = getpid ();

  if (getgrouplist (doctor->user, doctor->gid, groups, &n_groups) < 0)
    n_groups = 1;
  *where = NULL;
  if (pipe2 (ends, O_CLOEXEC) < 0)
    return errno;
  child = fork ();
  if (child == 0)
    {
      for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fd != ends[1])
          close (fd);
      answer = doctor_access_ask (doctor, groups, n_groups, places, folder, mode, parent);
      _exit (write (ends[1], &answer, sizeof answer) == sizeof answer ? 0 : 1);
    }
  close (ends[1]);
  if (child > 0)
    {
      if (read (ends[0], &answer, sizeof answer) != sizeof answer)
        answer = (Answer) { EIO, places->len - 1 };
      while (waitpid (child, NULL, 0) < 0 && errno == EINTR)
        ;
    }
  close (ends[0]);
  if (answer.number == 0)
    return 0;
  *where = g_strdup (places->pdata[MIN (answer.place, places->len - 1)]);
  if (answer.place + 1 < places->len)
    (*where)[MAX (strlen (*where) - strlen (FOLDER_MARK), 1)] = '\0';
  return answer.number;
}
