/* detour-block.h: growing runs of bytes that come and go often, from a small store of their own.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _DetourBlock DetourBlock;
struct _DetourBlock {
  DetourBlock *next; /* for its holder */
  guint32 len;
  guint32 cap;
  guint8 data[];
};

/* Bytes that a block from the store holds; longer ones come from the system and go back to it. */
#define DETOUR_BLOCK_STANDARD (2048u - sizeof (DetourBlock))
/* Blocks that are kept for the next time. */
#define DETOUR_BLOCK_KEPT_MAX 64u

/* Thread: one owner. All zero to begin with. */
typedef struct {
  DetourBlock *free;
  guint n_free;
  gsize n_bytes; /* of the blocks that are out */
} DetourBlockStore;

/* Appends to *@block, which is made when NULL and moves when it grows. */
void detour_block_append (DetourBlockStore *store, DetourBlock **block, const guint8 *data,
                          gsize len);

/* @block: (nullable) */
void detour_block_release (DetourBlockStore *store, DetourBlock *block);

/* Frees the blocks that are kept. */
void detour_block_store_clear (DetourBlockStore *store);

G_END_DECLS
