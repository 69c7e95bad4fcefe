/* detour-handshake-pool-counts.c: how many connections the handshake pool has.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-private.h"

guint
detour_handshake_pool_count_waiting (const DetourHandshakePool *self)
{
  guint n = 0;

  for (guint i = 0; i < self->gates->len; i++)
    n += detour_half_open_n_waiting (
        ((DetourHandshakeGate *) g_ptr_array_index (self->gates, i))->backlog);
  return n;
}

/* With the lock. */
static guint
handshake_pool_counts_prefaces (const DetourHandshakePool *self)
{
  guint n = 0;

  for (guint i = 0; i < self->gates->len; i++)
    n += ((DetourHandshakeGate *) g_ptr_array_index (self->gates, i))->prefaces.length;
  return n;
}

guint
detour_handshake_pool_n_half_open (DetourHandshakePool *self)
{
  guint n = 0;

  detour_handshake_pool_lock (self);
  for (guint i = 0; i < self->gates->len; i++)
    n += detour_half_open_n_places (
        ((DetourHandshakeGate *) g_ptr_array_index (self->gates, i))->backlog);
  detour_handshake_pool_unlock (self);
  return n;
}

guint
detour_handshake_pool_n_waiting (DetourHandshakePool *self)
{
  guint n;

  detour_handshake_pool_lock (self);
  n = detour_handshake_pool_count_waiting (self) + handshake_pool_counts_prefaces (self);
  detour_handshake_pool_unlock (self);
  return n;
}

guint
detour_handshake_pool_n_held (DetourHandshakePool *self)
{
  guint n;

  detour_handshake_pool_lock (self);
  n = self->held.length;
  detour_handshake_pool_unlock (self);
  return n;
}

/* A key does not change any more, once its connection is on this list. */
void
detour_handshake_pool_each_held (DetourHandshakePool *self,
                                 void (*func) (const DetourKey *key, gpointer data), gpointer data)
{
  detour_handshake_pool_lock (self);
  for (const GList *link = self->held.head; link != NULL; link = link->next)
    func (&((const DetourHandshake *) link->data)->login.key, data);
  detour_handshake_pool_unlock (self);
}

guint64
detour_handshake_pool_n_bytes (DetourHandshakePool *self)
{
  guint64 n = __atomic_load_n (&self->held_bytes, __ATOMIC_RELAXED);

  detour_handshake_pool_lock (self);
  for (guint i = 0; i < self->gates->len; i++)
    n += detour_handshake_gate_bytes (g_ptr_array_index (self->gates, i));
  detour_handshake_pool_unlock (self);
  return n;
}

guint64
detour_handshake_pool_bytes_max (DetourHandshakePool *self)
{
  guint64 max;

  detour_handshake_pool_lock (self);
  max = self->limits.half_open_bytes;
  detour_handshake_pool_unlock (self);
  return max;
}

guint
detour_handshake_pool_n_registered (const DetourHandshakePool *self)
{
  guint n = 0;

  for (guint i = 0; i < self->parts.n_workers; i++)
    n += detour_worker_n_conns (self->parts.workers[i]);
  return n;
}

guint
detour_handshake_pool_n_mesh (const DetourHandshakePool *self)
{
  guint n = 0;

  for (guint i = 0; i < self->parts.n_workers; i++)
    n += detour_worker_n_mesh (self->parts.workers[i]);
  return n;
}

guint
detour_handshake_pool_n_clients (const DetourHandshakePool *self)
{
  guint n = 0;

  for (guint i = 0; i < self->parts.n_workers; i++)
    n += detour_worker_n_clients (self->parts.workers[i]);
  return n;
}

guint
detour_handshake_pool_n_outside (DetourHandshakePool *self)
{
  return detour_handshake_pool_n_waiting (self) + detour_handshake_pool_n_half_open (self)
       + detour_handshake_pool_n_held (self);
}

guint
detour_handshake_pool_n_connections (DetourHandshakePool *self)
{
  return detour_handshake_pool_n_outside (self) + detour_handshake_pool_n_registered (self);
}

DetourForwarder *
detour_handshake_pool_forwarder (const DetourHandshakePool *self)
{
  return self->forwarder;
}
