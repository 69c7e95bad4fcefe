/* detourctl-import-mesh.c: the mesh of a derper as groups of a configuration.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-import-put.h"

#include <glib/gi18n.h>
#include <string.h>

/* Of a name or an address with its port. */
#define HOST_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:[]"

/* One entry of -mesh-with, `HOST` or `HOST/DIALHOST`. FALSE: derper would refuse it. */
static gboolean
ctl_import_mesh_write_peer (DetourctlImportText *self, const char *entry)
{
  g_auto (GStrv) parts = g_strsplit (entry, "/", -1);
  g_autofree char *name = NULL;

  if (g_strv_length (parts) > 2 || parts[0] == NULL || *parts[0] == '\0'
      || strspn (entry, HOST_CHARACTERS "/") != strlen (entry))
    return FALSE;
  name = g_strdelimit (g_strdup (parts[0]), ":[]", '-');
  g_string_append_printf (detourctl_import_put_group (self, GROUP_MESH), "\n[peer %s]\nhost = %s\n",
                          name, parts[0]);
  if (parts[1] != NULL)
    detourctl_import_put_key (self, GROUP_MESH, "address", parts[1]);
  return TRUE;
}

static void
ctl_import_mesh_write_peers (DetourctlImportText *self)
{
  g_auto (GStrv) entries = NULL;

  if (!detourctl_import_put_has (self, DERPER_MESH_WITH))
    return;
  if (!detourctl_import_put_has (self, DERPER_MESH_PSK_FILE)
      && !detourctl_import_put_has (self, DERPER_SECRETS_URL))
    detourctl_import_put_comment (self, GROUP_MESH,
                                  "derper would look for a mesh key in /home/derp/keys and in its "
                                  "own home; write here where it is");
  entries = g_strsplit (detourctl_import_put_of (self, DERPER_MESH_WITH), ",", -1);
  for (guint i = 0; entries[i] != NULL; i++)
    if (!g_strv_contains ((const char *const *) entries + i + 1, entries[i])
        && !ctl_import_mesh_write_peer (self, entries[i]))
      detourctl_import_put_fault (self, DERPER_MESH_WITH,
                                  _ ("expected HOST or HOST/DIALHOST, with commas in between"));
}

void
detourctl_import_put_mesh (DetourctlImportText *self)
{
  static const DetourctlDerperFlag secrets[] = { DERPER_SECRETS_URL, DERPER_SECRETS_PATH_PREFIX,
                                                 DERPER_SECRETS_CACHE_DIR };

  for (guint i = 0; i < G_N_ELEMENTS (secrets); i++)
    if (detourctl_import_put_value (self, secrets[i])->is_set)
      detourctl_import_put_without (
          self, secrets[i],
          "setec is not asked; write the mesh key into the file of [service "
          "mesh] key-file: setec get PREFIX/meshkey");
  if (detourctl_import_put_has (self, DERPER_SECRETS_URL)
      && detourctl_import_put_has (self, DERPER_MESH_PSK_FILE))
    detourctl_import_put_without (self, DERPER_MESH_PSK_FILE,
                                  "derper takes no notice of it beside -secrets-url");
  else
    detourctl_import_put_copy (self, DERPER_MESH_PSK_FILE, GROUP_MESH, "key-file");
  ctl_import_mesh_write_peers (self);
}
