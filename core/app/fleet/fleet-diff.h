/* fleet-diff.h: what changes from one text to another, for people.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Lines with `-`, `+` or a blank before them, three unchanged ones around each change, and a line
 * `@@ -LINE +LINE @@` before each group of changes; "" when the texts are the same. Pure; free with
 * g_free(). */
char *fleet_diff (const char *before, const char *after);

G_END_DECLS
