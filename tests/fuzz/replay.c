/* replay.c: feeds every file of the folders named on the command line to a fuzz target, and each
 * of its prefixes.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

/* In a block of exactly that size, so that a sanitizer sees a read one byte too far. */
static void
replay (const char *data, gsize size)
{
  g_autofree guint8 *copy = g_memdup2 (data, size);

  LLVMFuzzerTestOneInput (copy, size);
}

int
main (int argc, char **argv)
{
  guint n_files = 0;

  for (int i = 1; i < argc; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GDir) dir = g_dir_open (argv[i], 0, &error);
      const char *name;

      if (dir == NULL)
        {
          g_printerr ("%s\n", error->message);
          return 1;
        }
      while ((name = g_dir_read_name (dir)) != NULL)
        {
          g_autofree char *path = g_build_filename (argv[i], name, NULL);
          g_autofree char *data = NULL;
          gsize size;

          if (!g_file_get_contents (path, &data, &size, &error))
            {
              g_printerr ("%s\n", error->message);
              return 1;
            }
          for (gsize n = 0; n <= MIN (size, 512); n++)
            replay (data, n);
          replay (data, size);
          n_files++;
        }
    }
  g_print ("%u files replayed\n", n_files);
  return n_files > 0 ? 0 : 1;
}
