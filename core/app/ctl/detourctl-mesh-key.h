/* detourctl-mesh-key.h: the mesh key out of a file that the user names.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * detourctl_mesh_key_read:
 * @path: a file with 64 hex digits
 * @key: (out): 32 bytes, to be freed with detourctl_mesh_key_free()
 *
 * Returns: FALSE after a message to the user.
 */
gboolean detourctl_mesh_key_read (const char *path, guint8 **key);
/* Wipes it. NULL is nothing. */
void detourctl_mesh_key_free (guint8 *key);

G_END_DECLS
