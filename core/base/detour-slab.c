/* detour-slab.c: memory for many objects of one size.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-slab.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SLAB_ASAN 1
#endif
#endif
#if defined(SLAB_ASAN) || defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
/* Free objects are out of bounds, so that a use after release is found as it would be with
 * malloc(). */
#define SLAB_HIDE(p, n) __asan_poison_memory_region (p, n)
#define SLAB_SHOW(p, n) __asan_unpoison_memory_region (p, n)
#else
#define SLAB_HIDE(p, n) ((void) 0)
#define SLAB_SHOW(p, n) ((void) 0)
#endif

typedef struct Free {
  struct Free *next;
} Free;

/* At the start of each chunk, which is aligned to its size: an object leads to it. One cache line.
 */
typedef struct Chunk {
  struct Chunk *prev, *next; /* in a list of chunks with room; a full chunk is in none */
  Free *free;                /* released objects */
  uint32_t n_used;
  uint32_t n_fresh; /* objects never used lie behind this many; their pages are not touched */
} Chunk;

#define CHUNK_HEAD 64
_Static_assert(sizeof (Chunk) <= CHUNK_HEAD, "objects begin behind the head");

struct _DetourSlab {
  Chunk *room;  /* chunks with at least one used and one free object */
  Chunk *empty; /* the one kept */
  size_t object_size;
  uint32_t per_chunk;
  size_t n_objects;
  size_t n_chunks;
};

/* What must never be wrong stays checked in every build. */
static void
slab_insist (int holds)
{
  if (!holds)
    abort ();
}

DetourSlab *
detour_slab_new (size_t object_size)
{
  DetourSlab *self = calloc (1, sizeof *self);

  slab_insist (self != NULL && object_size > 0 && object_size <= DETOUR_SLAB_OBJECT_MAX);
  self->object_size = (object_size + 15) & ~(size_t) 15;
  self->per_chunk = (uint32_t) ((DETOUR_SLAB_CHUNK_SIZE - CHUNK_HEAD) / self->object_size);
  return self;
}

static Chunk *
slab_chunk_map (void)
{
  char *area, *start;
  size_t before;

  /* Twice as much holds an aligned chunk somewhere; the rest goes back at once. */
  area = mmap (NULL, 2 * DETOUR_SLAB_CHUNK_SIZE, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED)
    return NULL;
  before = -(uintptr_t) area & (DETOUR_SLAB_CHUNK_SIZE - 1);
  start = area + before;
  if (before > 0)
    munmap (area, before);
  munmap (start + DETOUR_SLAB_CHUNK_SIZE, DETOUR_SLAB_CHUNK_SIZE - before);
  SLAB_HIDE (start + CHUNK_HEAD, DETOUR_SLAB_CHUNK_SIZE - CHUNK_HEAD);
  return (Chunk *) (void *) start;
}

static void
slab_chunk_unmap (Chunk *chunk)
{
  SLAB_SHOW (chunk, DETOUR_SLAB_CHUNK_SIZE);
  munmap (chunk, DETOUR_SLAB_CHUNK_SIZE);
}

static void
slab_link (DetourSlab *self, Chunk *chunk)
{
  chunk->prev = NULL;
  chunk->next = self->room;
  if (chunk->next != NULL)
    chunk->next->prev = chunk;
  self->room = chunk;
}

static void
slab_unlink (DetourSlab *self, Chunk *chunk)
{
  if (chunk->next != NULL)
    chunk->next->prev = chunk->prev;
  if (chunk->prev != NULL)
    chunk->prev->next = chunk->next;
  else
    self->room = chunk->next;
}

void
detour_slab_free (DetourSlab *self)
{
  slab_insist (self->n_objects == 0);
  if (self->empty != NULL)
    slab_chunk_unmap (self->empty);
  free (self);
}

void *
detour_slab_alloc (DetourSlab *self)
{
  Chunk *chunk = self->room;
  void *object;

  if (chunk == NULL)
    {
      if (self->empty != NULL)
        {
          chunk = self->empty;
          self->empty = NULL;
        }
      else
        {
          chunk = slab_chunk_map ();
          if (chunk == NULL)
            return NULL;
          self->n_chunks++;
        }
      slab_link (self, chunk);
    }

  if (chunk->free != NULL)
    {
      object = chunk->free;
      SLAB_SHOW (object, self->object_size);
      chunk->free = chunk->free->next;
      memset (object, 0, self->object_size);
    }
  else
    {
      object = (char *) chunk + CHUNK_HEAD + chunk->n_fresh++ * self->object_size;
      SLAB_SHOW (object, self->object_size);
    }
  chunk->n_used++;
  self->n_objects++;
  if (chunk->n_used == self->per_chunk)
    slab_unlink (self, chunk);
  return object;
}

void
detour_slab_release (DetourSlab *self, void *object)
{
  Chunk *chunk = (Chunk *) ((uintptr_t) object & ~(uintptr_t) (DETOUR_SLAB_CHUNK_SIZE - 1));
  Free *released = object;

  slab_insist (chunk->n_used > 0);
  if (chunk->n_used == self->per_chunk)
    slab_link (self, chunk);
  chunk->n_used--;
  self->n_objects--;
  released->next = chunk->free;
  chunk->free = released;
  SLAB_HIDE (released, self->object_size);

  if (chunk->n_used > 0)
    return;
  slab_unlink (self, chunk);
  if (self->empty == NULL)
    {
      self->empty = chunk;
      return;
    }
  slab_chunk_unmap (chunk);
  self->n_chunks--;
}

void
detour_slab_stats (const DetourSlab *self, DetourSlabStats *stats)
{
  stats->n_objects = self->n_objects;
  stats->n_chunks = self->n_chunks;
  stats->object_size = self->object_size;
}
