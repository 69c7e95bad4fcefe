/* detour-lazy.c: large memory of which only what was written to is there.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-lazy.h"

#include <sys/mman.h>

gpointer
detour_lazy_new (gsize size)
{
  gpointer memory = mmap (NULL, size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  g_assert (memory != MAP_FAILED);
  /* A huge page would be two megabytes for the first byte. A kernel without them says no. */
  (void) madvise (memory, size, MADV_NOHUGEPAGE);
  return memory;
}

void
detour_lazy_free (gpointer memory, gsize size)
{
  if (memory != NULL)
    munmap (memory, size);
}
