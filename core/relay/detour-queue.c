/* detour-queue.c: packets that wait for a client which does not read fast enough.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-queue.h"

#define N_LINES (DETOUR_QUEUE_N_KINDS + 1)

typedef struct {
  DetourQueued *first;
  DetourQueued **end; /* where the next frame is hung */
  guint n;
} Line;

struct _DetourQueue {
  Line lines[N_LINES];
  gsize n_bytes; /* of packets */
  guint32 next_number;
  guint8 turn; /* line of packets whose turn it is when both hold some */
  gint8 size_class;
  DetourQueue **home; /* the owner's pointer to it */
  DetourQueueBudget *budget;
  DetourQueue *prev, *next; /* in its class of the budget */
};

/* Budget --------------------------------------------------------------------------------------- */

/* -1: holds no packet and is in no class. */
static int
queue_size_class (gsize n_bytes)
{
  if (n_bytes == 0)
    return -1;
  return MIN ((int) g_bit_storage (n_bytes) - 1, DETOUR_QUEUE_SIZE_CLASSES - 1);
}

static void
queue_leave_class (DetourQueue *self)
{
  DetourQueueBudget *budget = self->budget;

  if (self->prev != NULL)
    self->prev->next = self->next;
  else
    budget->classes[self->size_class].first = self->next;
  if (self->next != NULL)
    self->next->prev = self->prev;
  else
    budget->classes[self->size_class].last = self->prev;
  self->prev = self->next = NULL;
}

static void
queue_enter_class (DetourQueue *self)
{
  DetourQueueBudget *budget = self->budget;

  self->prev = budget->classes[self->size_class].last;
  if (self->prev != NULL)
    self->prev->next = self;
  else
    budget->classes[self->size_class].first = self;
  budget->classes[self->size_class].last = self;
}

static void
queue_change_class (DetourQueue *self, gsize n_bytes)
{
  int size_class = queue_size_class (n_bytes);

  if (size_class == self->size_class)
    return;
  if (self->size_class >= 0)
    queue_leave_class (self);
  self->size_class = (gint8) size_class;
  if (size_class >= 0)
    queue_enter_class (self);
}

/* Every change of what a queue holds goes through here. */
static inline void
queue_set_bytes (DetourQueue *self, gsize n_bytes)
{
  gsize old_bytes = self->n_bytes;

  self->n_bytes = n_bytes;
  if (self->budget == NULL)
    return;
  __atomic_store_n (&self->budget->n_bytes, self->budget->n_bytes + n_bytes - old_bytes,
                    __ATOMIC_RELAXED);
  /* The logarithms differ. */
  if (G_UNLIKELY ((n_bytes ^ old_bytes) > (n_bytes & old_bytes)))
    queue_change_class (self, n_bytes);
}

/* One of the largest queues; NULL: all are empty. */
static DetourQueue *
queue_largest (const DetourQueueBudget *budget)
{
  for (int i = DETOUR_QUEUE_SIZE_CLASSES - 1; i >= 0; i--)
    if (budget->classes[i].first != NULL)
      return budget->classes[i].first;
  return NULL;
}

/* Lines ---------------------------------------------------------------------------------------- */

static DetourQueue *
queue_new (DetourQueue **home, DetourQueueBudget *budget)
{
  DetourQueue *self = g_new0 (DetourQueue, 1);

  for (guint kind = 0; kind < N_LINES; kind++)
    self->lines[kind].end = &self->lines[kind].first;
  self->size_class = -1;
  self->home = home;
  self->budget = budget;
  return self;
}

static gboolean
queue_is_empty (const DetourQueue *self)
{
  for (guint kind = 0; kind < N_LINES; kind++)
    if (self->lines[kind].first != NULL)
      return FALSE;
  return TRUE;
}

static G_ALWAYS_INLINE inline void
queue_append (DetourQueue *self, DetourQueueKind kind, const guint8 *head, gsize head_len,
              const guint8 *rest, gsize rest_len)
{
  gsize len = head_len + rest_len;
  Line *line = &self->lines[kind];
  DetourQueued *queued = g_malloc (sizeof *queued + len);

  queued->next = NULL;
  queued->len = (guint32) len;
  queued->number = self->next_number++;
  queued->kind = (guint8) kind;
  memcpy (queued->frame, head, head_len);
  if (rest_len > 0)
    memcpy (queued->frame + head_len, rest, rest_len);
  *line->end = queued;
  line->end = &queued->next;
  line->n++;
  if (kind != DETOUR_QUEUE_NOTICE)
    queue_set_bytes (self, self->n_bytes + len);
}

static DetourQueued *
queue_take (DetourQueue *self, DetourQueueKind kind)
{
  Line *line = &self->lines[kind];
  DetourQueued *queued = line->first;

  line->first = queued->next;
  if (line->first == NULL)
    line->end = &line->first;
  line->n--;
  if (kind != DETOUR_QUEUE_NOTICE)
    queue_set_bytes (self, self->n_bytes - queued->len);
  queued->next = NULL;
  return queued;
}

/* Whether the first of the line came before @number, which may have wrapped. */
static gboolean
queue_has_before (const DetourQueue *self, DetourQueueKind kind, guint32 number)
{
  const DetourQueued *first = self->lines[kind].first;

  return first != NULL && (gint32) (first->number - number) < 0;
}

static DetourQueueKind
queue_next_kind (const DetourQueue *self)
{
  const DetourQueued *notice = self->lines[DETOUR_QUEUE_NOTICE].first;
  DetourQueueKind other = self->turn == DETOUR_QUEUE_DATA ? DETOUR_QUEUE_DISCO : DETOUR_QUEUE_DATA;

  if (notice != NULL && !queue_has_before (self, DETOUR_QUEUE_DATA, notice->number)
      && !queue_has_before (self, DETOUR_QUEUE_DISCO, notice->number))
    return DETOUR_QUEUE_NOTICE;
  return self->lines[self->turn].first != NULL ? (DetourQueueKind) self->turn : other;
}

static void
queue_drop (DetourQueue *self, DetourQueueKind kind, DetourQueueDropFunc drop, gpointer user)
{
  DetourQueued *oldest = queue_take (self, kind);

  if (drop != NULL && kind != DETOUR_QUEUE_NOTICE)
    drop (oldest, self->home, user);
  g_free (oldest);
}

static void
queue_free_if_empty (DetourQueue *self)
{
  if (!queue_is_empty (self))
    return;
  *self->home = NULL;
  g_free (self);
}

static void
queue_keep_budget (DetourQueueBudget *budget, DetourQueueDropFunc drop, gpointer user)
{
  while (budget->n_bytes > budget->max_bytes)
    {
      DetourQueue *largest = queue_largest (budget);
      const DetourQueued *data;
      gboolean is_data;

      g_assert (largest != NULL);
      data = largest->lines[DETOUR_QUEUE_DATA].first;
      is_data = data != NULL && !queue_has_before (largest, DETOUR_QUEUE_DISCO, data->number);

      queue_drop (largest, is_data ? DETOUR_QUEUE_DATA : DETOUR_QUEUE_DISCO, drop, user);
      queue_free_if_empty (largest);
    }
}

/* ---------------------------------------------------------------------------------------------- */

static G_ALWAYS_INLINE inline void
queue_push (DetourQueue **self, DetourQueueBudget *budget, const DetourQueueLimits *limits,
            DetourQueueKind kind, const guint8 *head, gsize head_len, const guint8 *rest,
            gsize rest_len, DetourQueueDropFunc drop, gpointer user)
{
  gsize len = head_len + rest_len;
  DetourQueue *queue;
  Line *line;

  g_assert (len >= DETOUR_FRAME_RECV_HEAD_SIZE
            && len <= DETOUR_FRAME_HEADER_SIZE + DETOUR_FRAME_FORWARD_MAX);
  if (*self == NULL)
    *self = queue_new (self, budget);
  queue = *self;
  line = &queue->lines[kind];

  while (line->first != NULL
         && (line->n >= limits->packets || queue->n_bytes + len > limits->bytes))
    queue_drop (queue, kind, drop, user);
  queue_append (queue, kind, head, head_len, rest, rest_len);
  if (budget != NULL && G_UNLIKELY (budget->n_bytes > budget->max_bytes))
    queue_keep_budget (budget, drop, user);
}

void
detour_queue_push_parts (DetourQueue **self, DetourQueueBudget *budget,
                         const DetourQueueLimits *limits, DetourQueueKind kind, const guint8 *head,
                         gsize head_len, const guint8 *rest, gsize rest_len,
                         DetourQueueDropFunc drop, gpointer user)
{
  queue_push (self, budget, limits, kind, head, head_len, rest, rest_len, drop, user);
}

void
detour_queue_push (DetourQueue **self, DetourQueueBudget *budget, const DetourQueueLimits *limits,
                   DetourQueueKind kind, const guint8 *frame, gsize len, DetourQueueDropFunc drop,
                   gpointer user)
{
  queue_push (self, budget, limits, kind, frame, len, NULL, 0, drop, user);
}

void
detour_queue_push_notice (DetourQueue **self, DetourQueueBudget *budget, const guint8 *frame,
                          gsize len)
{
  if (*self == NULL)
    *self = queue_new (self, budget);
  if ((*self)->lines[DETOUR_QUEUE_NOTICE].n >= DETOUR_QUEUE_NOTICES_MAX)
    queue_drop (*self, DETOUR_QUEUE_NOTICE, NULL, NULL);
  queue_append (*self, DETOUR_QUEUE_NOTICE, frame, len, NULL, 0);
}

/* Numbers may wrap, but those of one queue are never that far apart. */
void
detour_queue_each (const DetourQueue *self, DetourQueueFunc func, gpointer user)
{
  const DetourQueued *heads[N_LINES];

  for (guint kind = 0; kind < N_LINES; kind++)
    heads[kind] = self != NULL ? self->lines[kind].first : NULL;
  for (;;)
    {
      guint next = N_LINES;

      for (guint kind = 0; kind < N_LINES; kind++)
        if (heads[kind] != NULL
            && (next == N_LINES || (gint32) (heads[kind]->number - heads[next]->number) < 0))
          next = kind;
      if (next == N_LINES)
        return;
      func (heads[next], user);
      heads[next] = heads[next]->next;
    }
}

void
detour_queue_move (DetourQueue **self, DetourQueueBudget *budget, DetourQueue **from)
{
  DetourQueue *queue = g_steal_pointer (from);
  gsize n_bytes;

  if (queue == NULL)
    return;
  n_bytes = queue->n_bytes;
  queue_set_bytes (queue, 0);
  queue->home = self;
  queue->budget = budget;
  queue_set_bytes (queue, n_bytes);
  *self = queue;
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
  DetourQueued *queued;

  if (*self == NULL)
    return NULL;
  kind = queue_next_kind (*self);
  queued = queue_take (*self, kind);
  if (kind != DETOUR_QUEUE_NOTICE)
    (*self)->turn = kind == DETOUR_QUEUE_DATA ? DETOUR_QUEUE_DISCO : DETOUR_QUEUE_DATA;
  queue_free_if_empty (*self);
  return queued;
}

void
detour_queue_clear (DetourQueue **self, DetourQueueDropFunc drop, gpointer user)
{
  DetourQueued *queued;

  while ((queued = detour_queue_pop (self)) != NULL)
    {
      if (drop != NULL && queued->kind != DETOUR_QUEUE_NOTICE)
        drop (queued, self, user);
      g_free (queued);
    }
}

guint
detour_queue_n_packets (const DetourQueue *self)
{
  return self != NULL ? self->lines[DETOUR_QUEUE_DATA].n + self->lines[DETOUR_QUEUE_DISCO].n : 0;
}

gsize
detour_queue_n_bytes (const DetourQueue *self)
{
  return self != NULL ? self->n_bytes : 0;
}

guint
detour_queue_n_notices (const DetourQueue *self)
{
  return self != NULL ? self->lines[DETOUR_QUEUE_NOTICE].n : 0;
}
