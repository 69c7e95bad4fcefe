/* auth-bad.c: reads files in ways of its own.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

void
auth_bad_read (const char *path)
{
  json_parser_load_from_file (parser, path, error);
}
