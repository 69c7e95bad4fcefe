/* detour-convoy.c: a record and many descriptors go through a socket to another process.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-convoy.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

G_DEFINE_QUARK (detour - convoy - error - quark, detour_convoy_error)

/* Of a message. The kernel takes one more, but musl's sendmsg() does not. */
#define BATCH 252u

/* The most that a message brings. */
#define BATCH_MAX 253u

/* Messages that a bundle holds, in a buffer as small as the kernel has by default. */
#define BATCHES_A_BUNDLE 32u

typedef union {
  struct cmsghdr head; /* aligns */
  char room[CMSG_SPACE (BATCH_MAX * sizeof (int))];
} ConvoyControl;

static gboolean
convoy_fail (GError **error, const char *what)
{
  g_set_error (error, DETOUR_CONVOY_ERROR, DETOUR_CONVOY_ERROR_SYSTEM, "%s: %s", what,
               g_strerror (errno));
  return FALSE;
}

static void
convoy_close (gpointer place)
{
  const int *fd = place;

  if (*fd >= 0)
    close (*fd);
}

/* Of descriptors, which are closed with it except those that are -1. */
static GArray *
convoy_array (void)
{
  GArray *fds = g_array_new (FALSE, FALSE, sizeof (int));

  g_array_set_clear_func (fds, convoy_close);
  return fds;
}

/* Sending -------------------------------------------------------------------------------------- */

/* @n: BATCH at most */
static gboolean
convoy_send_batch (int socket, const int *fds, gsize n, GError **error)
{
  ConvoyControl control = { 0 };
  char byte = 0;
  struct iovec data = { &byte, sizeof byte };
  struct msghdr message = {
    .msg_iov = &data,
    .msg_iovlen = 1,
    .msg_control = control.room,
    .msg_controllen = CMSG_SPACE (n * sizeof (int)),
  };

  control.head.cmsg_level = SOL_SOCKET;
  control.head.cmsg_type = SCM_RIGHTS;
  control.head.cmsg_len = CMSG_LEN (n * sizeof (int));
  memcpy (CMSG_DATA (&control.head), fds, n * sizeof (int));
  if (sendmsg (socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (gssize) sizeof byte)
    return TRUE;
  return convoy_fail (error, "the descriptors cannot be sent");
}

/* Returns: the end to read from; -1 with @error. */
static int
convoy_load (const int *fds, gsize n, GError **error)
{
  gboolean good = TRUE;
  int ends[2];

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    {
      convoy_fail (error, "no socket for descriptors");
      return -1;
    }
  for (gsize at = 0; good && at < n; at += BATCH)
    good = convoy_send_batch (ends[1], fds + at, MIN (n - at, BATCH), error);
  close (ends[1]);
  if (good)
    return ends[0];
  close (ends[0]);
  return -1;
}

gboolean
detour_convoy_send (int socket, int record, const int *fds, gsize n, GError **error)
{
  const gsize load = (gsize) BATCH * BATCHES_A_BUNDLE;
  g_autoptr (GArray) bundles = convoy_array ();
  int head[BATCH] = { record };

  g_return_val_if_fail (n <= (BATCH - 1) * load, FALSE);
  for (gsize at = 0; at < n; at += load)
    {
      int bundle = convoy_load (fds + at, MIN (n - at, load), error);

      if (bundle < 0)
        return FALSE;
      g_array_append_val (bundles, bundle);
      head[bundles->len] = bundle;
    }
  return convoy_send_batch (socket, head, bundles->len + 1, error);
}

/* Receiving ------------------------------------------------------------------------------------ */

/* Appends what one message carries. @flags: of recvmsg(). FALSE without @error: there is none. */
static gboolean
convoy_receive_batch (int socket, int flags, GArray *fds, GError **error)
{
  ConvoyControl control;
  char byte;
  struct iovec data = { &byte, sizeof byte };
  struct msghdr message = {
    .msg_iov = &data,
    .msg_iovlen = 1,
    .msg_control = control.room,
    .msg_controllen = sizeof control.room,
  };
  gssize n = recvmsg (socket, &message, flags | MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

  if (n < 0 && errno != EAGAIN)
    return convoy_fail (error, "the descriptors cannot be received");
  if (n <= 0)
    return FALSE;
  for (struct cmsghdr *head = CMSG_FIRSTHDR (&message); head != NULL;
       head = CMSG_NXTHDR (&message, head))
    if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
      g_array_append_vals (fds, CMSG_DATA (head),
                           (guint) ((head->cmsg_len - CMSG_LEN (0)) / sizeof (int)));
  if ((message.msg_flags & MSG_CTRUNC) == 0)
    return TRUE;
  errno = EMFILE;
  return convoy_fail (error, "not all descriptors could be received");
}

gboolean
detour_convoy_receive (int socket, int *record, GArray **fds, GError **error)
{
  g_autoptr (GArray) head = convoy_array ();
  g_autoptr (GArray) all = convoy_array ();
  g_autoptr (GError) problem = NULL;

  if (convoy_receive_batch (socket, 0, head, &problem))
    for (guint i = 1; problem == NULL && i < head->len; i++)
      while (convoy_receive_batch (g_array_index (head, int, i), 0, all, &problem))
        ;
  if (problem == NULL && head->len == 0)
    g_set_error_literal (&problem, DETOUR_CONVOY_ERROR, DETOUR_CONVOY_ERROR_NONE,
                         "nothing was sent");
  if (problem != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&problem));
      return FALSE;
    }
  *record = g_array_index (head, int, 0);
  g_array_index (head, int, 0) = -1;
  g_array_set_clear_func (all, NULL);
  *fds = g_steal_pointer (&all);
  return TRUE;
}

int
detour_convoy_peek (int socket)
{
  g_autoptr (GArray) head = convoy_array ();
  int record = -1;

  if (!convoy_receive_batch (socket, MSG_PEEK, head, NULL) || head->len == 0)
    return -1;
  record = g_array_index (head, int, 0);
  g_array_index (head, int, 0) = -1;
  return record;
}
