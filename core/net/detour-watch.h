/* detour-watch.h: the descriptors that the kernel watches for a loop.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the kernel gives back is where the io of a descriptor lies; or, of a lasting one, the number
 * of the descriptor, by which another program in the same process finds an io of its own. Only the
 * loop's thread, where nothing else is said. */
#pragma once

#include <sys/epoll.h>

#include "detour-loop.h"

G_BEGIN_DECLS

typedef struct {
  int fd;               /* of epoll; -1: there is none */
  GPtrArray *lasting;   /* of DetourIo, by descriptor; NULL: none */
  gboolean has_removed; /* in this round, of @lasting */
} DetourWatch;

/* FALSE with errno; detour_watch_clear() is for both cases. */
gboolean detour_watch_init (DetourWatch *self) G_GNUC_WARN_UNUSED_RESULT;
void detour_watch_clear (DetourWatch *self);

/* Of those below that return it: FALSE with errno when the kernel refuses. */
gboolean detour_watch_add (DetourWatch *self, DetourIo *io) G_GNUC_WARN_UNUSED_RESULT;
/* @before: (nullable): sees it already, see detour_loop_add_lasting() */
gboolean detour_watch_add_lasting (DetourWatch *self, DetourIo *io, DetourWatch *before)
    G_GNUC_WARN_UNUSED_RESULT;
void detour_watch_modify (DetourWatch *self, DetourIo *io, guint32 events);
void detour_watch_remove (DetourWatch *self, DetourIo *io);
void detour_watch_leave (DetourWatch *self, DetourIo *io);
/* Any thread. */
void detour_watch_forget (const DetourWatch *self, int fd);

/* Of an event of a descriptor that nobody took up. */
void detour_watch_drop_stray (DetourWatch *self, guint64 data);

/* Whose event it is. NULL: nobody's. */
static inline DetourIo *
detour_watch_find (DetourWatch *self, const struct epoll_event *event)
{
  guint64 data = event->data.u64, fd = data >> 1;
  DetourIo *io;

  if ((data & 1) == 0)
    return (DetourIo *) (guintptr) data;
  io = fd < self->lasting->len ? self->lasting->pdata[fd] : NULL;
  if (G_UNLIKELY (io == NULL))
    detour_watch_drop_stray (self, data);
  return io;
}

G_END_DECLS
