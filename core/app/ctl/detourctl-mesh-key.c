/* detourctl-mesh-key.c: the mesh key out of a file that the user names.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-mesh-key.h"

#include <glib/gi18n.h>
#include <sodium.h>

#include "detour-file.h"
#include "detour-key.h"
#include "detourctl.h"

#define MESH_KEY_MAX 1024u

gboolean
detourctl_mesh_key_read (const char *path, guint8 **key)
{
  g_auto (DetourFile) file = { 0 };
  g_autoptr (GError) error = NULL;
  DetourKey parsed;
  gboolean is_good;

  if (!detour_file_read (path, MESH_KEY_MAX, 0, &file, &error))
    {
      detourctl_complain ("--mesh-key: %s", error->message);
      return FALSE;
    }
  g_strstrip (file.data);
  is_good = detour_key_parse (&parsed, file.data, "");
  if (is_good)
    *key = g_memdup2 (parsed.bytes, DETOUR_KEY_SIZE);
  else
    detourctl_complain (_ ("--mesh-key: %s does not hold 64 hex digits"), path);
  sodium_memzero (&parsed, sizeof parsed);
  return is_good;
}

void
detourctl_mesh_key_free (guint8 *key)
{
  if (key != NULL)
    sodium_memzero (key, DETOUR_KEY_SIZE);
  g_free (key);
}
