/* test-block.c: blocks grow, keep their bytes, and come from the store when they are short.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-block.h"

static void
test_growth (void)
{
  DetourBlockStore store = { 0 };
  DetourBlock *block = NULL;

  detour_block_append (&store, &block, NULL, 0);
  g_assert_null (block);
  for (guint i = 0; i < 100000; i++)
    {
      guint8 byte = (guint8) (i * 7);

      detour_block_append (&store, &block, &byte, 1);
      g_assert_cmpuint (block->len, ==, i + 1);
    }
  for (guint i = 0; i < 100000; i++)
    g_assert_cmpuint (block->data[i], ==, (guint8) (i * 7));
  detour_block_release (&store, block);
  detour_block_release (&store, NULL);
  detour_block_store_clear (&store);
}

static void
test_short_ones_are_kept (void)
{
  DetourBlockStore store = { 0 };
  DetourBlock *blocks[2 * DETOUR_BLOCK_KEPT_MAX] = { NULL };
  DetourBlock *again = NULL, *large = NULL;
  static const guint8 bytes[4096];

  detour_block_append (&store, &large, bytes, sizeof bytes);
  detour_block_release (&store, large);
  g_assert_cmpuint (store.n_free, ==, 0);

  for (guint i = 0; i < G_N_ELEMENTS (blocks); i++)
    detour_block_append (&store, &blocks[i], bytes, 100);
  for (guint i = 0; i < G_N_ELEMENTS (blocks); i++)
    detour_block_release (&store, blocks[i]);
  g_assert_cmpuint (store.n_free, ==, DETOUR_BLOCK_KEPT_MAX);
  detour_block_append (&store, &again, bytes, DETOUR_BLOCK_STANDARD);
  g_assert_cmpuint (store.n_free, ==, DETOUR_BLOCK_KEPT_MAX - 1);
  g_assert_cmpuint (again->len, ==, DETOUR_BLOCK_STANDARD);
  detour_block_release (&store, again);
  detour_block_store_clear (&store);
  g_assert_null (store.free);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/block/growth", test_growth);
  g_test_add_func ("/block/short-ones-are-kept", test_short_ones_are_kept);
  return g_test_run ();
}
