/* detour-control-peer.c: the interface io.github.detourd.Detour1.Peer.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

#include "detour-bus-interfaces.h"
#include "detour-mesh-report.h"

/* One [peer NAME]. Both borrowed for the call that listed it. */
typedef struct {
  DetourControl *control;
  DetourInstance *instance;
  const DetourMeshReport *report;
} View;

static GVariant *
control_peer_text (const char *text)
{
  return g_variant_new_string (text != NULL ? text : "");
}

static GVariant *
control_peer_time (gint64 time_us)
{
  return g_variant_new_uint64 ((guint64) MAX (time_us, 0));
}

static GVariant *
control_peer_get_instance (gpointer data)
{
  return g_variant_new_string (detour_instance_id (((View *) data)->instance));
}

static GVariant *
control_peer_get_name (gpointer data)
{
  return control_peer_text (((View *) data)->report->name);
}

static GVariant *
control_peer_get_host (gpointer data)
{
  return control_peer_text (((View *) data)->report->host);
}

static GVariant *
control_peer_get_address (gpointer data)
{
  return control_peer_text (((View *) data)->report->address);
}

static GVariant *
control_peer_get_state (gpointer data)
{
  return g_variant_new_string (detour_mesh_state_name (((View *) data)->report->state));
}

static GVariant *
control_peer_get_since (gpointer data)
{
  return control_peer_time (((View *) data)->report->since_us);
}

static GVariant *
control_peer_get_server_key (gpointer data)
{
  const DetourMeshReport *report = ((View *) data)->report;
  DetourKey key;

  if (report->server_key == NULL)
    return g_variant_new_string ("");
  memcpy (key.bytes, report->server_key, DETOUR_KEY_SIZE);
  return g_variant_new_take_string (detour_key_to_text (&key));
}

static GVariant *
control_peer_get_links (gpointer data)
{
  return g_variant_new_uint64 (((View *) data)->report->n_up);
}

static DetourLinkStats
control_peer_stats (gpointer data)
{
  const View *view = data;
  DetourLinkStats stats = { 0 };

  if (view->report->link != NULL)
    detour_host_link_stats (view->instance, view->report->link, &stats);
  return stats;
}

static GVariant *
control_peer_get_accepted (gpointer data)
{
  return g_variant_new_boolean (control_peer_stats (data).is_accepted);
}

static void
control_peer_see (const DetourPeer *peer, DetourHandle handle, const DetourPresence *presence,
                  gpointer user)
{
}

/* Whether the peer has a connection here. */
static GVariant *
control_peer_get_links_back (gpointer data)
{
  const View *view = data;
  DetourRegistry *registry = detour_server_registry (view->control->parts.server);
  DetourKey key;

  if (view->report->server_key == NULL || view->report->state == DETOUR_MESH_ITSELF)
    return g_variant_new_boolean (FALSE);
  memcpy (key.bytes, view->report->server_key, DETOUR_KEY_SIZE);
  return g_variant_new_boolean (
      detour_registry_each_conn (detour_registry_common (registry), &key, control_peer_see, NULL)
      > 0);
}

static GVariant *
control_peer_get_keys (gpointer data)
{
  return g_variant_new_uint64 (control_peer_stats (data).keys);
}

static GVariant *
control_peer_get_packets_sent (gpointer data)
{
  return g_variant_new_uint64 (control_peer_stats (data).packets);
}

static GVariant *
control_peer_get_bytes_sent (gpointer data)
{
  return g_variant_new_uint64 (control_peer_stats (data).bytes);
}

static DetourMeshTraffic
control_peer_received (gpointer data)
{
  const View *view = data;
  DetourMeshTraffic now, all;

  detour_server_read_received (view->control->parts.server, view->report, &now, &all);
  return now;
}

static GVariant *
control_peer_get_packets_received (gpointer data)
{
  return g_variant_new_uint64 (control_peer_received (data).packets);
}

static GVariant *
control_peer_get_bytes_received (gpointer data)
{
  return g_variant_new_uint64 (control_peer_received (data).bytes);
}

static GVariant *
control_peer_get_drops (gpointer data)
{
  const DetourLinkStats stats = control_peer_stats (data);
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&out, "{sv}", "queue", g_variant_new_uint64 (stats.dropped_queue));
  g_variant_builder_add (&out, "{sv}", "gone", g_variant_new_uint64 (stats.dropped_gone));
  g_variant_builder_add (&out, "{sv}", "write", g_variant_new_uint64 (stats.dropped_write));
  return g_variant_builder_end (&out);
}

static GVariant *
control_peer_get_error (gpointer data)
{
  return control_peer_text (((View *) data)->report->error);
}

static GVariant *
control_peer_get_remedy (gpointer data)
{
  return control_peer_text (((View *) data)->report->remedy);
}

static GVariant *
control_peer_get_error_time (gpointer data)
{
  return control_peer_time (((View *) data)->report->error_us);
}

static GVariant *
control_peer_get_next_try (gpointer data)
{
  return control_peer_time (((View *) data)->report->next_try_us);
}

static const DetourTreeProperty properties[] = {
  { "Instance", control_peer_get_instance },
  { "Name", control_peer_get_name },
  { "Host", control_peer_get_host },
  { "Address", control_peer_get_address },
  { "State", control_peer_get_state },
  { "Since", control_peer_get_since },
  { "ServerKey", control_peer_get_server_key },
  { "Links", control_peer_get_links },
  { "Accepted", control_peer_get_accepted },
  { "LinksBack", control_peer_get_links_back },
  { "Keys", control_peer_get_keys },
  { "PacketsSent", control_peer_get_packets_sent },
  { "BytesSent", control_peer_get_bytes_sent },
  { "PacketsReceived", control_peer_get_packets_received },
  { "BytesReceived", control_peer_get_bytes_received },
  { "Drops", control_peer_get_drops },
  { "Error", control_peer_get_error },
  { "Remedy", control_peer_get_remedy },
  { "ErrorTime", control_peer_get_error_time },
  { "NextTry", control_peer_get_next_try },
  { NULL },
};

static const DetourTreeMethod methods[] = { { NULL } };

static const DetourTreeInterface interface = { &detour_bus_peer_interface, properties, methods };

GVariant *
detour_control_get_mesh_count (gpointer data)
{
  return g_variant_new_uint64 (detour_server_n_mesh (((DetourControl *) data)->parts.server));
}

void
detour_control_list_peers (DetourControl *self, GPtrArray *nodes)
{
  DetourRoster *roster = self->parts.roster;

  for (guint i = 0; i < detour_roster_count (roster); i++)
    {
      DetourInstance *instance = detour_roster_nth (roster, i);
      const GPtrArray *reports = detour_instance_mesh_reports (instance);

      for (guint k = 0; k < reports->len; k++)
        {
          const View view = { self, instance, reports->pdata[k] };
          g_autofree char *name = detour_tree_escape (view.report->name);

          detour_tree_add (nodes, g_strconcat ("peer/", name, NULL), &interface,
                           g_memdup2 (&view, sizeof view), g_free);
        }
    }
}
