/* detour-worker-rings.c: packets on their way from one worker to another.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-worker-rings.h"

#include "detour-ring.h"

/* Memory of a ring; a page of it is touched once packets have come so far. */
#define RING_SIZE (512u * 1024)
/* So many bytes for another worker are not kept back until the round is over. */
#define RING_HOLD (64u * 1024)

/* In front of a frame in a ring. */
typedef struct {
  DetourHandle handle;
  guint64 sender_id;
} RingHead;

/* What belongs to one worker, on cache lines of its own. */
typedef struct {
  _Alignas(64) DetourLoop *loop;
  DetourRing **to;    /* by receiver; NULL for itself */
  gsize *unpublished; /* bytes in that ring which the receiver has not been told of */
  gboolean holds;     /* messages that it received, until release() */
  gboolean has_left;
} Side;

struct _DetourWorkerRings {
  guint n;
  Side *sides;
};

DetourWorkerRings *
detour_worker_rings_new (guint n_workers)
{
  DetourWorkerRings *self = g_new0 (DetourWorkerRings, 1);

  self->n = n_workers;
  self->sides = g_aligned_alloc0 (n_workers, sizeof (Side), 64);
  for (guint i = 0; i < n_workers; i++)
    {
      self->sides[i].to = g_new0 (DetourRing *, n_workers);
      self->sides[i].unpublished = g_new0 (gsize, n_workers);
    }
  for (guint i = 0; i < n_workers; i++)
    for (guint k = 0; k < n_workers; k++)
      if (i != k)
        {
          self->sides[i].to[k] = detour_ring_new (RING_SIZE);
          if (self->sides[i].to[k] == NULL)
            {
              detour_worker_rings_free (self);
              return NULL;
            }
        }
  return self;
}

void
detour_worker_rings_free (DetourWorkerRings *self)
{
  for (guint i = 0; i < self->n; i++)
    {
      for (guint k = 0; k < self->n; k++)
        g_clear_pointer (&self->sides[i].to[k], detour_ring_free);
      g_free (self->sides[i].to);
      g_free (self->sides[i].unpublished);
    }
  g_aligned_free (self->sides);
  g_free (self);
}

void
detour_worker_rings_set_loop (DetourWorkerRings *self, guint index, DetourLoop *loop)
{
  self->sides[index].loop = loop;
}

DetourLoop *
detour_worker_rings_loop (const DetourWorkerRings *self, guint index)
{
  return index < self->n ? self->sides[index].loop : NULL;
}

/* A worker that has left may be the last one whose loop runs. */
static void
worker_rings_wake (DetourWorkerRings *self, guint index, guint other)
{
  if (!self->sides[index].has_left)
    detour_loop_wake (self->sides[other].loop);
}

static void
worker_rings_publish (DetourWorkerRings *self, guint index, guint receiver)
{
  Side *side = &self->sides[index];

  side->unpublished[receiver] = 0;
  detour_ring_publish (side->to[receiver]);
  worker_rings_wake (self, index, receiver);
}

/* Room for a head of a frame and @len bytes more behind it, which are published with the round.
 * NULL: there is none. */
static inline guint8 *
worker_rings_reserve (DetourWorkerRings *self, guint index, DetourHandle handle, guint64 sender_id,
                      gsize len)
{
  Side *side = &self->sides[index];
  guint receiver = DETOUR_HANDLE_WORKER (handle);
  gsize size = sizeof (RingHead) + DETOUR_FRAME_RECV_HEAD_SIZE + len;
  RingHead *head = detour_ring_reserve (side->to[receiver], size);

  if (head == NULL)
    {
      worker_rings_publish (self, index, receiver);
      detour_ring_want_room (side->to[receiver]);
      head = detour_ring_reserve (side->to[receiver], size);
      if (head == NULL)
        return NULL;
    }
  *head = (RingHead) { handle, sender_id };
  side->unpublished[receiver] += size;
  return (guint8 *) (head + 1);
}

static inline void
worker_rings_written (DetourWorkerRings *self, guint index, guint receiver)
{
  if (self->sides[index].unpublished[receiver] >= RING_HOLD)
    worker_rings_publish (self, index, receiver);
}

DetourForward
detour_worker_rings_send (DetourWorkerRings *self, guint index, DetourHandle handle,
                          guint64 sender_id, const DetourKey *sender, const guint8 *packet,
                          gsize len)
{
  guint receiver = DETOUR_HANDLE_WORKER (handle);
  guint8 *frame;

  if (receiver >= self->n)
    return DETOUR_FORWARD_NOWHERE;
  frame = worker_rings_reserve (self, index, handle, sender_id, len);
  if (frame == NULL)
    return DETOUR_FORWARD_FULL;
  detour_frame_put_recv_head (frame, sender, (guint32) len);
  memcpy (frame + DETOUR_FRAME_RECV_HEAD_SIZE, packet, len);
  worker_rings_written (self, index, receiver);
  return DETOUR_FORWARD_DONE;
}

DetourForward
detour_worker_rings_pass_on (DetourWorkerRings *self, guint index, DetourHandle handle,
                             const DetourKey *sender, const guint8 *payload, gsize len)
{
  guint receiver = DETOUR_HANDLE_WORKER (handle);
  guint8 *frame;

  if (receiver >= self->n)
    return DETOUR_FORWARD_NOWHERE;
  frame = worker_rings_reserve (self, index, handle, 0, len);
  if (frame == NULL)
    return DETOUR_FORWARD_FULL;
  detour_frame_put_forward_head (frame, sender, (guint32) len);
  memcpy (frame + DETOUR_FRAME_RECV_HEAD_SIZE, payload, len);
  worker_rings_written (self, index, receiver);
  return DETOUR_FORWARD_DONE;
}

void
detour_worker_rings_publish (DetourWorkerRings *self, guint index)
{
  for (guint i = 0; i < self->n; i++)
    if (self->sides[index].unpublished[i] > 0)
      worker_rings_publish (self, index, i);
}

gboolean
detour_worker_rings_receive (DetourWorkerRings *self, guint index, DetourRelay *relay)
{
  gboolean found = FALSE;

  for (guint i = 0; i < self->n; i++)
    {
      RingHead *head;
      size_t len;

      if (i == index)
        continue;
      while ((head = detour_ring_next (self->sides[i].to[index], &len)) != NULL)
        {
          detour_relay_deliver (relay, head->handle, head->sender_id, (guint8 *) (head + 1),
                                len - sizeof *head);
          found = TRUE;
        }
    }
  self->sides[index].holds |= found;
  return found;
}

void
detour_worker_rings_release (DetourWorkerRings *self, guint index)
{
  if (!self->sides[index].holds)
    return;
  self->sides[index].holds = FALSE;
  for (guint i = 0; i < self->n; i++)
    if (i != index && detour_ring_release (self->sides[i].to[index]))
      worker_rings_wake (self, index, i);
}

void
detour_worker_rings_leave (DetourWorkerRings *self, guint index)
{
  self->sides[index].has_left = TRUE;
}
