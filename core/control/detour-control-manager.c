/* detour-control-manager.c: the interface io.github.detourd.Detour1.Manager.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

#include <string.h>

#include "detour-bus-interfaces.h"
#include "detour-config-view.h"
#include "detour-control-error.h"
#include "detour-log.h"
#include "detour-worker-limits.h"

/* Properties ----------------------------------------------------------------------------------- */

static void
control_manager_add_number (GVariantBuilder *out, const char *name, guint64 value)
{
  g_variant_builder_add (out, "{sv}", name, g_variant_new_uint64 (value));
}

static GVariant *
control_manager_get_version (gpointer data)
{
  return g_variant_new_string (DETOUR_VERSION);
}

static GVariant *
control_manager_get_server_key (gpointer data)
{
  DetourControl *self = data;

  return g_variant_new_take_string (
      detour_key_to_text (detour_server_key_public (self->parts.key)));
}

static GVariant *
control_manager_get_hostname (gpointer data)
{
  const char *hostname = ((DetourControl *) data)->hostname;

  return g_variant_new_string (hostname != NULL ? hostname : "");
}

static GVariant *
control_manager_get_map_trouble (gpointer data)
{
  const DetourControl *self = data;
  const char *trouble = self->parts.funcs->map_trouble (self->parts.user);

  return g_variant_new_string (trouble != NULL ? trouble : "");
}

static GVariant *
control_manager_get_workers (gpointer data)
{
  return g_variant_new_uint32 (detour_server_n_workers (((DetourControl *) data)->parts.server));
}

static GVariant *
control_manager_get_start_time (gpointer data)
{
  return g_variant_new_uint64 ((guint64) ((DetourControl *) data)->start_real_us);
}

static GVariant *
control_manager_get_uptime (gpointer data)
{
  DetourControl *self = data;

  return g_variant_new_uint64 ((guint64) (self->reading.now_us - self->start_us));
}

static GVariant *
control_manager_get_clock (gpointer data)
{
  return g_variant_new_uint64 ((guint64) g_get_real_time ());
}

static GVariant *
control_manager_get_ready (gpointer data)
{
  return g_variant_new_boolean (detour_roster_is_ready (((DetourControl *) data)->parts.roster));
}

static GVariant *
control_manager_get_log_level (gpointer data)
{
  GLogLevelFlags level = detour_log_override ();

  return g_variant_new_string (level != 0 ? detour_log_level_name (level) : "");
}

static GVariant *
control_manager_get_admission (gpointer data)
{
  DetourControl *self = data;
  const DetourAdmissionOptions *admission = &detour_roster_config (self->parts.roster)
                                                 ->options.admission;
  const char *const *names = admission->chain;
  g_autoptr (GPtrArray) chain = g_ptr_array_new_with_free_func (g_free);
  GVariantBuilder out;
  gboolean open = FALSE;

  for (; *names != NULL; names++)
    if (g_str_equal (*names, "open"))
      open = TRUE;
    else
      g_ptr_array_add (chain, g_strconcat ("auth/", *names, NULL));

  g_variant_builder_init (&out, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&out, "{sv}", "open", g_variant_new_boolean (open));
  g_variant_builder_add (&out, "{sv}", "chain",
                         g_variant_new_strv ((const char *const *) chain->pdata, chain->len));
  g_variant_builder_add (
      &out, "{sv}", "match",
      g_variant_new_string (admission->match == DETOUR_ADMISSION_ALL ? "all" : "any"));
  g_variant_builder_add (&out, "{sv}", "dry_run", g_variant_new_boolean (admission->dry_run));
  return g_variant_builder_end (&out);
}

static void
control_manager_add_auth_instance (const DetourAuthInstanceInfo *info, gpointer data)
{
  GVariantBuilder row;

  g_variant_builder_init (&row, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&row, "{sv}", "instance", g_variant_new_string (info->instance));
  g_variant_builder_add (&row, "{sv}", "takes_part", g_variant_new_boolean (info->takes_part));
  g_variant_builder_add (&row, "{sv}", "is_down", g_variant_new_boolean (info->is_down));
  if (info->trouble != NULL)
    g_variant_builder_add (&row, "{sv}", "trouble", g_variant_new_string (info->trouble));
  control_manager_add_number (&row, "latency_us", (guint64) info->latency_mean_us);
  control_manager_add_number (&row, "asked", info->asked);
  control_manager_add_number (&row, "allowed", info->allowed);
  control_manager_add_number (&row, "denied", info->denied);
  control_manager_add_number (&row, "unavailable", info->unavailable);
  control_manager_add_number (&row, "timeouts", info->timeouts);
  control_manager_add_number (&row, "cached", info->cached);
  control_manager_add_number (&row, "by_grace", info->by_grace);
  g_variant_builder_add_value (data, g_variant_builder_end (&row));
}

static GVariant *
control_manager_get_admission_sources (gpointer data)
{
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE ("aa{sv}"));
  detour_admission_foreach_instance (
      detour_server_admission (((DetourControl *) data)->parts.server),
      control_manager_add_auth_instance, &out);
  return g_variant_builder_end (&out);
}

static GVariant *
control_manager_get_client_count (gpointer data)
{
  return g_variant_new_uint64 (((DetourControl *) data)->reading.registry.n_keys);
}

static GVariant *
control_manager_get_connection_count (gpointer data)
{
  return g_variant_new_uint64 (((DetourControl *) data)->reading.registry.n_conns);
}

static GVariant *
control_manager_get_duplicate_count (gpointer data)
{
  return g_variant_new_uint64 (((DetourControl *) data)->reading.registry.n_dup_keys);
}

static GVariant *
control_manager_get_half_open_count (gpointer data)
{
  return g_variant_new_uint64 (((DetourControl *) data)->reading.n_half_open);
}

static GVariant *
control_manager_get_waiting_count (gpointer data)
{
  return g_variant_new_uint64 (((DetourControl *) data)->reading.n_waiting);
}

static GVariant *
control_manager_get_held_count (gpointer data)
{
  return g_variant_new_uint64 (((DetourControl *) data)->reading.n_held);
}

static GVariant *
control_manager_get_packets_received (gpointer data)
{
  return g_variant_new_uint64 (((DetourControl *) data)->reading.totals.packets_received);
}

static GVariant *
control_manager_get_packets_sent (gpointer data)
{
  return g_variant_new_uint64 (((DetourControl *) data)->reading.totals.packets_sent);
}

static GVariant *
control_manager_get_packets_dropped (gpointer data)
{
  return g_variant_new_uint64 (((DetourControl *) data)->reading.totals.packets_dropped);
}

static GVariant *
control_manager_get_bytes_received (gpointer data)
{
  return g_variant_new_uint64 (((DetourControl *) data)->reading.totals.bytes_received);
}

static GVariant *
control_manager_get_bytes_sent (gpointer data)
{
  return g_variant_new_uint64 (((DetourControl *) data)->reading.totals.bytes_sent);
}

static GVariant *
control_manager_growth (DetourControl *self, DetourHistorySpan span)
{
  const DetourControlReading *reading = &self->reading;
  DetourStats grown;
  gint64 duration_us = detour_history_growth (self->history, span, reading->now_us,
                                              &reading->totals, &grown);
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE_VARDICT);
  control_manager_add_number (&out, "duration_us", (guint64) duration_us);
  control_manager_add_number (&out, "joined", grown.joined);
  control_manager_add_number (&out, "left", grown.left);
  control_manager_add_number (&out, "refused", grown.refused);
  control_manager_add_number (&out, "packets_received", grown.packets_received);
  control_manager_add_number (&out, "packets_sent", grown.packets_sent);
  control_manager_add_number (&out, "packets_dropped", grown.packets_dropped);
  control_manager_add_number (&out, "packets_dropped_slow", grown.packets_dropped_slow);
  control_manager_add_number (&out, "bytes_received", grown.bytes_received);
  control_manager_add_number (&out, "bytes_sent", grown.bytes_sent);
  return g_variant_builder_end (&out);
}

static GVariant *
control_manager_get_recent (gpointer data)
{
  return control_manager_growth (data, DETOUR_HISTORY_RECENT);
}

static GVariant *
control_manager_get_last_minute (gpointer data)
{
  return control_manager_growth (data, DETOUR_HISTORY_MINUTE);
}

static GVariant *
control_manager_get_last_hour (gpointer data)
{
  return control_manager_growth (data, DETOUR_HISTORY_HOUR);
}

static GVariant *
control_manager_get_descriptors_left (gpointer data)
{
  return g_variant_new_uint64 (detour_descriptors_left ());
}

static GVariant *
control_manager_get_descriptor_limit (gpointer data)
{
  return g_variant_new_uint64 (detour_descriptors_max ());
}

static GVariant *
control_manager_get_memory_budgets (gpointer data)
{
  DetourControl *self = data;
  DetourHandshakePool *pool = detour_server_pool (self->parts.server);
  guint64 queued = 0, queued_max = 0;
  GVariantBuilder out;

  /* What is in force; to work it out anew would read files, for which there may be no descriptor.
   */
  for (guint i = 0; i < detour_server_n_workers (self->parts.server); i++)
    {
      const DetourWorker *worker = detour_server_worker (self->parts.server, i);

      queued += detour_worker_queue_bytes (worker);
      queued_max += detour_worker_queue_bytes_max (worker);
    }
  g_variant_builder_init (&out, G_VARIANT_TYPE_VARDICT);
  control_manager_add_number (&out, "half_open", detour_handshake_pool_n_bytes (pool));
  control_manager_add_number (&out, "half_open_limit", detour_handshake_pool_bytes_max (pool));
  control_manager_add_number (&out, "queues", queued);
  control_manager_add_number (&out, "queues_limit", queued_max);
  return g_variant_builder_end (&out);
}

static GVariant *
control_manager_get_control_peers (gpointer data)
{
  const DetourControlSocket *socket = ((DetourControl *) data)->socket;

  return g_variant_new_uint32 (socket != NULL ? detour_control_socket_n_peers (socket) : 0);
}

static void
control_manager_add_drop (const DetourMetric *metric, gpointer user)
{
  guint64 before = 0;

  if (metric->plugin != NULL || strcmp (metric->name, "packets_dropped") != 0)
    return;
  /* There is a number for each kind of packet. */
  for (guint i = 0; i < metric->n_labels; i++)
    if (strcmp (metric->labels[i].name, "reason") == 0)
      {
        g_variant_dict_lookup (user, metric->labels[i].value, "t", &before);
        g_variant_dict_insert (user, metric->labels[i].value, "t", before + metric->value);
      }
}

static GVariant *
control_manager_get_drop_reasons (gpointer data)
{
  GVariantDict sums;
  GVariantBuilder out;
  GVariantIter iter;
  g_autoptr (GVariant) all = NULL;
  const char *reason;
  GVariant *value;

  g_variant_dict_init (&sums, NULL);
  detour_server_each_metric (((DetourControl *) data)->parts.server, control_manager_add_drop,
                             &sums);
  all = g_variant_ref_sink (g_variant_dict_end (&sums));
  g_variant_builder_init (&out, G_VARIANT_TYPE ("a{st}"));
  g_variant_iter_init (&iter, all);
  while (g_variant_iter_loop (&iter, "{&sv}", &reason, &value))
    g_variant_builder_add (&out, "{st}", reason, g_variant_get_uint64 (value));
  return g_variant_builder_end (&out);
}

static GVariant *
control_manager_get_waiting_changes (gpointer data)
{
  DetourRoster *roster = ((DetourControl *) data)->parts.roster;

  return detour_config_view_waiting (detour_roster_config (roster), roster);
}

static const DetourTreeProperty properties[] = {
  { "Version", control_manager_get_version },
  { "ServerKey", control_manager_get_server_key },
  { "Hostname", control_manager_get_hostname },
  { "MapTrouble", control_manager_get_map_trouble },
  { "Workers", control_manager_get_workers },
  { "StartTime", control_manager_get_start_time },
  { "Ready", control_manager_get_ready },
  { "Draining", detour_control_get_draining },
  { "DrainProgress", detour_control_get_drain_progress },
  { "Announcement", detour_control_get_announcement },
  { "LogLevel", control_manager_get_log_level },
  { "AdmissionSummary", control_manager_get_admission },
  { "AdmissionSources", control_manager_get_admission_sources },
  { "Clock", control_manager_get_clock },
  { "Uptime", control_manager_get_uptime },
  { "ClientCount", control_manager_get_client_count },
  { "MeshConnectionCount", detour_control_get_mesh_count },
  { "ConnectionCount", control_manager_get_connection_count },
  { "DuplicateCount", control_manager_get_duplicate_count },
  { "HalfOpenCount", control_manager_get_half_open_count },
  { "HeldCount", control_manager_get_held_count },
  { "PacketsReceived", control_manager_get_packets_received },
  { "PacketsSent", control_manager_get_packets_sent },
  { "PacketsDropped", control_manager_get_packets_dropped },
  { "BytesReceived", control_manager_get_bytes_received },
  { "BytesSent", control_manager_get_bytes_sent },
  { "Recent", control_manager_get_recent },
  { "LastMinute", control_manager_get_last_minute },
  { "LastHour", control_manager_get_last_hour },
  { "WaitingChanges", control_manager_get_waiting_changes },
  { "DropReasons", control_manager_get_drop_reasons },
  { "DescriptorsLeft", control_manager_get_descriptors_left },
  { "DescriptorLimit", control_manager_get_descriptor_limit },
  { "MemoryBudgets", control_manager_get_memory_budgets },
  { "WaitingCount", control_manager_get_waiting_count },
  { "ControlPeers", control_manager_get_control_peers },
  { "BudgetsNear", detour_control_budgets_near },
  { "Tenants", detour_control_get_tenants },
  { "LastUpgrade", detour_control_get_last_upgrade },
  { "InstalledVersion", detour_control_get_installed_version },
  { NULL },
};

/* Methods -------------------------------------------------------------------------------------- */

static void
control_manager_list_clients (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  g_autoptr (GVariant) options = g_variant_get_child_value (arguments, 0);

  detour_client_list_page (((DetourControl *) data)->clients, options, call);
}

static void
control_manager_find_clients (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  g_autoptr (GVariant) options = g_variant_get_child_value (arguments, 0);

  detour_client_list_find (((DetourControl *) data)->clients, options, call);
}

/* For the methods whose only argument is a key. */
static void
control_manager_with_key (gpointer data, GVariant *arguments, GDBusMethodInvocation *call,
                          void (*func) (DetourClientList *clients, const char *key,
                                        GDBusMethodInvocation *call))
{
  const char *key;

  g_variant_get (arguments, "(&s)", &key);
  func (((DetourControl *) data)->clients, key, call);
}

static void
control_manager_get_client (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  control_manager_with_key (data, arguments, call, detour_client_list_get);
}

static void
control_manager_why (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  control_manager_with_key (data, arguments, call, detour_client_list_why);
}

static void
control_manager_disconnect_client (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  control_manager_with_key (data, arguments, call, detour_client_list_disconnect);
}

static void
control_manager_add_counter (const DetourMetric *metric, gpointer user)
{
  GVariantBuilder *out = user;
  GVariantBuilder labels;

  if (metric->type != DETOUR_METRIC_COUNTER)
    return;
  g_variant_builder_init (&labels, G_VARIANT_TYPE ("a{ss}"));
  for (guint i = 0; i < metric->n_labels; i++)
    g_variant_builder_add (&labels, "{ss}", metric->labels[i].name, metric->labels[i].value);
  g_variant_builder_add (out, "(sa{ss}ts)", metric->name, &labels, metric->value, metric->help);
}

static void
control_manager_get_counters (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  DetourControl *self = data;
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE ("a(sa{ss}ts)"));
  detour_server_each_metric (self->parts.server, control_manager_add_counter, &out);
  g_dbus_method_invocation_return_value (call, g_variant_new ("(a(sa{ss}ts))", &out));
}

static void
control_manager_reload (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  static const char *const outcomes[] = {
    [DETOUR_RELOAD_DONE] = "reloaded",
    [DETOUR_RELOAD_PARTLY] = "partly",
    [DETOUR_RELOAD_REFUSED] = "refused",
  };
  DetourControl *self = data;
  g_auto (GStrv) problems = NULL;
  DetourReload outcome = self->parts.funcs->reload (self->parts.user, &problems);

  g_dbus_method_invocation_return_value (call,
                                         g_variant_new ("(s^as)", outcomes[outcome], problems));
}

static void
control_manager_set_log_level (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  const char *name;
  GLogLevelFlags level = 0;

  g_variant_get (arguments, "(&s)", &name);
  if (*name != '\0' && !detour_log_level_from_name (name, &level))
    {
      g_dbus_method_invocation_return_error (call, DETOUR_CONTROL_ERROR,
                                             DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
                                             "\"%s\" is no level; there are debug, info, message, "
                                             "warning and critical, and configured for what each "
                                             "log's configuration says",
                                             name);
      return;
    }
  detour_log_set_override (level);
  detour_log_event (G_LOG_LEVEL_MESSAGE, "log-level", "log level: %s",
                    level != 0 ? name : "as configured");
  detour_tree_changed (((DetourControl *) data)->tree);
  g_dbus_method_invocation_return_value (call, NULL);
}

static void
control_manager_present_challenge (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  detour_control_present_challenge (data, arguments, call);
}

static void
control_manager_withdraw_challenge (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  detour_control_withdraw_challenge (data, arguments, call);
}

static void
control_manager_ban (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  detour_control_ban (data, arguments, call);
}

static void
control_manager_unban (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  detour_control_unban (data, arguments, call);
}

static void
control_manager_list_bans (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  detour_control_list_bans (data, arguments, call);
}

static void
control_manager_list_refused (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  detour_control_list_refused (data, arguments, call);
}

static void
control_manager_find_key (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  detour_control_find_key (data, arguments, call);
}

static const DetourTreeMethod methods[] = {
  { "ListClients", control_manager_list_clients, DETOUR_RIGHT_READ },
  { "FindClients", control_manager_find_clients, DETOUR_RIGHT_READ },
  { "GetClient", control_manager_get_client, DETOUR_RIGHT_READ },
  { "DisconnectClient", control_manager_disconnect_client, DETOUR_RIGHT_CHANGE },
  { "Why", control_manager_why, DETOUR_RIGHT_READ },
  { "Path", detour_control_path, DETOUR_RIGHT_READ },
  { "FindKey", control_manager_find_key, DETOUR_RIGHT_READ },
  { "Ban", control_manager_ban, DETOUR_RIGHT_CHANGE },
  { "Unban", control_manager_unban, DETOUR_RIGHT_CHANGE },
  { "ListBans", control_manager_list_bans, DETOUR_RIGHT_READ },
  { "ListRefused", control_manager_list_refused, DETOUR_RIGHT_READ },
  { "ListEvents", detour_control_list_events, DETOUR_RIGHT_READ },
  { "Subscribe", detour_control_subscribe, DETOUR_RIGHT_READ },
  { "Unsubscribe", detour_control_unsubscribe, DETOUR_RIGHT_READ },
  { "SubscribeRates", detour_control_subscribe_rates, DETOUR_RIGHT_READ },
  { "UnsubscribeRates", detour_control_unsubscribe_rates, DETOUR_RIGHT_READ },
  { "ListLog", detour_control_list_log, DETOUR_RIGHT_READ },
  { "SubscribeLog", detour_control_subscribe_log, DETOUR_RIGHT_READ },
  { "UnsubscribeLog", detour_control_unsubscribe_log, DETOUR_RIGHT_READ },
  { "GetCounters", control_manager_get_counters, DETOUR_RIGHT_READ },
  { "Reload", control_manager_reload, DETOUR_RIGHT_CHANGE },
  { "SetLogLevel", control_manager_set_log_level, DETOUR_RIGHT_CHANGE },
  { "CheckConfig", detour_control_check_config, DETOUR_RIGHT_READ },
  { "DumpConfig", detour_control_dump_config, DETOUR_RIGHT_READ },
  { "DescribeConfig", detour_control_describe_config, DETOUR_RIGHT_READ },
  { "ExplainKey", detour_control_explain_key, DETOUR_RIGHT_READ },
  { "PresentChallenge", control_manager_present_challenge, DETOUR_RIGHT_CHANGE },
  { "WithdrawChallenge", control_manager_withdraw_challenge, DETOUR_RIGHT_CHANGE },
  { "ListBudgets", detour_control_list_budgets, DETOUR_RIGHT_READ },
  { "Say", detour_control_say, DETOUR_RIGHT_CHANGE },
  { "Drain", detour_control_drain, DETOUR_RIGHT_CHANGE },
  { "CancelDrain", detour_control_cancel_drain, DETOUR_RIGHT_CHANGE },
  { "Upgrade", detour_control_upgrade, DETOUR_RIGHT_UPGRADE },
  { "CheckUpgrade", detour_control_check_upgrade, DETOUR_RIGHT_CHANGE },
  { "HandOver", detour_control_hand_over, DETOUR_RIGHT_UPGRADE },
  { "CheckHandOver", detour_control_check_hand_over, DETOUR_RIGHT_UPGRADE },
  { NULL },
};

const DetourTreeInterface detour_control_manager_interface = { &detour_bus_manager_interface,
                                                               properties, methods };
