/* detour-lazy.h: large memory of which only what was written to is there.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Its size is a bound, not a cost: the system gives it page by page. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Zeroes; like g_malloc() it ends the program when there are no addresses left. Any thread. */
gpointer detour_lazy_new (gsize size);
/* @memory: (nullable); @size as it was made with */
void detour_lazy_free (gpointer memory, gsize size);

G_END_DECLS
