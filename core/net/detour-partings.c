/* detour-partings.c: connections that have had our goodbye and are kept until the peer has read it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-partings.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "detour-descriptors.h"

/* What is thrown away at a time, and how often in one round. */
#define READ_SIZE 16384u
#define READS_MAX 4u
/* The part of all descriptors that one loop may use here. */
#define DESCRIPTORS_PART 64u

typedef struct {
  DetourIo io;
  DetourPartings *owner;
  GList link;
  gint64 end_us;
  guint32 n_bytes; /* that were thrown away */
  gboolean answers;
} Parting;

void
detour_partings_init (DetourPartings *self, gint64 time_us, guint most)
{
  g_queue_init (&self->all);
  self->timer = (DetourTimer) { NULL };
  self->time_us = time_us;
  self->most = most;
  self->is_stopping = FALSE;
}

guint
detour_partings_most (void)
{
  return (guint) CLAMP (detour_descriptors_max () / DESCRIPTORS_PART, 1, DETOUR_PARTINGS_MAX);
}

/* Throws away what has come. FALSE: nothing comes any more, or it was too much. */
static gboolean
partings_drain (int fd, guint32 *n_bytes)
{
  guint8 bytes[READ_SIZE];

  for (guint i = 0; i < READS_MAX && *n_bytes <= DETOUR_PARTINGS_BYTES_MAX; i++)
    {
      gssize n = recv (fd, bytes, sizeof bytes, MSG_DONTWAIT);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return errno == EAGAIN;
      if (n == 0)
        return FALSE;
      *n_bytes += (guint32) n;
    }
  return *n_bytes <= DETOUR_PARTINGS_BYTES_MAX;
}

static void
partings_release (DetourLoop *loop, gpointer data)
{
  g_free (data);
}

static void
partings_end (Parting *parting, DetourLoop *loop)
{
  g_queue_unlink (&parting->owner->all, &parting->link);
  detour_loop_remove (loop, &parting->io);
  close (parting->io.fd);
  detour_loop_defer (loop, partings_release, parting);
}

static void
partings_set_timer (DetourPartings *self, DetourLoop *loop)
{
  const Parting *first = self->all.head != NULL ? self->all.head->data : NULL;

  if (first == NULL)
    detour_wheel_clear (detour_loop_wheel (loop), &self->timer);
  else
    detour_wheel_set (detour_loop_wheel (loop), &self->timer, first->end_us);
}

static void
partings_on_ready (DetourLoop *loop, DetourIo *io, guint32 events)
{
  Parting *parting = (Parting *) io;
  DetourPartings *self = parting->owner;

  if (partings_drain (io->fd, &parting->n_bytes))
    return;
  partings_end (parting, loop);
  if (self->all.head == NULL)
    partings_set_timer (self, loop);
}

void
detour_partings_add (DetourPartings *self, DetourLoop *loop, int fd, gboolean answers)
{
  Parting *parting;
  guint32 n_bytes = 0;

  g_assert (detour_loop_is_current (loop));
  /* In most cases the peer went first, and nothing is left to wait for. */
  if (!partings_drain (fd, &n_bytes) || shutdown (fd, SHUT_WR) < 0
      || (self->is_stopping && !answers))
    {
      close (fd);
      return;
    }
  parting = g_new0 (Parting, 1);
  *parting = (Parting) {
    .io = { partings_on_ready, fd, EPOLLIN },
    .owner = self,
    .link = { .data = parting },
    .end_us = detour_loop_now_us (loop) + self->time_us,
    .n_bytes = n_bytes,
    .answers = answers,
  };
  /* Whoever has a copy of the descriptor still when another program goes on with what the kernel
   * watches: that program is told no address of this one. */
  if (!detour_loop_add_lasting (loop, &parting->io, NULL))
    {
      close (fd);
      g_free (parting);
      return;
    }
  g_queue_push_tail_link (&self->all, &parting->link);
  if (self->all.length > self->most)
    partings_end (self->all.head->data, loop);
  partings_set_timer (self, loop);
}

gboolean
detour_partings_on_timer (DetourPartings *self, DetourLoop *loop, DetourTimer *timer)
{
  if (timer != &self->timer)
    return FALSE;
  while (self->all.head != NULL
         && ((Parting *) self->all.head->data)->end_us <= detour_loop_now_us (loop))
    partings_end (self->all.head->data, loop);
  partings_set_timer (self, loop);
  return TRUE;
}

/* At the end ----------------------------------------------------------------------------------- */

void
detour_partings_stop (DetourPartings *self, DetourLoop *loop)
{
  GList *link = self->all.head;

  g_assert (detour_loop_is_current (loop));
  self->is_stopping = TRUE;
  self->most = G_MAXUINT;
  while (link != NULL)
    {
      Parting *parting = link->data;

      link = link->next;
      if (!parting->answers)
        partings_end (parting, loop);
    }
}

/* FALSE: they have had their time. */
static gboolean
partings_wait (DetourPartings *self, DetourLoop *loop, gint64 until_us)
{
  guint n = self->all.length;
  g_autofree struct pollfd *polls = g_new0 (struct pollfd, n);
  gint64 left_us = until_us - g_get_monotonic_time ();
  GList *link = self->all.head;

  for (guint i = 0; i < n; i++, link = link->next)
    polls[i] = (struct pollfd) { ((Parting *) link->data)->io.fd, POLLIN, 0 };
  if (left_us <= 0 || poll (polls, n, (int) (left_us / 1000) + 1) <= 0)
    return FALSE;
  link = self->all.head;
  for (guint i = 0; i < n; i++)
    {
      Parting *parting = link->data;

      link = link->next;
      if (polls[i].revents != 0 && !partings_drain (parting->io.fd, &parting->n_bytes))
        partings_end (parting, loop);
    }
  return TRUE;
}

void
detour_partings_finish (DetourPartings *self, DetourLoop *loop, gint64 time_us)
{
  gint64 until_us = g_get_monotonic_time () + time_us;

  g_assert (detour_loop_is_current (loop));
  while (self->all.head != NULL && partings_wait (self, loop, until_us))
    ;
  while (self->all.head != NULL)
    partings_end (self->all.head->data, loop);
  self->most = 0;
  partings_set_timer (self, loop);
}
