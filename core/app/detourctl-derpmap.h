/* detourctl-derpmap.h: what the commands about DERP maps share.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl-map.h"
#include "detourctl.h"

G_BEGIN_DECLS

/* The map at each of @places, checked against those before it; NULL after a message, with @exit. */
GPtrArray *detourctl_derpmap_load (const Detourctl *self, char **places, DetourctlExit *exit);

/* On standard error, one line each. */
void detourctl_derpmap_print_findings (const char *place, const DetourctlMap *map);

/* Reads --format. @name: (nullable): NULL leaves @out as it is. FALSE after a message. */
gboolean detourctl_derpmap_read_format (const char *name, DetourctlRegionFormat *out);

/* Whether the file at @path has this text. */
gboolean detourctl_derpmap_has (const char *path, const char *text);

/* In one step, and only when the text of the file changes. @path: (nullable): NULL: to standard
 * output. FALSE after a message. */
gboolean detourctl_derpmap_write (const char *path, const char *text);

G_END_DECLS
