/* detour-installed.h: which version is installed where the running program was started.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/stat.h>

G_BEGIN_DECLS

/* Of the file that was read last. All zero to begin with. */
typedef struct {
  struct stat file; /* st_ino 0: none was read */
  char *version;    /* NULL: it has none */
} DetourInstalled;

void detour_installed_clear (DetourInstalled *self);

/* Reads the file when it is another one than at the last call; nothing is started. Returns:
 * (nullable): until the next call; NULL: there is no program of Detour at @path. */
const char *detour_installed_version (DetourInstalled *self, const char *path);

G_END_DECLS
