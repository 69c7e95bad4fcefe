/* detour-thing.c: reads files in ways of its own.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

void
detour_thing_read (const char *path)
{
  g_file_get_contents (path, &text, &len, error);
  g_key_file_load_from_file (keys, path, 0, error);
  stream = fopen (path, "r");
  fd = open (path,
             O_RDONLY | O_CLOEXEC);
  fine = open ("/dev/null", O_RDONLY);
  log = open (path, O_WRONLY | O_APPEND);
  /* g_mapped_file_new (path) is only spoken of. */
}
