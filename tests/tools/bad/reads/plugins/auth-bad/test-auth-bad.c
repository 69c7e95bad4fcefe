/* test-auth-bad.c: a test may read what it wrote.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

void
test_read (const char *path)
{
  g_file_get_contents (path, &text, &len, error);
}
