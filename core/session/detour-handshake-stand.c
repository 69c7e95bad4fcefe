/* detour-handshake-stand.c: the threads of the pool stand still while another program takes over.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-private.h"
#include "detour-metric-record.h"

/* In the midst of a round: what comes later in it waits as well. */
static void
handshake_stand_still (DetourLoop *loop, gpointer data)
{
  DetourHandshakePool *self = data;

  detour_handshake_pool_lock (self);
  self->n_standing++;
  g_cond_broadcast (&self->standing_changed);
  while (self->stands_still)
    g_cond_wait (&self->standing_changed, &self->lock);
  self->n_standing--;
  g_cond_broadcast (&self->standing_changed);
  detour_handshake_pool_unlock (self);
}

void
detour_handshake_pool_stand_still (DetourHandshakePool *self)
{
  self->stands_still = TRUE;
  for (guint i = 0; i < self->n_threads; i++)
    detour_loop_post (self->threads[i].loop, handshake_stand_still, self);
  detour_handshake_pool_lock (self);
  while (self->n_standing < self->n_threads)
    g_cond_wait (&self->standing_changed, &self->lock);
  detour_handshake_pool_unlock (self);
}

void
detour_handshake_pool_go_on (DetourHandshakePool *self)
{
  detour_handshake_pool_lock (self);
  self->stands_still = FALSE;
  g_cond_broadcast (&self->standing_changed);
  while (self->n_standing > 0)
    g_cond_wait (&self->standing_changed, &self->lock);
  detour_handshake_pool_unlock (self);
}

/* It is held from the verdict on, which came soon after it was asked for. */
static gint64
handshake_stand_held_until_us (const DetourHandshake *handshake)
{
  return detour_handshake_row (handshake->state)->list == DETOUR_HANDSHAKE_LIST_HELD
           ? handshake->asked_us + handshake->thread->refuse_hold_us
           : 0;
}

void
detour_handshake_pool_list (const DetourHandshakePool *self, GArray *out)
{
  g_assert (self->n_standing == self->n_threads);
  for (guint i = 0; i < self->n_threads; i++)
    for (GList *link = self->threads[i].handshakes.head; link != NULL; link = link->next)
      {
        const DetourHandshake *handshake = link->data;
        DetourHandshakeLeft left = { handshake->io.fd, handshake_stand_held_until_us (handshake),
                                     handshake->is_touched ? NULL : handshake->listener };

        g_array_append_val (out, left);
      }
}

guint64
detour_handshake_pool_n_accepted (const DetourHandshakePool *self)
{
  return __atomic_load_n (&self->n_connections, __ATOMIC_RELAXED);
}

static void
handshake_stand_count_on (DetourLoop *loop, gpointer data)
{
  DetourHandshakeThread *thread = detour_loop_user (loop);

  detour_metric_record_read (data, detour_handshake_metrics, &thread->counters);
}

void
detour_handshake_pool_count_on (DetourHandshakePool *self, guint64 n_accepted,
                                const DetourRecordItem *counters)
{
  __atomic_fetch_add (&self->n_connections, n_accepted, __ATOMIC_RELAXED);
  if (counters != NULL)
    detour_loop_call (self->threads[0].loop, handshake_stand_count_on, (gpointer) counters);
}
