/* detour-file-write.h: puts a file in the place of another, so that a crash leaves one of them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * detour_file_write:
 * @mode: of a file that is new; one that is there keeps its mode and owner
 *
 * Writes beside @path and renames, and returns when both are on the disk. A symbolic link stays,
 * and what it points to is replaced. Waits for the disk; any thread but one that serves packets.
 */
gboolean detour_file_write (const char *path, gconstpointer data, gsize len, guint mode,
                            GError **error);

/* All of @data, whatever interrupts it. FALSE: errno says why. May wait for what is behind @fd. */
gboolean detour_file_write_bytes (int fd, const char *data, gsize len);

/**
 * detour_file_set_aside:
 * @path: a file that cannot be used
 *
 * Renames it, so that a person can look at it: `.broken` is added to its name, and an older one of
 * that name is replaced.
 *
 * Returns: (nullable) (transfer full): its new path; NULL: it could not be renamed, and @error says
 * why
 */
char *detour_file_set_aside (const char *path, GError **error);

G_END_DECLS
