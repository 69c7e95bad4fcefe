/* detour-conn-shared.c: what all connections of a worker share.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-conn-private.h"

/* Opened bytes of one round: so much is read before destinations get what they have. */
#define ARENA_SIZE (512u * 1024)

void
detour_conn_shared_init (DetourConnShared *self, const DetourWorkerLimits *limits)
{
  self->limits = *limits;
  self->cipher = g_malloc (DETOUR_CONN_READ_MAX);
  self->arena = (DetourBuffer) { g_malloc (ARENA_SIZE), 0, ARENA_SIZE };
  self->sealed.cap = DETOUR_CHANNEL_SEAL_BOUND (DETOUR_CONN_SEND_MAX + DETOUR_FRAME_HEADER_SIZE
                                                + DETOUR_FRAME_PAYLOAD_MAX);
  self->sealed.data = g_malloc (self->sealed.cap);
  self->replies = g_ptr_array_new ();
  self->stalled = g_ptr_array_new ();
  detour_log_limit_init (&self->slowed, g_get_monotonic_time ());
  detour_partings_init (&self->partings, DETOUR_PARTINGS_TIME_US, detour_partings_most ());
}

void
detour_conn_shared_clear (DetourConnShared *self)
{
  detour_block_store_clear (&self->blocks);
  g_clear_pointer (&self->pinged, g_hash_table_unref);
  g_ptr_array_unref (self->replies);
  g_ptr_array_unref (self->stalled);
  g_free (self->cipher);
  g_free (self->arena.data);
  g_free (self->sealed.data);
}

void
detour_conn_shared_reset (DetourConnShared *self)
{
  self->arena.len = 0;
  while (self->retired != NULL)
    {
      DetourBlock *block = self->retired;

      self->retired = block->next;
      detour_block_release (&self->blocks, block);
    }
}
