/* detour-control.c: what an operator sees and changes in a running daemon: its objects on the
 * control socket and on a message bus.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

#include <grp.h>
#include <unistd.h>

#include "detour-paths.h"

/* Group that may read, where there is one of that name and no other is configured. */
#define READERS "detour-status"

#define ROOT "/io/github/detourd/Detour1"

static void
control_list (gpointer user, GPtrArray *nodes)
{
  detour_control_list_plugins (user, nodes);
  detour_control_list_listeners (user, nodes);
  detour_control_list_certificates (user, nodes);
  detour_control_list_peers (user, nodes);
}

static void
control_read (gpointer user)
{
  DetourControl *self = user;
  DetourHandshakePool *pool = detour_server_pool (self->parts.server);
  DetourControlReading *reading = &self->reading;

  detour_server_read_stats (self->parts.server, &reading->totals);
  detour_registry_stats (detour_server_registry (self->parts.server), &reading->registry);
  reading->n_half_open = detour_handshake_pool_n_half_open (pool);
  reading->n_waiting = detour_handshake_pool_n_waiting (pool);
  reading->n_held = detour_handshake_pool_n_held (pool);
  reading->now_us = g_get_monotonic_time ();
}

static const DetourTreeFuncs tree_funcs = { control_list, control_read };

void
detour_control_changed (DetourControl *self)
{
  if (self->bus != NULL)
    detour_bus_ask_again (self->bus);
  detour_tree_changed (self->tree);
  self->parts.funcs->changed (self->parts.user);
}

GVariant *
detour_control_objects (DetourControl *self)
{
  return detour_tree_objects (self->tree);
}

static void
control_on_instance_changed (gpointer user)
{
  detour_control_changed (user);
}

static gboolean
control_on_history (gpointer user)
{
  DetourControl *self = user;
  DetourStats now;

  detour_server_read_stats (self->parts.server, &now);
  detour_history_note (self->history, g_get_monotonic_time (), &now);
  return G_SOURCE_CONTINUE;
}

/* Of the process; group_member() is glibc's alone. */
static gboolean
control_is_in_group (gid_t group)
{
  int n = getgroups (0, NULL);
  g_autofree gid_t *groups = g_new (gid_t, MAX (n, 1));

  n = getgroups (n, groups);
  for (int i = 0; i < n; i++)
    if (groups[i] == group)
      return TRUE;
  return group == getegid ();
}

/* Group whose members may read on the control socket. It is never the group of the daemon's own
 * user, because that one may read private keys and write configuration. */
static gid_t
control_find_group (const DetourCoreOptions *core)
{
  const char *name = core->control_group != NULL ? core->control_group : READERS;
  const struct group *group = getgrnam (name);

  if (group != NULL && (geteuid () == 0 || control_is_in_group (group->gr_gid)))
    return group->gr_gid;
  if (core->control_group != NULL)
    g_warning ("[core] control-group: %s: %s; only root and the daemon's user may ask it", name,
               group == NULL ? "there is no such group"
                             : "the daemon's user does not belong to that group");
  return DETOUR_NO_GROUP;
}

static void
control_open_socket (DetourControl *self, const DetourCoreOptions *core)
{
  g_autofree char *run = detour_paths_run_directory ();
  gid_t readers = control_find_group (core);
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;

  detour_tree_set_readers (self->tree, readers);
  if (core->control_socket != NULL)
    path = g_strdup (core->control_socket);
  else
    path = g_build_filename (run, "control", NULL);
  self->socket = detour_control_socket_new (path, readers, self->tree, self->parts.descriptors,
                                            &error);
  if (self->socket == NULL)
    g_warning ("detourctl will not find this daemon: [core] control-socket: %s: %s", path,
               error->message);
}

static void
control_open_bus (DetourControl *self, const DetourCoreOptions *core)
{
  if (core->dbus == DETOUR_CORE_BUS_AUTO)
    self->bus = detour_bus_new (DETOUR_BUS_AUTO, self->tree);
  else if (core->dbus == DETOUR_CORE_BUS_SYSTEM)
    self->bus = detour_bus_new (DETOUR_BUS_SYSTEM, self->tree);
  else if (core->dbus == DETOUR_CORE_BUS_SESSION)
    self->bus = detour_bus_new (DETOUR_BUS_SESSION, self->tree);
}

static int
control_open_inner (gpointer user, GError **error)
{
  return detour_inner_peers_open (((DetourControl *) user)->inner, error);
}

DetourControl *
detour_control_new (const DetourControlParts *parts)
{
  static const char *const folders[] = { "plugin", "listener", "certificate", "peer", NULL };
  DetourControl *self = g_new0 (DetourControl, 1);
  const DetourCoreOptions *core = &detour_roster_config (parts->roster)->options.core;
  DetourStats now;

  self->parts = *parts;
  self->hostname = g_strdup (core->hostname);
  self->start_real_us = parts->start_real_us;
  self->start_us = parts->start_us;
  detour_server_read_stats (parts->server, &now);
  self->history = detour_history_new (g_get_monotonic_time (), &now);
  self->history_timer = g_timeout_add_seconds (DETOUR_HISTORY_STEP_US / G_USEC_PER_SEC,
                                               control_on_history, self);
  self->clients = detour_client_list_new (parts->server);
  self->events = detour_event_list_new (ROOT, core->events_file);
  self->log = detour_log_view_new (ROOT);
  self->rates = detour_rate_stream_new (ROOT, parts->server);
  self->tree = detour_tree_new (ROOT, &detour_control_manager_interface, folders, &tree_funcs,
                                self);
  self->inner = detour_inner_peers_new (self->tree);
  detour_server_set_observer (parts->server, control_on_instance_changed, self);
  detour_server_set_control (parts->server, control_open_inner, self);
  control_open_socket (self, core);
  control_open_bus (self, core);
  return self;
}

void
detour_control_free (DetourControl *self)
{
  detour_server_set_observer (self->parts.server, NULL, NULL);
  detour_server_set_control (self->parts.server, NULL, NULL);
  detour_client_list_free (self->clients);
  detour_control_stop_paths (self);
  detour_event_list_free (self->events);
  detour_log_view_free (self->log);
  detour_rate_stream_free (self->rates);
  g_clear_pointer (&self->bus, detour_bus_free);
  g_clear_pointer (&self->socket, detour_control_socket_free);
  detour_inner_peers_free (self->inner);
  detour_tree_free (self->tree);
  g_source_remove (self->history_timer);
  detour_history_free (self->history);
  g_free (self->hostname);
  g_free (self);
}

const char *
detour_control_socket (const DetourControl *self)
{
  return self->socket != NULL ? detour_control_socket_path (self->socket) : NULL;
}

void
detour_control_write_history (const DetourControl *self, DetourRecord *out, guint16 tag)
{
  detour_history_write (self->history, out, tag);
}

gboolean
detour_control_read_history (DetourControl *self, const DetourRecordItem *item)
{
  return detour_history_read (self->history, item, g_get_monotonic_time ());
}
