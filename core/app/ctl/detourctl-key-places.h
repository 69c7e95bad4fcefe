/* detourctl-key-places.h: which files the configuration names as lists of node keys.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl.h"

G_BEGIN_DECLS

/* What one instance of the plugin auth-keys reads. */
typedef struct {
  char *instance; /* "auth/friends" */
  char *path;
  gboolean is_directory;
} DetourctlKeyPlace;

/**
 * detourctl_key_places_find:
 * @config: (nullable): a configuration file to look at instead of the daemon
 * @is_needed: otherwise a configuration that cannot be read is one without places
 *
 * Asks the daemon, and where there is none reads the files that it would read.
 *
 * Returns: (nullable): of DetourctlKeyPlace; NULL after a message
 */
GPtrArray *detourctl_key_places_find (Detourctl *self, const char *config, gboolean is_needed,
                                      DetourctlExit *exit);

/* (nullable): the place that reads the file at @path. */
const DetourctlKeyPlace *detourctl_key_places_of_file (const GPtrArray *places, const char *path);

/* The lists that are read there: of char *, in order of name. */
GPtrArray *detourctl_key_places_files (const DetourctlKeyPlace *place);
/* Those of all places. */
GPtrArray *detourctl_key_places_all_files (const GPtrArray *places);

G_END_DECLS
