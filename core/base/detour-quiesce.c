/* detour-quiesce.c: frees memory that threads read without a lock, once none of them can still look at it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-quiesce.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  _Alignas (64) _Atomic uint64_t seen; /* epoch at the last quiet point; 0: away */
} Reader;

typedef struct {
  uint64_t epoch; /* free when every reader has seen this one */
  DetourQuiesceFreeFunc func;
  void *owner;
  void *memory;
} Retired;

struct _DetourQuiesce {
  _Alignas (64) _Atomic uint64_t epoch; /* begins at 1, grows with each thing retired; readers look at it often */

  _Alignas (64) Reader *readers;
  unsigned n_readers;
  Retired *retired; /* under the caller's lock; in the order of their epochs */
  size_t n_retired, cap_retired;
};

static void *
quiesce_insist (void *block)
{
  if (block == NULL)
    abort ();
  return block;
}

DetourQuiesce *
detour_quiesce_new (unsigned n_readers)
{
  DetourQuiesce *self = quiesce_insist (aligned_alloc (64, sizeof *self));

  memset (self, 0, sizeof *self);
  self->readers = quiesce_insist (aligned_alloc (64, n_readers * sizeof (Reader)));
  memset (self->readers, 0, n_readers * sizeof (Reader));
  self->n_readers = n_readers;
  atomic_init (&self->epoch, 1);
  return self;
}

void
detour_quiesce_free (DetourQuiesce *self)
{
  detour_quiesce_reclaim (self);
  if (self->n_retired > 0)
    abort ();
  free (self->retired);
  free (self->readers);
  free (self);
}

bool
detour_quiesce_point (DetourQuiesce *self, unsigned reader)
{
  uint64_t epoch = atomic_load_explicit (&self->epoch, memory_order_acquire);
  _Atomic uint64_t *seen = &self->readers[reader].seen;

  if (atomic_load_explicit (seen, memory_order_relaxed) == epoch)
    return false;
  atomic_store_explicit (seen, epoch, memory_order_release);
  return true;
}

bool
detour_quiesce_offline (DetourQuiesce *self, unsigned reader)
{
  uint64_t epoch = atomic_load_explicit (&self->epoch, memory_order_acquire);
  _Atomic uint64_t *seen = &self->readers[reader].seen;
  bool was_behind = atomic_load_explicit (seen, memory_order_relaxed) != epoch;

  atomic_store_explicit (seen, 0, memory_order_release);
  return was_behind;
}

void
detour_quiesce_online (DetourQuiesce *self, unsigned reader)
{
  atomic_store (&self->readers[reader].seen, atomic_load (&self->epoch));
}

void
detour_quiesce_retire (DetourQuiesce *self, DetourQuiesceFreeFunc func, void *owner, void *memory)
{
  if (self->n_retired == self->cap_retired)
    {
      self->cap_retired = self->cap_retired > 0 ? 2 * self->cap_retired : 16;
      self->retired = quiesce_insist (realloc (self->retired, self->cap_retired * sizeof self->retired[0]));
    }
  self->retired[self->n_retired++] = (Retired){ atomic_fetch_add (&self->epoch, 1) + 1, func, owner, memory };
}

void
detour_quiesce_reclaim (DetourQuiesce *self)
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
detour_quiesce_n_retired (const DetourQuiesce *self)
{
  return self->n_retired;
}
