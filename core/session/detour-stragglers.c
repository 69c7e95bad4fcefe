/* detour-stragglers.c: connections that could not go along to a new program, and are closed one by
 * one.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-stragglers.h"

#include <sodium.h>
#include <unistd.h>

/* They are looked at that often. */
#define STEP_MS 50u

typedef struct {
  int fd;
  gint64 end_us;
} Straggler;

struct _DetourStragglers {
  GArray *all; /* of Straggler, in no order */
  guint timer; /* 0: none is left */
};

DetourStragglers *
detour_stragglers_new (void)
{
  DetourStragglers *self = g_new0 (DetourStragglers, 1);

  self->all = g_array_new (FALSE, FALSE, sizeof (Straggler));
  return self;
}

static void
stragglers_close_until (DetourStragglers *self, gint64 now_us)
{
  for (guint i = self->all->len; i-- > 0;)
    {
      const Straggler *straggler = &g_array_index (self->all, Straggler, i);

      if (straggler->end_us > now_us)
        continue;
      close (straggler->fd);
      g_array_remove_index_fast (self->all, i);
    }
}

void
detour_stragglers_free (DetourStragglers *self)
{
  stragglers_close_until (self, G_MAXINT64);
  if (self->timer != 0)
    g_source_remove (self->timer);
  g_array_unref (self->all);
  g_free (self);
}

static gboolean
stragglers_on_step (gpointer data)
{
  DetourStragglers *self = data;

  stragglers_close_until (self, g_get_monotonic_time ());
  if (self->all->len > 0)
    return G_SOURCE_CONTINUE;
  self->timer = 0;
  return G_SOURCE_REMOVE;
}

void
detour_stragglers_keep (DetourStragglers *self, int fd, gint64 end_us)
{
  Straggler straggler = { fd, end_us };

  g_array_append_val (self->all, straggler);
  if (self->timer == 0)
    self->timer = g_timeout_add (STEP_MS, stragglers_on_step, self);
}

void
detour_stragglers_add (DetourStragglers *self, int fd, gint64 within_us)
{
  guint32 steps = (guint32) MIN (within_us / 1000, G_MAXINT32);

  detour_stragglers_keep (
      self, fd, g_get_monotonic_time () + (gint64) randombytes_uniform (MAX (steps, 1)) * 1000);
}

guint
detour_stragglers_count (const DetourStragglers *self)
{
  return self->all->len;
}

void
detour_stragglers_each (const DetourStragglers *self, DetourStragglersFunc func, gpointer user)
{
  for (guint i = 0; i < self->all->len; i++)
    {
      const Straggler *straggler = &g_array_index (self->all, Straggler, i);

      func (straggler->fd, straggler->end_us, user);
    }
}
