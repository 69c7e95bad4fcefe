/* next.h: how the next version of the program differs from this one; see README.md.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Of an item that this version does not know. */
#define NEXT_TAG 0x7000u

static inline gboolean
next_is (const char *difference)
{
  return g_strcmp0 (g_getenv ("NEXT_VERSION"), difference) == 0;
}
