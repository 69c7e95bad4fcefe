/* detour-tenants.c: the [tenant NAME] groups of a configuration, and whose client a connection is.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-tenants.h"

#include <gio/gio.h>
#include <string.h>

#include "detour-hello-name.h"

DetourTenantGroup *
detour_tenant_group_new (const char *name, DetourSettings *settings)
{
  DetourTenantGroup *self = g_new0 (DetourTenantGroup, 1);

  self->name = g_strdup (name);
  self->settings = settings;
  detour_settings_fill (settings, &self->options);
  return self;
}

void
detour_tenant_group_free (gpointer data)
{
  DetourTenantGroup *self = data;

  g_free (self->name);
  detour_settings_unref (self->settings);
  g_free (self);
}

gboolean
detour_tenant_name_is_valid (const char *name)
{
  return detour_hello_name_is_pattern (name) && !g_hostname_is_ip_address (name);
}

char *
detour_tenant_name_fold (const char *name)
{
  char *folded = g_ascii_strdown (name, -1);

  if (g_str_has_suffix (folded, "."))
    folded[strlen (folded) - 1] = '\0';
  return folded;
}

char *
detour_tenant_name_wild (const char *name)
{
  const char *rest = strchr (name, '.');

  return rest != NULL && rest != name ? g_strconcat ("*", rest, NULL) : NULL;
}

char *
detour_tenant_listener_id (const char *name)
{
  return g_str_has_prefix (name, "transport/") ? g_strdup (name)
                                               : g_strconcat ("transport/", name, NULL);
}

/* ---- the choice ------------------------------------------------------------------------------ */

struct _DetourTenantIndex {
  GHashTable *names;     /* folded, those with `*.` as well */
  GHashTable *listeners; /* "transport/https" */
};

/* @key: handed over */
static void
tenants_note (GHashTable *table, char *key, DetourTenantGroup *group)
{
  if (g_hash_table_contains (table, key))
    g_free (key);
  else
    g_hash_table_insert (table, key, group);
}

DetourTenantIndex *
detour_tenant_index_new (const GPtrArray *tenants)
{
  DetourTenantIndex *self = g_new0 (DetourTenantIndex, 1);

  self->names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->listeners = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < tenants->len; i++)
    {
      DetourTenantGroup *group = tenants->pdata[i];

      for (const char *const *name = group->options.names; *name != NULL; name++)
        tenants_note (self->names, detour_tenant_name_fold (*name), group);
      for (const char *const *name = group->options.listeners; *name != NULL; name++)
        tenants_note (self->listeners, detour_tenant_listener_id (*name), group);
    }
  return self;
}

void
detour_tenant_index_free (DetourTenantIndex *self)
{
  g_hash_table_unref (self->names);
  g_hash_table_unref (self->listeners);
  g_free (self);
}

const DetourTenantGroup *
detour_tenant_index_find (const DetourTenantIndex *self, const char *sni, const char *listener)
{
  const DetourTenantGroup *found = NULL;

  /* A name that is asked for is a name and no pattern: `*.example.com` is not one. */
  if (sni != NULL && sni[0] != '*')
    {
      g_autofree char *name = detour_tenant_name_fold (sni);
      g_autofree char *wild = detour_tenant_name_wild (name);

      found = g_hash_table_lookup (self->names, name);
      if (found == NULL && wild != NULL)
        found = g_hash_table_lookup (self->names, wild);
    }
  return found != NULL ? found : g_hash_table_lookup (self->listeners, listener);
}
