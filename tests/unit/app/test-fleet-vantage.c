/* test-fleet-vantage.c: the end of a probe from another place that takes too long.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-vantage.h"

#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MS 30000

/* As the program at the other end: its child keeps the output open, and the FIFO at @path. */
static int
linger (const char *path)
{
  if (fork () == 0)
    {
      open (path, O_WRONLY);
      for (;;)
        pause ();
    }
  return 0;
}

static DetourctlMap *
make_map (guint n_regions)
{
  DetourctlMap *map = detourctl_map_new ();

  for (guint i = 0; i < n_regions; i++)
    {
      g_autofree char *path = g_strdup_printf ("Regions.%u", 900 + i);
      DetourctlMapRegion *region = detourctl_map_add_region (map, 900 + i, path);
      DetourctlMapNode *node = g_new0 (DetourctlMapNode, 1);

      node->path = g_strconcat (path, ".Nodes[0]", NULL);
      node->host_name = g_strdup ("a.test");
      node->name = g_strdup_printf ("%ua", 900 + i);
      g_ptr_array_add (region->nodes, node);
    }
  return map;
}

/* Whoever has the FIFO open for writing is gone. */
static void
expect_end (int fifo)
{
  struct pollfd entry = { .fd = fifo, .events = POLLIN };
  char byte;

  while (read (fifo, &byte, 1) != 0)
    g_assert_cmpint (poll (&entry, 1, PATIENCE_MS), ==, 1);
}

/* What it has started ends with it, and nobody waits for that beyond the limit. */
static void
test_output_kept_open (void)
{
  g_autofree char *own = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = g_dir_make_tmp (NULL, NULL);
  g_autofree char *path = g_build_filename (folder, "fifo", NULL);
  g_autofree char *text = g_strdup_printf ("[relay a]\nregion = 900\ncommand = %s linger %s\n", own,
                                           path);
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (Fleet) fleet = fleet_inventory_parse ("fleet.conf", text, strlen (text), errors);
  g_autoptr (DetourctlMap) map = make_map (2);
  char *options[] = { NULL };
  const FleetVantageSetup setup = { options, options, 500 };
  g_autoptr (GPtrArray) vantages = NULL;
  const FleetVantage *there;
  int fifo;

  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  fifo = open (path, O_RDONLY | O_NONBLOCK);
  g_assert_cmpint (fifo, >=, 0);
  g_assert_nonnull (fleet);
  vantages = fleet_vantage_look (fleet, fleet->relays, map, &setup);
  g_assert_cmpuint (vantages->len, ==, 2);
  there = vantages->pdata[1];
  g_assert_cmpstr (there->problem, ==, "no answer within 500ms");
  expect_end (fifo);
  close (fifo);
  g_remove (path);
  g_rmdir (folder);
}

/* More of a map than a pipe takes, for programs that end at once and read none of it. */
static void
test_input_not_read (void)
{
  const char *text = "[relay a]\nregion = 900\ncommand = /bin/false\n";
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (Fleet) fleet = fleet_inventory_parse ("fleet.conf", text, strlen (text), errors);
  g_autoptr (DetourctlMap) map = make_map (5000);
  char *options[] = { NULL };
  const FleetVantageSetup setup = { options, options, PATIENCE_MS };
  g_autoptr (GPtrArray) vantages = NULL;

  g_assert_nonnull (fleet);
  vantages = fleet_vantage_look (fleet, fleet->relays, map, &setup);
  g_assert_cmpuint (vantages->len, ==, 2);
  for (guint i = 0; i < vantages->len; i++)
    g_assert_cmpstr (((const FleetVantage *) vantages->pdata[i])->problem, ==,
                     "detourctl probe gave no answer there");
}

int
main (int argc, char **argv)
{
  /* This program stands for detourctl. */
  if (argc > 2 && strcmp (argv[1], "linger") == 0)
    return linger (argv[2]);
  if (argc > 1 && strcmp (argv[1], "probe") == 0)
    return 0;
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/fleet-vantage/output-kept-open", test_output_kept_open);
  g_test_add_func ("/fleet-vantage/input-not-read", test_input_not_read);
  return g_test_run ();
}
