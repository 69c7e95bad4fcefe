/* detour-block.c: growing runs of bytes that come and go often, from a small store of their own.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-block.h"

#include <string.h>

static DetourBlock *
block_new_block (DetourBlockStore *store, gsize cap)
{
  DetourBlock *block;

  if (cap <= DETOUR_BLOCK_STANDARD && store->free != NULL)
    {
      block = store->free;
      store->free = block->next;
      store->n_free--;
    }
  else
    {
      cap = MAX (cap, DETOUR_BLOCK_STANDARD);
      block = g_malloc (sizeof *block + cap);
      block->cap = (guint32) cap;
    }
  store->n_bytes += block->cap;
  block->next = NULL;
  block->len = 0;
  return block;
}

void
detour_block_append (DetourBlockStore *store, DetourBlock **block, const guint8 *data, gsize len)
{
  gsize old_len = *block != NULL ? (*block)->len : 0;

  if (len == 0)
    return;
  if (*block == NULL || (*block)->cap - old_len < len)
    {
      DetourBlock *larger = block_new_block (
          store, *block != NULL ? MAX (old_len + len, 2 * (gsize) (*block)->cap) : len);

      if (*block != NULL)
        memcpy (larger->data, (*block)->data, old_len);
      larger->len = (guint32) old_len;
      detour_block_release (store, *block);
      *block = larger;
    }
  memcpy ((*block)->data + old_len, data, len);
  (*block)->len += (guint32) len;
}

void
detour_block_release (DetourBlockStore *store, DetourBlock *block)
{
  if (block == NULL)
    return;
  store->n_bytes -= block->cap;
  if (block->cap != DETOUR_BLOCK_STANDARD || store->n_free >= DETOUR_BLOCK_KEPT_MAX)
    {
      g_free (block);
      return;
    }
  block->next = store->free;
  store->free = block;
  store->n_free++;
}

void
detour_block_store_clear (DetourBlockStore *store)
{
  while (store->free != NULL)
    {
      DetourBlock *block = store->free;

      store->free = block->next;
      g_free (block);
    }
  store->n_free = 0;
}
