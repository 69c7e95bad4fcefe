/* detour-server-watches.c: what the kernel watches for workers goes from one program to the next.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * To watch a socket anew costs more than all else that is done for an idle client in an upgrade. A
 * program that is executed in the same process has the same descriptors, so it need not. */
#include "config.h"

#include "detour-server-private.h"

#include <unistd.h>

void
detour_server_forget_watch (const DetourServer *self, guint watched_by, int fd)
{
  if (watched_by > 0)
    detour_loop_unwatch (detour_worker_loop (self->workers[watched_by - 1]), fd);
}

void
detour_server_write_watches (const DetourServer *self, DetourHandoverDraft *draft)
{
  for (guint i = 0; i < self->n_workers; i++)
    {
      int fd = detour_loop_watch_fd (detour_worker_loop (self->workers[i]));

      detour_record_put_number (detour_handover_draft_record (draft), DETOUR_HANDOVER_WATCH,
                                (guint64) detour_handover_draft_add_fd (draft, fd) + 1);
    }
}

/* With another number of workers all are watched anew, so that each has its share. */
void
detour_server_inherit_watches (DetourServer *self, DetourHandover *handover, const GArray *places)
{
  self->n_watching = 0;
  if (places->len != self->n_workers)
    return;
  while (self->n_watching < self->n_workers)
    {
      guint32 place = g_array_index (places, guint32, self->n_watching);
      int fd = detour_handover_take_fd (handover, place - 1);

      if (fd < 0)
        return;
      if (!detour_worker_inherit (self->workers[self->n_watching], fd))
        {
          close (fd);
          return;
        }
      self->n_watching++;
    }
}
