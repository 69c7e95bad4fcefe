/* detour-qsbr.c: frees memory that threads read without a lock, once none of them can still look
 * at it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-qsbr.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  _Alignas(64) _Atomic uint64_t seen; /* epoch at the last quiescent state; 0: away */
} Reader;

typedef struct {
  uint64_t epoch; /* free when every reader has seen this one */
  DetourQsbrFreeFunc func;
  void *owner;
  void *memory;
} Retired;

struct _DetourQsbr {
  _Alignas(64) _Atomic uint64_t
      epoch; /* begins at 1, grows with each thing retired; readers look at it often */

  _Alignas(64) Reader *readers;
  unsigned n_readers;
  Retired *retired; /* under the caller's lock; in the order of their epochs */
  size_t n_retired, cap_retired;
};

static void *
qsbr_insist (void *block)
{
  if (block == NULL)
    abort ();
  return block;
}

DetourQsbr *
detour_qsbr_new (unsigned n_readers)
{
  DetourQsbr *self = qsbr_insist (aligned_alloc (64, sizeof *self));

  memset (self, 0, sizeof *self);
  self->readers = qsbr_insist (aligned_alloc (64, n_readers * sizeof (Reader)));
  memset (self->readers, 0, n_readers * sizeof (Reader));
  self->n_readers = n_readers;
  atomic_init (&self->epoch, 1);
  return self;
}

void
detour_qsbr_free (DetourQsbr *self)
{
  detour_qsbr_reclaim (self);
  if (self->n_retired > 0)
    abort ();
  free (self->retired);
  free (self->readers);
  free (self);
}

bool
detour_qsbr_point (DetourQsbr *self, unsigned reader)
{
  uint64_t epoch = atomic_load_explicit (&self->epoch, memory_order_acquire);
  _Atomic uint64_t *seen = &self->readers[reader].seen;

  if (atomic_load_explicit (seen, memory_order_relaxed) == epoch)
    return false;
  atomic_store_explicit (seen, epoch, memory_order_release);
  return true;
}

bool
detour_qsbr_offline (DetourQsbr *self, unsigned reader)
{
  uint64_t epoch = atomic_load_explicit (&self->epoch, memory_order_acquire);
  _Atomic uint64_t *seen = &self->readers[reader].seen;
  bool was_behind = atomic_load_explicit (seen, memory_order_relaxed) != epoch;

  atomic_store_explicit (seen, 0, memory_order_release);
  return was_behind;
}

void
detour_qsbr_online (DetourQsbr *self, unsigned reader)
{
  atomic_store (&self->readers[reader].seen, atomic_load (&self->epoch));
}

void
detour_qsbr_retire (DetourQsbr *self, DetourQsbrFreeFunc func, void *owner, void *memory)
{
  if (self->n_retired == self->cap_retired)
    {
      self->cap_retired = self->cap_retired > 0 ? 2 * self->cap_retired : 16;
      self->retired = qsbr_insist (
          realloc (self->retired, self->cap_retired * sizeof self->retired[0]));
    }
  self->retired[self->n_retired++] = (Retired) { atomic_fetch_add (&self->epoch, 1) + 1, func,
                                                 owner, memory };
}

void
detour_qsbr_reclaim (DetourQsbr *self)
{
  uint64_t oldest = UINT64_MAX;
  size_t n = 0;

  if (self->n_retired == 0)
    return;
  for (unsigned i = 0; i < self->n_readers; i++)
    {
      uint64_t seen = atomic_load (&self->readers[i].seen);

      if (seen != 0 && seen < oldest)
        oldest = seen;
    }
  for (; n < self->n_retired && self->retired[n].epoch <= oldest; n++)
    self->retired[n].func (self->retired[n].owner, self->retired[n].memory);
  if (n == 0)
    return;
  self->n_retired -= n;
  memmove (self->retired, self->retired + n, self->n_retired * sizeof self->retired[0]);
}

size_t
detour_qsbr_n_retired (const DetourQsbr *self)
{
  return self->n_retired;
}
