/* detour-control-tenants.c: what the operator sees of tenants.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

static void
control_tenants_add_number (GVariantBuilder *row, const char *name, guint64 value)
{
  g_variant_builder_add (row, "{sv}", name, g_variant_new_uint64 (value));
}

static void
control_tenants_add_list (GVariantBuilder *row, const char *name, const char *const *texts)
{
  if (texts[0] != NULL)
    g_variant_builder_add (row, "{sv}", name, g_variant_new_strv (texts, -1));
}

static void
control_tenants_add_settings (GVariantBuilder *row, const DetourTenantGroup *group)
{
  const DetourTenantOptions *options = &group->options;

  control_tenants_add_list (row, "names", options->names);
  control_tenants_add_list (row, "listeners", options->listeners);
  control_tenants_add_list (row, "chain", options->chain);
  if (options->class_ != NULL)
    g_variant_builder_add (row, "{sv}", "class", g_variant_new_string (options->class_));
  if (options->connections > 0)
    g_variant_builder_add (row, "{sv}", "connections_limit",
                           g_variant_new_uint32 (options->connections));
}

static void
control_tenants_add (DetourTenant *tenant, const DetourTenantGroup *group, gpointer rows)
{
  DetourTenantCounts counts;
  GVariantBuilder row;

  detour_tenant_read (tenant, &counts);
  g_variant_builder_init (&row, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&row, "{sv}", "name", g_variant_new_string (detour_tenant_name (tenant)));
  g_variant_builder_add (&row, "{sv}", "isolated",
                         g_variant_new_boolean (detour_tenant_space (tenant) != NULL));
  g_variant_builder_add (&row, "{sv}", "removed", g_variant_new_boolean (group == NULL));
  g_variant_builder_add (&row, "{sv}", "connections",
                         g_variant_new_uint32 ((guint32) counts.n_clients));
  control_tenants_add_number (&row, "joined", counts.joined);
  control_tenants_add_number (&row, "refused", counts.refused);
  control_tenants_add_number (&row, "packets_received", counts.traffic.rx_packets);
  control_tenants_add_number (&row, "bytes_received", counts.traffic.rx_bytes);
  control_tenants_add_number (&row, "packets_sent", counts.traffic.tx_packets);
  control_tenants_add_number (&row, "bytes_sent", counts.traffic.tx_bytes);
  control_tenants_add_number (&row, "packets_dropped", counts.traffic.dropped_packets);
  if (group != NULL)
    control_tenants_add_settings (&row, group);
  g_variant_builder_add_value (rows, g_variant_builder_end (&row));
}

GVariant *
detour_control_get_tenants (gpointer data)
{
  DetourControl *self = data;
  GVariantBuilder rows;

  g_variant_builder_init (&rows, G_VARIANT_TYPE ("aa{sv}"));
  detour_tenant_table_foreach (detour_server_tenants (self->parts.server), control_tenants_add,
                               &rows);
  return g_variant_builder_end (&rows);
}
