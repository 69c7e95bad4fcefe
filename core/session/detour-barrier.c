/* detour-barrier.c: a message that overtakes no other one on its way through two sets of loops.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-barrier.h"

typedef struct {
  guint n_left; /* of the set that it goes through; atomic */
  guint n_second;
  DetourMailbox *mailbox;
  DetourMailboxFunc done, drop;
  gpointer data;
  DetourLoop *second[];
} Barrier;

static void
barrier_pass_second (DetourLoop *loop, gpointer data)
{
  Barrier *self = data;

  if (!g_atomic_int_dec_and_test (&self->n_left))
    return;
  detour_mailbox_post (self->mailbox, self->done, self->data, self->drop);
  g_free (self);
}

static void
barrier_pass_first (DetourLoop *loop, gpointer data)
{
  Barrier *self = data;
  guint n = self->n_second;

  if (!g_atomic_int_dec_and_test (&self->n_left))
    return;
  g_atomic_int_set (&self->n_left, n);
  /* The last one of them frees it. */
  for (guint i = 0; i < n; i++)
    detour_loop_post (self->second[i], barrier_pass_second, self);
}

void
detour_barrier_send (DetourLoop *const *first, guint n_first, DetourLoop *const *second,
                     guint n_second, DetourMailbox *mailbox, DetourMailboxFunc done, gpointer data,
                     DetourMailboxFunc drop)
{
  Barrier *self = g_malloc (sizeof *self + n_second * sizeof self->second[0]);

  g_assert (n_first > 0 && n_second > 0);
  *self = (Barrier) { n_first, n_second, mailbox, done, drop, data };
  memcpy (self->second, second, n_second * sizeof self->second[0]);
  for (guint i = 0; i < n_first; i++)
    detour_loop_post (first[i], barrier_pass_first, self);
}
