/* detour-watch.c: the descriptors that the kernel watches for a loop.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-watch.h"

#include <unistd.h>

gboolean
detour_watch_init (DetourWatch *self)
{
  *self = (DetourWatch) { epoll_create1 (EPOLL_CLOEXEC), g_ptr_array_new (), FALSE };
  return self->fd >= 0;
}

void
detour_watch_clear (DetourWatch *self)
{
  if (self->fd >= 0)
    close (self->fd);
  g_clear_pointer (&self->lasting, g_ptr_array_unref);
}

/* All bits are written, also where an address has less than the union. */
static guint64
watch_data (DetourIo *io)
{
  return (guintptr) io;
}

/* Odd, as no address of an io is. */
static guint64
watch_lasting_data (int fd)
{
  return (guint64) fd << 1 | 1;
}

static gboolean
watch_is_lasting (const DetourWatch *self, const DetourIo *io)
{
  return (guint) io->fd < self->lasting->len && self->lasting->pdata[io->fd] == io;
}

gboolean
detour_watch_add (DetourWatch *self, DetourIo *io)
{
  struct epoll_event event = { .events = io->events, .data.u64 = watch_data (io) };

  return epoll_ctl (self->fd, EPOLL_CTL_ADD, io->fd, &event) == 0;
}

gboolean
detour_watch_add_lasting (DetourWatch *self, DetourIo *io, DetourWatch *before)
{
  struct epoll_event event = { .events = io->events, .data.u64 = watch_lasting_data (io->fd) };

  if (before != NULL && before != self)
    detour_watch_forget (before, io->fd);
  if (before != self && epoll_ctl (self->fd, EPOLL_CTL_ADD, io->fd, &event) < 0)
    return FALSE;
  if ((guint) io->fd >= self->lasting->len)
    g_ptr_array_set_size (self->lasting, io->fd + 1);
  self->lasting->pdata[io->fd] = io;
  return TRUE;
}

void
detour_watch_modify (DetourWatch *self, DetourIo *io, guint32 events)
{
  struct epoll_event event = { .events = events };

  if (io->events == events)
    return;
  event.data.u64 = watch_is_lasting (self, io) ? watch_lasting_data (io->fd) : watch_data (io);
  io->events = events;
  if (epoll_ctl (self->fd, EPOLL_CTL_MOD, io->fd, &event) < 0)
    g_assert_not_reached (); /* only a descriptor that is not there can fail */
}

void
detour_watch_remove (DetourWatch *self, DetourIo *io)
{
  detour_watch_forget (self, io->fd);
  if (watch_is_lasting (self, io))
    {
      self->lasting->pdata[io->fd] = NULL;
      self->has_removed = TRUE;
    }
  io->ready = NULL;
}

void
detour_watch_leave (DetourWatch *self, DetourIo *io)
{
  g_assert (watch_is_lasting (self, io));
  self->lasting->pdata[io->fd] = NULL;
  io->ready = NULL;
}

void
detour_watch_forget (const DetourWatch *self, int fd)
{
  epoll_ctl (self->fd, EPOLL_CTL_DEL, fd, NULL);
}

/* It would be told again and again. One that was removed in this round is not that, and its
 * descriptor may be watched for another reason by now. */
void
detour_watch_drop_stray (DetourWatch *self, guint64 data)
{
  if (!self->has_removed)
    detour_watch_forget (self, (int) (data >> 1));
}
