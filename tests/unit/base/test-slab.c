/* test-slab.c: tests that slabs hand out clean objects and give empty chunks back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-slab.h"

#include <glib.h>
#include <string.h>

static void
assert_stats (DetourSlab *slab, gsize n_objects, gsize n_chunks)
{
  DetourSlabStats stats;

  detour_slab_stats (slab, &stats);
  g_assert_cmpuint (stats.n_objects, ==, n_objects);
  g_assert_cmpuint (stats.n_chunks, ==, n_chunks);
}

static void
test_sizes (void)
{
  static const gsize sizes[] = {
    1, 15, 16, 17, 48, 64, 72, 128, 192, 1000, DETOUR_SLAB_OBJECT_MAX
  };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      DetourSlab *slab = detour_slab_new (sizes[i]);
      gsize per_chunk = (DETOUR_SLAB_CHUNK_SIZE - 64) / ((sizes[i] + 15) / 16 * 16);
      g_autoptr (GPtrArray) objects = g_ptr_array_new ();

      for (gsize n = 0; n < 2 * per_chunk + 1; n++)
        {
          guint8 *object = detour_slab_alloc (slab);

          g_assert_cmpuint ((gsize) object % (sizes[i] % 64 == 0 ? 64 : 16), ==, 0);
          for (gsize b = 0; b < sizes[i]; b++)
            g_assert_cmpuint (object[b], ==, 0);
          memset (object, 0xa5, sizes[i]);
          g_ptr_array_add (objects, object);
        }
      assert_stats (slab, 2 * per_chunk + 1, 3);
      for (guint n = 0; n < objects->len; n++)
        {
          const guint8 *object = objects->pdata[n];

          g_assert_cmpuint (object[0], ==, 0xa5);
          g_assert_cmpuint (object[sizes[i] - 1], ==, 0xa5);
          detour_slab_release (slab, objects->pdata[n]);
        }
      assert_stats (slab, 0, 1);
      detour_slab_free (slab);
    }
}

static void
test_reuse (void)
{
  DetourSlab *slab = detour_slab_new (64);
  guint8 *first = detour_slab_alloc (slab), *second = detour_slab_alloc (slab), *again;

  memset (first, 0xff, 64);
  detour_slab_release (slab, first);
  again = detour_slab_alloc (slab);
  g_assert_true (again == first);
  for (guint i = 0; i < 64; i++)
    g_assert_cmpuint (again[i], ==, 0);
  memset (again, 0xff, 64);
  detour_slab_release (slab, again);
  memset (second, 0xff, 64);
  detour_slab_release (slab, second);
  assert_stats (slab, 0, 1);

  /* The chunk that was kept gives clean ones too. */
  again = detour_slab_alloc (slab);
  for (guint i = 0; i < 64; i++)
    g_assert_cmpuint (again[i], ==, 0);
  detour_slab_release (slab, again);
  detour_slab_free (slab);
}

/* Random use against a list of what must be in use. */
static void
test_churn (void)
{
  DetourSlab *slab = detour_slab_new (200);
  g_autoptr (GPtrArray) objects = g_ptr_array_new ();
  DetourSlabStats stats;
  guint most = 0;

  for (guint i = 0; i < 50000; i++)
    {
      gboolean grow = (i / 5000) % 2 == 0;

      if (objects->len == 0 || g_test_rand_int_range (0, 10) < (grow ? 7 : 3))
        {
          guint *object = detour_slab_alloc (slab);

          g_assert_cmpuint (object[0], ==, 0);
          g_assert_cmpuint (object[49], ==, 0);
          object[0] = object[49] = i + 1;
          g_ptr_array_add (objects, object);
        }
      else
        {
          guint *object = g_ptr_array_remove_index_fast (
              objects, (guint) g_test_rand_int_range (0, (gint) objects->len));

          g_assert_cmpuint (object[0], ==, object[49]);
          detour_slab_release (slab, object);
        }
      most = MAX (most, objects->len);
      detour_slab_stats (slab, &stats);
      g_assert_cmpuint (stats.n_objects, ==, objects->len);
    }
  while (objects->len > 0)
    detour_slab_release (slab, g_ptr_array_steal_index_fast (objects, objects->len - 1));
  assert_stats (slab, 0, 1);
  detour_slab_free (slab);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/slab/objects-are-aligned-clean-and-apart", test_sizes);
  g_test_add_func ("/slab/released-object-comes-back-clean", test_reuse);
  g_test_add_func ("/slab/random-use-keeps-count-and-content", test_churn);
  return g_test_run ();
}
