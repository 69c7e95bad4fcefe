/* detour-map-file.h: the file that always has this relay's entry for a DERP map.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Programs that read maps from files, as Headscale does, have it from there. The entry is what
 * `detourctl derpmap` would say. Main thread. */
#pragma once

#include "detour-control.h"

G_BEGIN_DECLS

typedef struct _DetourMapFile DetourMapFile;

/* Both are borrowed. [derpmap] of the configuration in force says whether there is a file. */
DetourMapFile *detour_map_file_new (DetourControl *control, DetourRoster *roster);
/* Waits until what was begun is on the disk. */
void detour_map_file_free (DetourMapFile *self);

/* The entry may be another one, or its file: it is looked at soon, from the loop. */
void detour_map_file_changed (DetourMapFile *self);
/* (nullable): why the entry is not in its file. */
const char *detour_map_file_trouble (const DetourMapFile *self);

G_END_DECLS
