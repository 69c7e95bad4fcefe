/* detour-client-row.c: one connection of a client as a row for callers.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-client-row.h"

#include "detour-address.h"

static void
client_row_add_address (GVariantBuilder *row, const DetourPresence *presence)
{
  char text[DETOUR_ADDRESS_TEXT_MAX];

  detour_address_format_bytes (presence->ip, presence->port, text);
  g_variant_builder_add (row, "{sv}", "address", g_variant_new_string (text));
}

void
detour_client_row_add_text (GVariantBuilder *row, const char *name, const char *text, gsize len)
{
  g_autofree char *valid = g_utf8_make_valid (text, (gssize) len);

  g_variant_builder_add (row, "{sv}", name, g_variant_new_string (valid));
}

/* Why the client's user is told something. */
static void
client_row_add_told (GVariantBuilder *row, guint health)
{
  const char *names[DETOUR_HEALTH_N_REASONS];
  gsize n = 0;

  for (guint i = 0; i < DETOUR_HEALTH_N_REASONS; i++)
    if ((health & 1u << i) != 0)
      names[n++] = detour_health_reason_name (i);
  if (n > 0)
    g_variant_builder_add (row, "{sv}", "told", g_variant_new_strv (names, (gssize) n));
}

static void
client_row_add_rates (GVariantBuilder *row, const DetourScanRow *from)
{
  g_variant_builder_add (row, "{sv}", "rate_received", g_variant_new_uint64 (from->rx_rate));
  g_variant_builder_add (row, "{sv}", "rate_sent", g_variant_new_uint64 (from->tx_rate));
  g_variant_builder_add (row, "{sv}", "packet_rate_received",
                         g_variant_new_uint64 (from->rx_packet_rate));
  g_variant_builder_add (row, "{sv}", "packet_rate_sent",
                         g_variant_new_uint64 (from->tx_packet_rate));
  if (from->idle_us >= 0)
    g_variant_builder_add (row, "{sv}", "idle", g_variant_new_uint64 ((guint64) from->idle_us));
}

GVariant *
detour_client_row_new (const DetourScanRow *row, gboolean with_rates)
{
  g_autofree char *key = detour_key_to_text (&row->key);
  gint64 since_us = g_get_real_time () - (g_get_monotonic_time () - row->login_us);
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&out, "{sv}", "key", g_variant_new_string (key));
  client_row_add_address (&out, &row->presence);
  if (row->label != NULL)
    detour_client_row_add_text (&out, "label", row->label, strlen (row->label));
  if (row->class_ != NULL)
    detour_client_row_add_text (&out, "class", row->class_, strlen (row->class_));
  if (row->tenant != NULL)
    g_variant_builder_add (&out, "{sv}", "tenant",
                           g_variant_new_string (detour_tenant_name (row->tenant)));
  if (row->presence.name_len > 0)
    detour_client_row_add_text (&out, "app", row->presence.name, row->presence.name_len);
  g_variant_builder_add (&out, "{sv}", "kind",
                         g_variant_new_string (detour_client_kind_name (row->kind)));
  g_variant_builder_add (&out, "{sv}", "since", g_variant_new_uint64 ((guint64) since_us));
  g_variant_builder_add (&out, "{sv}", "home", g_variant_new_boolean (row->is_home));
  g_variant_builder_add (&out, "{sv}", "mesh", g_variant_new_boolean (row->is_mesh));
  g_variant_builder_add (&out, "{sv}", "watcher", g_variant_new_boolean (row->is_watcher));
  g_variant_builder_add (&out, "{sv}", "prober", g_variant_new_boolean (row->is_prober));
  g_variant_builder_add (&out, "{sv}", "blocked", g_variant_new_boolean (row->is_blocked));
  g_variant_builder_add (&out, "{sv}", "suspect", g_variant_new_boolean (row->is_suspect));
  if (row->was_slowed)
    g_variant_builder_add (&out, "{sv}", "slowed",
                           g_variant_new_string (row->is_over_quota ? "quota" : "receive-rate"));
  client_row_add_told (&out, row->health);
  g_variant_builder_add (&out, "{sv}", "listener", g_variant_new_string (row->listener));
  g_variant_builder_add (&out, "{sv}", "way", g_variant_new_string (row->way));
  if (row->tls != NULL)
    g_variant_builder_add (&out, "{sv}", "tls", g_variant_new_string (row->tls));
  g_variant_builder_add (&out, "{sv}", "connection", g_variant_new_uint64 (row->number));
  g_variant_builder_add (&out, "{sv}", "worker",
                         g_variant_new_uint32 (DETOUR_HANDLE_WORKER (row->handle)));
  g_variant_builder_add (&out, "{sv}", "packets_received", g_variant_new_uint64 (row->rx_packets));
  g_variant_builder_add (&out, "{sv}", "bytes_received", g_variant_new_uint64 (row->rx_bytes));
  g_variant_builder_add (&out, "{sv}", "packets_sent", g_variant_new_uint64 (row->tx_packets));
  g_variant_builder_add (&out, "{sv}", "bytes_sent", g_variant_new_uint64 (row->tx_bytes));
  g_variant_builder_add (&out, "{sv}", "packets_dropped",
                         g_variant_new_uint64 (row->dropped_packets));
  if (row->dropped_long > 0)
    g_variant_builder_add (&out, "{sv}", "packets_dropped_too_long",
                           g_variant_new_uint64 (row->dropped_long));
  g_variant_builder_add (&out, "{sv}", "waiting_bytes", g_variant_new_uint64 (row->waiting_bytes));
  if (with_rates)
    client_row_add_rates (&out, row);
  return g_variant_builder_end (&out);
}
