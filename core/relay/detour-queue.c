/* detour-queue.c: packets that wait for a client which does not read fast enough.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-queue.h"

typedef struct {
  DetourQueued *first;
  DetourQueued **end; /* where the next packet is hung */
  guint n_packets;
} Line;

struct _DetourQueue {
  Line lines[DETOUR_QUEUE_N_KINDS];
  gsize n_bytes;
  DetourQueueKind turn; /* whose turn it is when both lines hold packets */
};

static DetourQueue *
queue_new (void)
{
  DetourQueue *self = g_new0 (DetourQueue, 1);

  for (guint kind = 0; kind < DETOUR_QUEUE_N_KINDS; kind++)
    self->lines[kind].end = &self->lines[kind].first;
  return self;
}

static DetourQueued *
queue_take (DetourQueue *self, DetourQueueKind kind)
{
  Line *line = &self->lines[kind];
  DetourQueued *packet = line->first;

  line->first = packet->next;
  if (line->first == NULL)
    line->end = &line->first;
  line->n_packets--;
  self->n_bytes -= packet->len;
  packet->next = NULL;
  return packet;
}

static DetourQueueKind
queue_next_kind (const DetourQueue *self)
{
  DetourQueueKind other = self->turn == DETOUR_QUEUE_DATA ? DETOUR_QUEUE_DISCO : DETOUR_QUEUE_DATA;

  return self->lines[self->turn].first != NULL ? self->turn : other;
}

void
detour_queue_push (DetourQueue **self, const DetourQueueLimits *limits, DetourQueueKind kind,
                   const guint8 *frame, gsize len, DetourQueueDropFunc drop, gpointer user)
{
  DetourQueue *queue;
  DetourQueued *packet;
  Line *line;

  g_assert (len >= DETOUR_FRAME_RECV_HEAD_SIZE
            && len <= DETOUR_FRAME_HEADER_SIZE + DETOUR_FRAME_SEND_MAX);
  if (*self == NULL)
    *self = queue_new ();
  queue = *self;
  line = &queue->lines[kind];

  while (line->first != NULL
         && (line->n_packets >= limits->packets || queue->n_bytes + len > limits->bytes))
    {
      DetourQueued *oldest = queue_take (queue, kind);

      if (drop != NULL)
        drop (oldest, user);
      g_free (oldest);
    }

  packet = g_malloc (sizeof *packet + len);
  packet->next = NULL;
  packet->len = (guint32) len;
  packet->kind = (guint8) kind;
  memcpy (packet->frame, frame, len);
  *line->end = packet;
  line->end = &packet->next;
  line->n_packets++;
  queue->n_bytes += len;
}

gsize
detour_queue_next_len (const DetourQueue *self)
{
  return self != NULL ? self->lines[queue_next_kind (self)].first->len : 0;
}

DetourQueued *
detour_queue_pop (DetourQueue **self)
{
  DetourQueueKind kind;
  DetourQueued *packet;

  if (*self == NULL)
    return NULL;
  kind = queue_next_kind (*self);
  packet = queue_take (*self, kind);
  (*self)->turn = kind == DETOUR_QUEUE_DATA ? DETOUR_QUEUE_DISCO : DETOUR_QUEUE_DATA;
  if (detour_queue_n_packets (*self) == 0)
    g_clear_pointer (self, g_free);
  return packet;
}

void
detour_queue_clear (DetourQueue **self, DetourQueueDropFunc drop, gpointer user)
{
  DetourQueued *packet;

  while ((packet = detour_queue_pop (self)) != NULL)
    {
      if (drop != NULL)
        drop (packet, user);
      g_free (packet);
    }
}

guint
detour_queue_n_packets (const DetourQueue *self)
{
  return self != NULL
           ? self->lines[DETOUR_QUEUE_DATA].n_packets + self->lines[DETOUR_QUEUE_DISCO].n_packets
           : 0;
}

gsize
detour_queue_n_bytes (const DetourQueue *self)
{
  return self != NULL ? self->n_bytes : 0;
}
