/* detour-slab.h: memory for many objects of one size.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* Objects come from chunks of this many bytes, which are given back to the system when they are
 * empty; one empty chunk is kept. Nothing else lies in a chunk, so that short-lived memory pins no
 * page here. */
#define DETOUR_SLAB_CHUNK_SIZE ((size_t) 65536)

/* The largest object. */
#define DETOUR_SLAB_OBJECT_MAX (DETOUR_SLAB_CHUNK_SIZE / 8)

/* Free of GLib, because the table of peers, which has a test of its own under ThreadSanitizer, uses
 * it. Thread: one owner, or one lock around all calls. */
typedef struct _DetourSlab DetourSlab;

typedef struct {
  size_t n_objects;   /* in use */
  size_t n_chunks;    /* mapped, the empty one included */
  size_t object_size; /* with padding */
} DetourSlabStats;

/**
 * detour_slab_new:
 * @object_size: 1 to DETOUR_SLAB_OBJECT_MAX; rounded up to a multiple of 16
 *
 * Objects whose size is a multiple of 64 begin on a cache line, others on a multiple of 16 bytes.
 */
DetourSlab *detour_slab_new (size_t object_size);

/* Every object must be back. */
void detour_slab_free (DetourSlab *self);

/* Returns: (transfer full) (nullable): an object of zeroes; NULL when the system has no memory. */
void *detour_slab_alloc (DetourSlab *self);

/* @object came from @self and is not touched any more. */
void detour_slab_release (DetourSlab *self, void *object);

void detour_slab_stats (const DetourSlab *self, DetourSlabStats *stats);
