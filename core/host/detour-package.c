/* detour-package.c: which package of the system has a part of Detour that is not installed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-package.h"

#include <string.h>

char *
detour_package_of (const char *packages, const char *part)
{
  g_auto (GStrv) pairs = g_strsplit (packages, " ", -1);
  gsize n = strlen (part);

  for (guint i = 0; pairs[i] != NULL; i++)
    if (strncmp (pairs[i], part, n) == 0 && pairs[i][n] == '=')
      return g_strdup (pairs[i] + n + 1);
  return NULL;
}
