/* detour-server.c: the relay as a whole: registry, workers, pool, listeners, routes, admission.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-server-private.h"

#include "detour-address.h"
#include "detour-recheck.h"
#include "detour-worker-limits.h"

#define WORKERS_AUTO_MAX 4u
#define HTTPS_PORT       443u

/* Limits --------------------------------------------------------------------------------------- */

static void
server_read_socket_options (const DetourLimits *limits, DetourSocketOptions *out)
{
  *out = (DetourSocketOptions) {
    .user_timeout_ms = (guint) (limits->tcp_user_timeout_us / 1000),
    .keep_alive_s = (guint) (limits->tcp_keep_alive_us / G_USEC_PER_SEC),
  };
}

static void
server_apply_limits (gpointer data, DetourSettings *settings)
{
  DetourServer *self = data;
  DetourLimits limits;
  DetourWorkerLimits worker_limits;
  DetourHandshakePoolLimits pool_limits;
  g_autoptr (GError) error = NULL;

  detour_settings_fill (settings, &limits);
  if (!detour_worker_limits_read (&worker_limits, settings, &limits, self->n_workers, &error))
    {
      /* The file became bad after it was checked: the rates in force stay, the rest is new. */
      g_warning ("%s", error->message);
      worker_limits.relay.receive_rate = self->receive_rate;
      worker_limits.relay.receive_burst = self->receive_burst;
    }
  self->receive_rate = worker_limits.relay.receive_rate;
  self->receive_burst = worker_limits.relay.receive_burst;
  for (guint i = 0; i < self->n_workers; i++)
    detour_worker_set_limits (self->workers[i], &worker_limits);

  detour_handshake_limits_read (&limits, &pool_limits);
  detour_handshake_pool_set_limits (self->pool, &pool_limits);

  server_read_socket_options (&limits, &self->socket_options);
  for (guint i = 0; i < self->listeners->len; i++)
    {
      DetourListener *listener = g_ptr_array_index (self->listeners, i);

      for (guint k = 0; k < listener->fds->len; k++)
        detour_socket_set_options (g_array_index (listener->fds, int, k), &self->socket_options);
    }
}

/* Listeners ------------------------------------------------------------------------------------ */

/* Redirects go to the port of TLS: 443 if a listener has it, or if none speaks TLS here and
 * something in front of the relay does; else the first one that does. */
static void
server_note_https_port (DetourServer *self)
{
  guint16 port = 0;

  for (guint i = 0; i < self->listeners->len; i++)
    {
      const DetourListener *listener = self->listeners->pdata[i];

      if ((listener->flags & DETOUR_LISTENER_SECURE) == 0
          || detour_listener_site (listener->flags) != DETOUR_SITE_CLIENTS)
        continue;
      for (guint k = 0; k < listener->addresses->len; k++)
        {
          DetourAddress address;

          if (detour_address_parse (listener->addresses->pdata[k], &address, NULL)
              && address.port != 0 && (port == 0 || address.port == HTTPS_PORT))
            port = address.port;
        }
    }
  detour_http_routes_set_https_port (self->routes, port != 0 ? port : HTTPS_PORT);
}

void
detour_server_watch (DetourServer *self, DetourListener *listener)
{
  if (!self->holds_off)
    detour_handshake_pool_add_listener (self->pool, listener);
}

void
detour_server_unwatch (DetourServer *self, DetourListener *listener)
{
  if (!self->holds_off)
    detour_handshake_pool_remove_listener (self->pool, listener);
}

static void
server_close_listener (DetourServer *self, guint index)
{
  DetourListener *listener = g_ptr_array_steal_index (self->listeners, index);

  if (!listener->is_paused)
    detour_server_unwatch (self, listener);
  detour_listener_close (listener);
  detour_listener_unref (listener);
  server_note_https_port (self);
}

/* The instance keeps a listener that was closed before, when the relay stopped listening. */
static void
server_release_listener (gpointer owner, gpointer thing)
{
  DetourServer *self = owner;
  guint index;

  if (g_ptr_array_find (self->listeners, thing, &index))
    server_close_listener (self, index);
  detour_listener_unref (thing);
}

/* Nothing waits for such an address: the kernel serves it from the moment it is there. */
static void
server_warn_of_absent (const DetourListener *listener)
{
  g_auto (GStrv) absent = detour_listener_absent_addresses (listener);
  g_autofree char *text = g_strjoinv (" ", absent);

  if (text[0] != '\0')
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "address-absent",
                      DETOUR_LOG_LISTENER, listener->instance, "MESSAGE",
                      "%s: this host does not have %s; connections come in there as soon as it has",
                      listener->instance, text);
}

static gboolean
server_listen_for (gpointer data, DetourInstance *instance, const DetourSettings *settings,
                   const DetourListenerSpec *spec, GError **error)
{
  DetourServer *self = data;
  DetourListener *listener = detour_listener_new (detour_instance_id (instance), settings, spec,
                                                  &self->socket_options, self->inherited, error);
  g_autofree char *addresses = NULL;

  if (listener == NULL)
    return FALSE;
  g_ptr_array_add (self->listeners, listener);
  server_note_https_port (self);
  if (self->stays_out && (listener->flags & DETOUR_LISTENER_ADMIN) == 0)
    detour_listener_pause (listener);
  else
    detour_server_watch (self, listener);
  detour_instance_hold (instance, DETOUR_HOLD_FOR_RUN, server_release_listener, self,
                        detour_listener_ref (listener));
  addresses = detour_listener_dup_addresses (listener);
  if (spec->note != NULL)
    detour_host_set_summary (instance, "%s; %s", addresses, spec->note);
  else
    detour_host_set_summary (instance, "%s", addresses);
  if (listener->is_paused)
    return TRUE;
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "listening",
                    DETOUR_LOG_LISTENER, listener->instance, "MESSAGE", "%s: listening on %s (%s)",
                    listener->instance, addresses, listener->protocol);
  server_warn_of_absent (listener);
  return TRUE;
}

/* The other hooks ------------------------------------------------------------------------------ */

static void
server_auth_changed (gpointer data, DetourInstance *instance)
{
  DetourServer *self = data;

  detour_admission_forget (self->admission, detour_instance_id (instance));
  if (self->is_stopped)
    return;
  detour_handshake_pool_ask_again (self->pool);
  detour_recheck_all (self->recheck);
}

static void
server_auth_rekeyed (gpointer data, const guint8 *before, const guint8 *after)
{
  DetourKey keys[2];

  memcpy (&keys[0], before, DETOUR_KEY_SIZE);
  memcpy (&keys[1], after, DETOUR_KEY_SIZE);
  detour_server_follow_ban (data, &keys[0], &keys[1]);
}

static void
server_certs_changed (gpointer data)
{
  DetourServer *self = data;

  if (self->is_stopped)
    return;
  detour_handshake_pool_certs_changed (self->pool);
  if (self->observer != NULL)
    self->observer (self->observer_user);
}

static void
server_apply_admission (gpointer data, DetourSettings *settings)
{
  DetourServer *self = data;
  DetourAdmissionOptions options;

  detour_settings_fill (settings, &options);
  detour_admission_apply (self->admission, settings,
                          self->config != NULL ? self->config->tenants : NULL);
  detour_handshake_pool_set_refuse_hold (self->pool, options.refuse_hold_us);
  detour_handshake_pool_ask_again (self->pool);
  detour_recheck_apply (self->recheck);
}

/* What the admission asks for ------------------------------------------------------------------ */

static DetourInstance *
server_find_auth (const DetourServer *self, const char *id)
{
  return self->roster != NULL ? detour_roster_find (self->roster, id) : NULL;
}

static void
server_instance_changed (gpointer data, DetourInstance *instance, gboolean gone)
{
  DetourServer *self = data;

  if (self->observer != NULL)
    self->observer (self->observer_user);
}

static void
server_verify (gpointer user, const char *id, DetourAuthRequest *request, DetourVerdictFunc done,
               gpointer data)
{
  DetourInstance *instance = server_find_auth (user, id);

  /* An instance that does not take part is not asked. */
  g_assert (instance != NULL);
  detour_instance_verify (instance, request, done, data);
}

static gboolean
server_takes_part (gpointer user, const char *id)
{
  DetourInstance *instance = server_find_auth (user, id);

  return instance != NULL && detour_instance_state (instance) != DETOUR_INSTANCE_STOPPED
      && detour_instance_state (instance) != DETOUR_INSTANCE_DISABLED;
}

static gboolean
server_tells_trouble (gpointer user, const char *id)
{
  DetourInstance *instance = server_find_auth (user, id);
  g_autofree char *trouble = instance != NULL ? detour_instance_dup_trouble (instance) : NULL;

  return trouble != NULL;
}

static void
server_allow_client (gpointer user, DetourHandle handle, DetourVerdict *verdict)
{
  detour_worker_set_verdict (((DetourServer *) user)->workers[DETOUR_HANDLE_WORKER (handle)],
                             handle, verdict);
}

static void
server_revoke (gpointer user, const DetourAuthRequest *request)
{
  detour_recheck_revoke_in (((DetourServer *) user)->recheck, detour_auth_request_key (request),
                            request->tenant != NULL ? request->tenant : "");
}

static const DetourAuthPort auth_port = {
  .verify = server_verify,
  .takes_part = server_takes_part,
  .tells_trouble = server_tells_trouble,
  .revoke = server_revoke,
  .dup_source = detour_server_dup_source,
};

static guint
server_n_workers (gpointer user)
{
  return ((DetourServer *) user)->n_workers;
}

static guint
server_n_clients (gpointer user)
{
  return detour_handshake_pool_n_registered (((DetourServer *) user)->pool);
}

static DetourScan *
server_scan (gpointer user, guint worker, guint32 first, guint max, DetourScanPageDone done,
             gpointer data)
{
  return detour_scan_page (((DetourServer *) user)->workers[worker], first, max, done, data);
}

static void
server_settle (gpointer user, DetourMailbox *mailbox, DetourMailboxFunc done, gpointer data,
               DetourMailboxFunc drop)
{
  detour_handshake_pool_settle (((DetourServer *) user)->pool, mailbox, done, data, drop);
}

static const DetourRecheckPort recheck_port = {
  .n_workers = server_n_workers,
  .n_clients = server_n_clients,
  .scan = server_scan,
  .cancel = detour_scan_cancel,
  .close = detour_server_close_client,
  .allow = server_allow_client,
  .close_key = detour_server_close_key,
  .belongs = detour_server_belongs,
  .has_tenants = detour_server_has_tenants,
  .settle = server_settle,
};

const DetourHostHooks detour_server_hooks = {
  .foreach_metric = detour_server_foreach_metric,
  .listen = server_listen_for,
  .listens = detour_server_listens,
  .serves_pages = detour_server_serves_pages,
  .open_control = detour_server_open_control,
  .add_dialer = detour_server_add_dialer,
  .dial = detour_server_dial,
  .hang_up = detour_server_hang_up,
  .link_stats = detour_server_link_stats,
  .find_link = detour_server_find_link,
  .know_peer = detour_server_know_peer,
  .add_routes = detour_server_add_routes,
  .certs_changed = server_certs_changed,
  .auth_changed = server_auth_changed,
  .auth_rekeyed = server_auth_rekeyed,
  .auth_revoked = detour_server_auth_revoked,
  .set_mesh_key = detour_server_set_mesh_key,
  .apply_limits = server_apply_limits,
  .apply_terms = detour_server_apply_terms,
  .apply_admission = server_apply_admission,
  .instance_changed = server_instance_changed,
};

void
detour_server_set_roster (DetourServer *self, DetourRoster *roster)
{
  self->roster = roster;
}

void
detour_server_set_observer (DetourServer *self, void (*func) (gpointer user), gpointer user)
{
  self->observer = func;
  self->observer_user = user;
}

void
detour_server_announce (DetourServer *self, const char *text)
{
  g_free (self->announcement);
  self->announcement = g_strdup (text);
  for (guint i = 0; i < self->n_workers; i++)
    detour_worker_announce (self->workers[i], text);
}

const char *
detour_server_announcement (const DetourServer *self)
{
  return self->announcement;
}

static guint
server_count_workers (const DetourConfig *config)
{
  guint n = config->options.core.workers;

  return n != G_MAXUINT ? n : CLAMP (g_get_num_processors () - 1, 1, WORKERS_AUTO_MAX);
}

static gboolean
server_start_workers (DetourServer *self, const DetourConfig *config, const DetourServerKey *key,
                      GError **error)
{
  DetourRegistryObserver observer = detour_server_observe_registry (self);
  DetourWorkerLimits limits;
  guint n = server_count_workers (config);

  if (!detour_worker_limits_read (&limits, config->limits, &config->options.limits, n, error))
    return FALSE;
  self->receive_rate = limits.relay.receive_rate;
  self->receive_burst = limits.relay.receive_burst;
  self->registry = detour_registry_new (n, &observer);
  self->received = detour_mesh_received_new (self->registry);
  self->rings = detour_worker_rings_new (n);
  if (self->rings == NULL)
    {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_NOMEM,
                   "no memory for what workers send each other");
      return FALSE;
    }
  self->workers = g_new0 (DetourWorker *, n);
  for (guint i = 0; i < n; i++)
    {
      self->workers[i] = detour_worker_new (i, self->rings, self->registry, self->addresses,
                                            self->terms, detour_server_key_public (key), &limits,
                                            error);
      if (self->workers[i] == NULL)
        return FALSE;
      detour_worker_set_received (self->workers[i], self->received);
      self->n_workers++;
    }
  return TRUE;
}

DetourServer *
detour_server_new (const DetourConfig *config, const DetourServerKey *key, GError **error)
{
  DetourServer *self = g_new0 (DetourServer, 1);
  DetourHandshakePoolParts parts;
  DetourHandshakePoolLimits limits;

  self->listeners = g_ptr_array_new ();
  self->addresses = detour_address_counts_new ();
  self->terms = detour_terms_table_new ();
  self->budgets = detour_budgets_new (&detour_server_budgets_port, self);
  self->tenants = detour_tenant_table_new ();
  self->routes = detour_http_routes_new ();
  self->dialers = detour_dialers_new (detour_server_key_public (key),
                                      detour_server_key_private (key));
  detour_dialers_set_join (self->dialers, detour_server_join_link, self);
  self->admission = detour_admission_new (&auth_port, self);
  self->recheck = detour_recheck_new (self->admission, &recheck_port, self);
  detour_server_init_bans (self);
  server_read_socket_options (&config->options.limits, &self->socket_options);
  detour_handshake_limits_read (&config->options.limits, &limits);

  if (server_start_workers (self, config, key, error))
    {
      parts = (DetourHandshakePoolParts) {
        .routes = self->routes,
        .admission = self->admission,
        .addresses = self->addresses,
        .terms = self->terms,
        .tenants = self->tenants,
        .workers = self->workers,
        .n_workers = self->n_workers,
        .server_secret = detour_server_key_private (key),
        .server_key = *detour_server_key_public (key),
      };
      self->pool = detour_handshake_pool_new (g_get_num_processors () >= 4 ? 2 : 1, &parts, &limits,
                                              error);
    }
  if (self->pool == NULL)
    {
      detour_server_stop (self);
      detour_server_free (self);
      return NULL;
    }
  return self;
}

void
detour_server_stop (DetourServer *self)
{
  detour_admission_close_store (self->admission);
  detour_recheck_stop (self->recheck);
  detour_server_stop_bans (self);
  detour_server_stop_drain (self);
  detour_server_stop_mesh_key (self);
  detour_server_clear_links (self);
  if (self->pool != NULL)
    {
      while (self->listeners->len > 0)
        server_close_listener (self, self->listeners->len - 1);
      g_clear_pointer (&self->pool, detour_handshake_pool_free);
    }
  for (guint i = 0; i < self->n_workers; i++)
    detour_worker_stop (self->workers[i]);
  self->is_stopped = TRUE;
}

void
detour_server_free (DetourServer *self)
{
  g_assert (self->is_stopped);

  for (guint i = 0; i < self->n_workers; i++)
    detour_worker_join (self->workers[i]);
  detour_budgets_free (self->budgets);
  for (guint i = 0; i < self->n_workers; i++)
    detour_worker_free (self->workers[i]);
  g_free (self->workers);
  g_clear_pointer (&self->rings, detour_worker_rings_free);
  detour_tenant_table_free (self->tenants);
  g_clear_pointer (&self->received, detour_mesh_received_free);
  g_clear_pointer (&self->registry, detour_registry_free);
  detour_admission_free (self->admission);
  detour_recheck_free (self->recheck);
  detour_server_clear_bans (self);
  detour_http_routes_free (self->routes);
  detour_dialers_free (self->dialers);
  detour_address_counts_free (self->addresses);
  detour_terms_table_free (self->terms);
  g_clear_pointer (&self->config, detour_config_unref);
  g_ptr_array_unref (self->listeners);
  g_clear_pointer (&self->inherited, detour_inherited_free);
  g_clear_pointer (&self->stragglers, detour_stragglers_free);
  g_free (self->announcement);
  g_free (self);
}

const GPtrArray *
detour_server_listeners (const DetourServer *self)
{
  return self->listeners;
}

guint
detour_server_n_clients (const DetourServer *self)
{
  guint n_outside = detour_handshake_pool_n_outside (self->pool);

  return n_outside + detour_handshake_pool_n_clients (self->pool);
}

guint
detour_server_n_mesh (const DetourServer *self)
{
  return detour_handshake_pool_n_mesh (self->pool);
}

guint
detour_server_n_workers (const DetourServer *self)
{
  return self->n_workers;
}

DetourWorker *
detour_server_worker (const DetourServer *self, guint index)
{
  return self->workers[index];
}

DetourHandshakePool *
detour_server_pool (const DetourServer *self)
{
  return self->pool;
}

DetourRegistry *
detour_server_registry (const DetourServer *self)
{
  return self->registry;
}

DetourAdmission *
detour_server_admission (const DetourServer *self)
{
  return self->admission;
}
