/* test-memory.c: limits of memory as control groups have them, in trees that are made here.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-memory.h"

#include <glib/gstdio.h>

#include "test-folder.h"

#define MB (G_GUINT64_CONSTANT (1) << 20)

typedef struct {
  char *folder, *cgroup, *mountinfo;
} Fixture;

static void
set_up (Fixture *f, gconstpointer unused)
{
  f->folder = g_dir_make_tmp ("detour memory-XXXXXX", NULL);
  g_assert_nonnull (f->folder);
  f->cgroup = g_build_filename (f->folder, "cgroup", NULL);
  f->mountinfo = g_build_filename (f->folder, "mountinfo", NULL);
}

static void
put (Fixture *f, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (f->folder, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);

  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
tear_down (Fixture *f, gconstpointer unused)
{
  test_folder_remove (f->folder);
  g_free (f->folder);
  g_free (f->cgroup);
  g_free (f->mountinfo);
}

/* The table of mounts, with the folder in the place of each %s; its blank is written as the kernel
 * does. */
static void
put_mounts (Fixture *f, const char *root, const char *type, const char *options)
{
  g_auto (GStrv) parts = g_strsplit (f->folder, " ", -1);
  g_autofree char *escaped = g_strjoinv ("\\040", parts);
  g_autofree char *text = g_strdup_printf (
      "22 1 0:21 / /proc rw shared:12 - proc proc rw\n"
      "41 31 0:37 %s %s/tree rw,relatime shared:9 master:2 - %s %s %s\n",
      root, escaped, type, type, options);

  put (f, "mountinfo", text);
}

static void
assert_limit (Fixture *f, guint64 limit)
{
  g_assert_cmpuint (detour_memory_group_limit (f->cgroup, f->mountinfo), ==, limit);
}

static void
test_version_2 (Fixture *f, gconstpointer unused)
{
  put_mounts (f, "/", "cgroup2", "rw,nsdelegate");
  put (f, "cgroup", "0::/system.slice/detour.service\n");
  put (f, "tree/system.slice/detour.service/memory.max", "max\n");
  put (f, "tree/system.slice/detour.service/memory.high", "max\n");
  assert_limit (f, G_MAXUINT64);
  put (f, "tree/system.slice/detour.service/memory.max", "536870912\n");
  assert_limit (f, 512 * MB);
  put (f, "tree/system.slice/detour.service/memory.high", "268435456\n");
  assert_limit (f, 256 * MB);
  /* One above. */
  put (f, "tree/system.slice/memory.max", "134217728\n");
  assert_limit (f, 128 * MB);
}

static void
test_version_1 (Fixture *f, gconstpointer unused)
{
  put_mounts (f, "/", "cgroup", "rw,cpu,memory");
  put (f, "cgroup", "5:cpu,memory:/a/b\n4:pids:/c\n0::/\n");
  assert_limit (f, G_MAXUINT64);
  put (f, "tree/a/b/memory.limit_in_bytes", "9223372036854771712\n");
  assert_limit (f, G_GUINT64_CONSTANT (9223372036854771712));
  put (f, "tree/a/memory.limit_in_bytes", "268435456\n");
  assert_limit (f, 256 * MB);
}

/* A container sees a part of the tree, and its group by the name that it has outside. */
static void
test_part_of_the_tree (Fixture *f, gconstpointer unused)
{
  put_mounts (f, "/outside/box", "cgroup2", "rw");
  put (f, "tree/memory.max", "134217728\n");
  put (f, "tree/detour/memory.max", "67108864\n");
  put (f, "cgroup", "0::/outside/box/detour\n");
  assert_limit (f, 64 * MB);
  put (f, "cgroup", "0::/outside/box\n");
  assert_limit (f, 128 * MB);
  put (f, "cgroup", "0::/outside/boxes/detour\n");
  assert_limit (f, 128 * MB);
}

static void
test_nothing_is_said (Fixture *f, gconstpointer unused)
{
  assert_limit (f, G_MAXUINT64);
  put (f, "cgroup", "nonsense\n0:\n0::\n");
  put (f, "mountinfo", "nonsense\n - cgroup2\n1 2 3 - cgroup2 x y\n");
  assert_limit (f, G_MAXUINT64);
  put_mounts (f, "/", "cgroup2", "rw");
  put (f, "cgroup", "0::/\n");
  put (f, "tree/memory.max", "-5\n");
  assert_limit (f, G_MAXUINT64);
  put (f, "tree/memory.max", "99999999999999999999999\n");
  assert_limit (f, G_MAXUINT64);
}

static void
test_share (void)
{
  guint64 share = detour_memory_share ();

  g_assert_cmpuint (share, >, MB);
  g_assert_cmpuint (share, <, G_MAXUINT64 / 8);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, test) g_test_add (path, Fixture, NULL, set_up, test, tear_down)
  ADD ("/memory/control-groups-of-version-2", test_version_2);
  ADD ("/memory/control-groups-of-version-1", test_version_1);
  ADD ("/memory/part-of-the-tree", test_part_of_the_tree);
  ADD ("/memory/nothing-is-said", test_nothing_is_said);
#undef ADD
  g_test_add_func ("/memory/share", test_share);
  return g_test_run ();
}
