/* detour-store.c: the socket that the service manager keeps for the program that it starts next.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-store.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "detour-convoy.h"
#include "detour-notify.h"
#include "detour-passed.h"
#include "detour-program.h"

#define NAME "detour-handover"

int
detour_store_open (void)
{
  int ends[2];

  if (g_getenv ("FDSTORE") == NULL || socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    return -1;
  /* Whatever program ran in this process before has its own. */
  detour_notify_unstore (NAME);
  detour_notify_store (NAME, ends[0]);
  close (ends[0]);
  return ends[1];
}

gboolean
detour_store_is_kept (int fd)
{
  struct pollfd entry = { .fd = fd };

  return poll (&entry, 1, 0) == 0;
}

void
detour_store_close (int fd)
{
  detour_notify_unstore (NAME);
  close (fd);
}

/* FALSE: there is none. */
static gboolean
store_find (guint *index)
{
  for (*index = 0; *index < detour_passed_count (); (*index)++)
    if (g_str_equal (detour_passed_name (*index), NAME))
      return TRUE;
  return FALSE;
}

gboolean
detour_store_is_passed (void)
{
  guint index;

  return store_find (&index);
}

int
detour_store_peek (void)
{
  guint index;

  return store_find (&index) ? detour_convoy_peek (detour_passed_fd (index)) : -1;
}

DetourHandover *
detour_store_take (void)
{
  g_autoptr (GError) error = NULL;
  DetourHandover *handover;
  guint index;

  if (!store_find (&index))
    return NULL;
  detour_program_begin_secrecy ();
  handover = detour_handover_receive (detour_passed_fd (index), &error);
  detour_notify_unstore (NAME);
  detour_passed_forget (index);
  if (handover != NULL)
    return handover;
  detour_program_end_secrecy ();
  if (g_error_matches (error, DETOUR_CONVOY_ERROR, DETOUR_CONVOY_ERROR_NONE))
    g_warning (
        "all clients of the program before are lost: it was ended by a signal or a fault and "
        "could not leave them to this one; they come back by themselves");
  else
    g_warning ("all clients of the program before are lost: %s", error->message);
  return NULL;
}
