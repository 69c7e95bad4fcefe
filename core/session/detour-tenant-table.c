/* detour-tenant-table.c: the tenants of the relay, and whose client a connection is.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-tenant-table.h"

struct _DetourTenantTable {
  GMutex lock;              /* for those that other threads read */
  DetourConfig *config;     /* NULL: no tenant */
  DetourTenantIndex *index; /* of groups of `config` */
  GHashTable *tenants;      /* name to DetourTenant */
  gint n_tenants;           /* atomic; of `tenants` */
  GPtrArray *departed;      /* of DetourTenant; the main thread's */
};

DetourTenantTable *
detour_tenant_table_new (void)
{
  DetourTenantTable *self = g_new0 (DetourTenantTable, 1);

  g_mutex_init (&self->lock);
  self->tenants = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                         (GDestroyNotify) detour_tenant_unref);
  self->departed = g_ptr_array_new_with_free_func ((GDestroyNotify) detour_tenant_unref);
  return self;
}

void
detour_tenant_table_free (DetourTenantTable *self)
{
  g_clear_pointer (&self->index, detour_tenant_index_free);
  g_clear_pointer (&self->config, detour_config_unref);
  g_hash_table_unref (self->tenants);
  g_ptr_array_unref (self->departed);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static gboolean
tenant_table_has_clients (const DetourTenant *tenant)
{
  DetourTenantCounts counts;

  detour_tenant_read (tenant, &counts);
  return counts.n_clients > 0;
}

static void
tenant_table_forget_departed (DetourTenantTable *self)
{
  for (guint i = self->departed->len; i-- > 0;)
    if (!tenant_table_has_clients (self->departed->pdata[i]))
      g_ptr_array_remove_index_fast (self->departed, i);
}

/* (transfer full): the one of before if its clients may stay where they are. */
static DetourTenant *
tenant_table_make (DetourTenantTable *self, const DetourTenantGroup *group,
                   DetourRegistry *registry)
{
  DetourTenant *tenant = g_hash_table_lookup (self->tenants, group->name);
  DetourSpace *space = NULL;

  if (tenant != NULL && (detour_tenant_space (tenant) != NULL) == group->options.isolate)
    detour_tenant_ref (tenant);
  else
    {
      if (group->options.isolate)
        space = detour_registry_open_space (registry);
      tenant = detour_tenant_new (group->name, space);
    }
  return tenant;
}

void
detour_tenant_table_apply (DetourTenantTable *self, DetourConfig *config, DetourRegistry *registry)
{
  g_autoptr (GHashTable) tenants = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                                          (GDestroyNotify) detour_tenant_unref);
  g_autoptr (DetourConfig) before = NULL;
  DetourTenantIndex *index = NULL;
  GHashTableIter iter;
  gpointer old;

  if (config != NULL && config->tenants->len > 0)
    {
      index = detour_tenant_index_new (config->tenants);
      for (guint i = 0; i < config->tenants->len; i++)
        {
          DetourTenant *tenant = tenant_table_make (self, config->tenants->pdata[i], registry);

          g_hash_table_insert (tenants, (gpointer) detour_tenant_name (tenant), tenant);
        }
    }
  g_hash_table_iter_init (&iter, self->tenants);
  while (g_hash_table_iter_next (&iter, NULL, &old))
    if (g_hash_table_lookup (tenants, detour_tenant_name (old)) != old)
      g_ptr_array_add (self->departed, detour_tenant_ref (old));

  g_mutex_lock (&self->lock);
  g_clear_pointer (&self->index, detour_tenant_index_free);
  self->index = index;
  before = g_steal_pointer (&self->config);
  self->config = index != NULL ? detour_config_ref (config) : NULL;
  old = self->tenants;
  self->tenants = g_steal_pointer (&tenants);
  tenants = old;
  g_atomic_int_set (&self->n_tenants, (gint) g_hash_table_size (self->tenants));
  g_mutex_unlock (&self->lock);
  tenant_table_forget_departed (self);
}

DetourTenant *
detour_tenant_table_choose (DetourTenantTable *self, const char *sni, const char *listener)
{
  const DetourTenantGroup *group;
  DetourTenant *tenant = NULL;

  if (g_atomic_int_get (&self->n_tenants) == 0)
    return NULL;
  g_mutex_lock (&self->lock);
  group = self->index != NULL ? detour_tenant_index_find (self->index, sni, listener) : NULL;
  if (group != NULL)
    tenant = detour_tenant_ref (g_hash_table_lookup (self->tenants, group->name));
  g_mutex_unlock (&self->lock);
  return tenant;
}

DetourTenant *
detour_tenant_table_find (DetourTenantTable *self, const char *name)
{
  DetourTenant *tenant = g_hash_table_lookup (self->tenants, name);

  return tenant != NULL ? detour_tenant_ref (tenant) : NULL;
}

gboolean
detour_tenant_table_in_use (DetourTenantTable *self)
{
  tenant_table_forget_departed (self);
  return g_hash_table_size (self->tenants) > 0 || self->departed->len > 0;
}

void
detour_tenant_table_foreach (DetourTenantTable *self, DetourTenantFunc func, gpointer user)
{
  tenant_table_forget_departed (self);
  for (guint i = 0; self->config != NULL && i < self->config->tenants->len; i++)
    {
      const DetourTenantGroup *group = self->config->tenants->pdata[i];

      func (g_hash_table_lookup (self->tenants, group->name), group, user);
    }
  for (guint i = 0; i < self->departed->len; i++)
    func (self->departed->pdata[i], NULL, user);
}
