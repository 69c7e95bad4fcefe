/* detour-ring.c: bounded queue of messages from one thread to one other.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Positions count bytes and never go back; the place of one is its low bits. A message is a head
 * and its bytes, both in multiples of 16, and never goes round the end: the rest there is skipped.
 */
#include "config.h"

#include "detour-ring.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SKIP UINT32_MAX

typedef struct {
  _Alignas(DETOUR_RING_OVERHEAD) uint32_t len; /* SKIP: nothing up to the end of the memory */
} Head;

_Static_assert(sizeof (Head) == DETOUR_RING_OVERHEAD, "messages stay aligned");

struct _DetourRing {
  char *memory;
  uint64_t capacity;

  /* Written by the producer. */
  _Alignas(64) _Atomic uint64_t tail; /* published up to here */
  uint64_t reserved;                  /* reserved up to here */
  uint64_t known_head;                /* `head`, some time ago */
  _Atomic uint64_t n_refused;
  atomic_bool wants_room; /* cleared by the consumer */

  /* Written by the consumer. */
  _Alignas(64) _Atomic uint64_t head; /* released up to here */
  uint64_t taken;                     /* given out up to here */
  uint64_t known_tail;                /* `tail`, some time ago */
};

DetourRing *
detour_ring_new (size_t capacity)
{
  DetourRing *self;

  if (capacity < 1024 || capacity > (size_t) 1 << 30 || (capacity & (capacity - 1)) != 0)
    abort ();
  self = aligned_alloc (64, sizeof *self);
  if (self == NULL)
    return NULL;
  memset (self, 0, sizeof *self);
  self->capacity = capacity;
  self->memory = mmap (NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (self->memory == MAP_FAILED)
    {
      free (self);
      return NULL;
    }
  return self;
}

void
detour_ring_free (DetourRing *self)
{
  munmap (self->memory, self->capacity);
  free (self);
}

size_t
detour_ring_message_max (const DetourRing *self)
{
  /* At worst nearly as much again is skipped before it. */
  return self->capacity / 2 - sizeof (Head);
}

static inline Head *
ring_head_at (DetourRing *self, uint64_t position)
{
  return (Head *) (void *) (self->memory + (position & (self->capacity - 1)));
}

static inline uint64_t
ring_message_size (uint64_t len)
{
  return sizeof (Head) + ((len + sizeof (Head) - 1) & ~(uint64_t) (sizeof (Head) - 1));
}

static void *
ring_refuse (DetourRing *self)
{
  uint64_t n = atomic_load_explicit (&self->n_refused, memory_order_relaxed);

  atomic_store_explicit (&self->n_refused, n + 1, memory_order_relaxed);
  return NULL;
}

void *
detour_ring_reserve (DetourRing *self, size_t len)
{
  uint64_t size = ring_message_size (len);
  uint64_t rest = self->capacity - (self->reserved & (self->capacity - 1));
  uint64_t skipped = rest < size ? rest : 0;
  Head *head;

  if (len > detour_ring_message_max (self))
    return ring_refuse (self);
  if (self->capacity - (self->reserved - self->known_head) < skipped + size)
    {
      self->known_head = atomic_load_explicit (&self->head, memory_order_acquire);
      if (self->capacity - (self->reserved - self->known_head) < skipped + size)
        return ring_refuse (self);
    }
  if (skipped > 0)
    ring_head_at (self, self->reserved)->len = SKIP;
  head = ring_head_at (self, self->reserved + skipped);
  head->len = (uint32_t) len;
  self->reserved += skipped + size;
  return head + 1;
}

void
detour_ring_want_room (DetourRing *self)
{
  /* Ordered before the next look at `head`; pairs with the store of `head` in
   * detour_ring_release(). */
  atomic_store (&self->wants_room, true);
  self->known_head = atomic_load (&self->head);
}

bool
detour_ring_publish (DetourRing *self)
{
  if (atomic_load_explicit (&self->tail, memory_order_relaxed) == self->reserved)
    return false;
  atomic_store (&self->tail, self->reserved);
  return true;
}

void *
detour_ring_next (DetourRing *self, size_t *len)
{
  Head *head;

  if (self->taken == self->known_tail)
    {
      self->known_tail = atomic_load_explicit (&self->tail, memory_order_acquire);
      if (self->taken == self->known_tail)
        return NULL;
    }
  head = ring_head_at (self, self->taken);
  if (head->len == SKIP)
    {
      /* The message for which the end was skipped has been published with it. */
      self->taken += self->capacity - (self->taken & (self->capacity - 1));
      head = ring_head_at (self, self->taken);
    }
  self->taken += ring_message_size (head->len);
  *len = head->len;
  return head + 1;
}

bool
detour_ring_release (DetourRing *self)
{
  if (atomic_load_explicit (&self->head, memory_order_relaxed) == self->taken)
    return false;
  atomic_store (&self->head, self->taken);
  return atomic_load (&self->wants_room) && atomic_exchange (&self->wants_room, false);
}

bool
detour_ring_is_empty (DetourRing *self)
{
  return self->taken == atomic_load (&self->tail);
}

uint64_t
detour_ring_n_refused (DetourRing *self)
{
  return atomic_load_explicit (&self->n_refused, memory_order_relaxed);
}
