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

/* For the options of a command that makes a map. */
extern char *detourctl_derpmap_format, *detourctl_derpmap_output;
#define DETOURCTL_DERPMAP_OPTIONS                                                      \
  { "format",                                                                          \
    0,                                                                                 \
    0,                                                                                 \
    G_OPTION_ARG_STRING,                                                               \
    &detourctl_derpmap_format,                                                         \
    N_ ("tailscale (a policy file), headscale (YAML), or json, which is the default"), \
    N_ ("FORMAT") },                                                                   \
  {                                                                                    \
    "output", 0, 0, G_OPTION_ARG_FILENAME, &detourctl_derpmap_output,                  \
        N_ ("Write to FILE, and only if that changes it"), N_ ("FILE")                 \
  }

/* The form that these options ask for. FALSE after a message. */
gboolean detourctl_derpmap_read_options (DetourctlRegionFormat *form);

/* "2 regions, 3 nodes"; free with g_free(). */
char *detourctl_derpmap_describe (const DetourctlMap *map);

/* Writes the map in that form, where these options say. What became of a file is said. */
DetourctlExit detourctl_derpmap_put (DetourctlMap *map, DetourctlRegionFormat form);

/* Nobody else that takes this lock writes @path before the answer is closed. Take it before what is
 * written is read: of two commands at once the later one must not write what is older. It is that
 * of the folder, so nothing is left of it. -1 after a message. */
int detourctl_derpmap_lock (const char *path);

/* The same of what --output names; @lock is -1 without that. FALSE after a message. */
gboolean detourctl_derpmap_lock_output (int *lock);

/* Reads --format. @name: (nullable): NULL leaves @out as it is. FALSE after a message. */
gboolean detourctl_derpmap_read_format (const char *name, DetourctlRegionFormat *out);

/* Whether the file at @path has this text. */
gboolean detourctl_derpmap_has (const char *path, const char *text);

/* In one step, and only when the text of the file changes. @path: (nullable): NULL: to standard
 * output. FALSE after a message. */
gboolean detourctl_derpmap_write (const char *path, const char *text);

G_END_DECLS
