/* detour-host.c: what the host does for an instance: the detour_host_ calls of detour-plugin.h.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-instance-private.h"

#include <string.h>

#include "detour-log.h"
#include "detour-mailbox.h"
#include "detour-mesh-report.h"

const char *
detour_host_instance (DetourHost *host)
{
  return host->id;
}

const char *
detour_host_hostname (DetourHost *host)
{
  return host->context->hostname;
}

const char *
detour_host_state_directory (DetourHost *host)
{
  return host->context->state_directory;
}

const char *
detour_host_locale_directory (DetourHost *host)
{
  return host->context->locale_directory;
}

const guint8 *
detour_host_server_key (DetourHost *host)
{
  return host->context->server_key;
}

gboolean
detour_host_is_ready (DetourHost *host)
{
  /* Who fetches certificates is asked by their authority over listeners, which are there. */
  return g_atomic_int_get (&host->context->ready)
      && (detour_instance_kind (host) == DETOUR_KIND_CERT
          || !g_atomic_int_get (&host->context->lacks_cert));
}

static void
host_tell_trouble (gpointer data)
{
  DetourHost *host = data;

  g_atomic_int_set (&host->trouble_is_posted, FALSE);
  detour_instance_changed (host, FALSE);
}

static void
host_drop_trouble (gpointer data)
{
  g_atomic_int_set (&((DetourHost *) data)->trouble_is_posted, FALSE);
}

/* Replaces *@words by a text of one line, or by nothing. */
static void
host_set_words (DetourHost *host, char **words, char *text)
{
  char *line = text != NULL ? detour_log_escape (text, -1) : NULL;

  gboolean is_news;

  g_mutex_lock (&host->lock);
  is_news = words == &host->trouble && g_strcmp0 (*words, line) != 0;
  g_free (*words);
  *words = line;
  g_mutex_unlock (&host->lock);
  if (is_news && g_atomic_int_compare_and_exchange (&host->trouble_is_posted, FALSE, TRUE))
    detour_host_post (host, host_tell_trouble, host, host_drop_trouble);
  g_free (text);
}

void
detour_host_set_summary (DetourHost *host, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  host_set_words (host, &host->summary, g_strdup_vprintf (format, args));
  va_end (args);
}

void
detour_host_set_trouble (DetourHost *host, const char *format, ...)
{
  va_list args;

  if (format == NULL)
    {
      host_set_words (host, &host->trouble, NULL);
      return;
    }
  va_start (args, format);
  host_set_words (host, &host->trouble, g_strdup_vprintf (format, args));
  va_end (args);
}

static void
host_release_sockets (gpointer owner, gpointer thing)
{
  DetourHost *host = owner;

  g_clear_pointer (&host->socket_protocol, g_free);
  g_clear_pointer (&host->socket_addresses, g_strfreev);
}

void
detour_host_note_sockets (DetourHost *host, const char *protocol, const char *const *addresses)
{
  host_release_sockets (host, NULL);
  host->socket_protocol = g_strdup (protocol);
  host->socket_addresses = g_strdupv ((GStrv) addresses);
  detour_instance_hold (host, DETOUR_HOLD_FOR_RUN, host_release_sockets, host, NULL);
}

void
detour_host_post (DetourHost *host, void (*func) (gpointer data), gpointer data,
                  void (*drop) (gpointer data))
{
  detour_mailbox_post (host->mailbox, func, data, drop);
}

static gboolean
host_is_same_metric (const DetourMetric *a, const DetourMetric *b)
{
  if (strcmp (a->name, b->name) != 0 || a->n_labels != b->n_labels)
    return FALSE;
  for (guint i = 0; i < a->n_labels; i++)
    if (strcmp (a->labels[i].name, b->labels[i].name) != 0
        || strcmp (a->labels[i].value, b->labels[i].value) != 0)
      return FALSE;
  return TRUE;
}

static DetourInstanceMetric *
host_show_metric (DetourHost *host, const DetourMetric *wanted, DetourMetricType type)
{
  DetourInstanceMetric *entry = NULL;
  DetourMetric metric = *wanted;

  g_assert (metric.n_labels < DETOUR_METRIC_LABELS_MAX);
  metric.type = type;
  metric.labels[metric.n_labels++] = (DetourMetricLabel) { "instance", host->id };
  g_mutex_lock (&host->lock);
  for (guint i = 0; entry == NULL && i < host->metrics->len; i++)
    if (host_is_same_metric (&((DetourInstanceMetric *) host->metrics->pdata[i])->metric, &metric))
      entry = host->metrics->pdata[i];
  if (entry == NULL)
    {
      entry = g_new0 (DetourInstanceMetric, 1);
      g_ptr_array_add (host->metrics, entry);
    }
  /* One that the program before had counted has no unit and no help. */
  entry->metric = metric;
  entry->is_shown = TRUE;
  g_mutex_unlock (&host->lock);
  return entry;
}

DetourCounter *
detour_host_counter_with (DetourHost *host, const DetourMetric *metric)
{
  return &host_show_metric (host, metric, DETOUR_METRIC_COUNTER)->number;
}

DetourCounter *
detour_host_counter (DetourHost *host, const char *name, const char *help)
{
  const DetourMetric metric = { .name = name, .help = help };

  return detour_host_counter_with (host, &metric);
}

static void
host_release_gauge (gpointer owner, gpointer thing)
{
  DetourHost *host = owner;
  DetourInstanceMetric *entry = thing;

  g_mutex_lock (&host->lock);
  entry->is_shown = FALSE;
  entry->number.value = 0;
  g_mutex_unlock (&host->lock);
}

DetourGauge *
detour_host_gauge_with (DetourHost *host, const DetourMetric *metric)
{
  DetourInstanceMetric *entry = host_show_metric (host, metric, DETOUR_METRIC_GAUGE);

  detour_instance_hold (host, DETOUR_HOLD_FOR_RUN, host_release_gauge, host, entry);
  return &entry->gauge;
}

void
detour_host_foreach_metric (DetourHost *host, DetourMetricFunc func, gpointer user)
{
  const DetourHostHooks *hooks = host->context->hooks;

  if (hooks->foreach_metric != NULL)
    hooks->foreach_metric (host->context->hooks_data, func, user);
}

gboolean
detour_host_listen (DetourHost *host, const DetourSettings *settings,
                    const DetourListenerSpec *spec, GError **error)
{
  const DetourHostHooks *hooks = host->context->hooks;

  if (hooks->listen == NULL)
    {
      detour_settings_error (settings, NULL, error, "there is nothing here that could listen");
      return FALSE;
    }
  if ((spec->flags & DETOUR_LISTENER_ADMIN) != 0
      && (spec->flags & (DETOUR_LISTENER_DERP | DETOUR_LISTENER_REDIRECT_HTTPS)) != 0)
    {
      detour_settings_error (settings, NULL, error,
                             "a listener for administrators serves neither DERP nor redirections");
      return FALSE;
    }
  return hooks->listen (host->context->hooks_data, host, settings, spec, error);
}

gboolean
detour_host_listens (DetourHost *host, guint port, gboolean secure)
{
  const DetourHostHooks *hooks = host->context->hooks;

  return hooks->listens != NULL && hooks->listens (host->context->hooks_data, port, secure);
}

gboolean
detour_host_serves_pages (DetourHost *host)
{
  const DetourHostHooks *hooks = host->context->hooks;

  return hooks->serves_pages != NULL && hooks->serves_pages (host->context->hooks_data);
}

int
detour_host_open_control (DetourHost *host, GError **error)
{
  const DetourHostHooks *hooks = host->context->hooks;

  if (hooks->open_control != NULL)
    return hooks->open_control (host->context->hooks_data, error);
  g_set_error (error, DETOUR_PLUGINS_ERROR, DETOUR_PLUGINS_ERROR_BROKEN,
               "there is nothing here that could be asked");
  return -1;
}

gboolean
detour_host_add_routes (DetourHost *host, const DetourHttpRoute *routes, gpointer user,
                        GError **error)
{
  return detour_instance_add_routes (host, routes, user, error);
}

gboolean
detour_host_add_dialer (DetourHost *host, const DetourDialer *dialer)
{
  const DetourHostHooks *hooks = host->context->hooks;

  return hooks->add_dialer != NULL && hooks->add_dialer (host->context->hooks_data, host, dialer);
}

DetourLink *
detour_host_dial (DetourHost *host, const DetourDialSpec *spec, const DetourLinkFuncs *funcs,
                  gpointer user, GError **error)
{
  const DetourHostHooks *hooks = host->context->hooks;

  if (hooks->dial == NULL)
    {
      g_set_error (error, DETOUR_PLUGINS_ERROR, DETOUR_PLUGINS_ERROR_BROKEN,
                   "there is nothing here that could dial");
      return NULL;
    }
  return hooks->dial (host->context->hooks_data, host, spec, funcs, user, error);
}

void
detour_host_link_stats (DetourHost *host, DetourLink *link, DetourLinkStats *stats)
{
  const DetourHostHooks *hooks = host->context->hooks;

  *stats = (DetourLinkStats) { FALSE };
  if (hooks->link_stats != NULL)
    hooks->link_stats (host->context->hooks_data, link, stats);
}

DetourLink *
detour_host_find_link (DetourHost *host, const char *name, const DetourLinkFuncs *funcs,
                       gpointer user)
{
  const DetourHostHooks *hooks = host->context->hooks;

  if (hooks->find_link == NULL)
    return NULL;
  return hooks->find_link (host->context->hooks_data, host, name, funcs, user);
}

void
detour_host_hang_up (DetourHost *host, DetourLink *link)
{
  const DetourHostHooks *hooks = host->context->hooks;

  detour_instance_mesh_keep (host, link);
  if (hooks->hang_up != NULL)
    hooks->hang_up (host->context->hooks_data, host, link);
}

static void
host_release_channel (gpointer owner, gpointer thing)
{
  detour_channel_table_remove (owner, thing);
}

gboolean
detour_host_add_channel (DetourHost *host, const DetourChannelClass *cls)
{
  if (!detour_channel_table_add (host->context->channels, cls))
    return FALSE;
  detour_instance_hold (host, DETOUR_HOLD_FOR_RUN, host_release_channel, host->context->channels,
                        (gpointer) cls);
  return TRUE;
}

static void
host_release_certs (gpointer owner, gpointer thing)
{
  detour_cert_store_publish (thing, ((DetourHost *) owner)->id, NULL, 0);
}

static void
host_tell_certs (DetourHost *host)
{
  const DetourHostHooks *hooks = host->context->hooks;

  if (hooks->certs_changed != NULL)
    hooks->certs_changed (host->context->hooks_data);
}

static void
host_release_expectation (gpointer owner, gpointer thing)
{
  DetourHost *host = owner;

  if (detour_cert_store_expect (thing, host->id, FALSE))
    host_tell_certs (host);
}

void
detour_host_expect_certs (DetourHost *host)
{
  detour_cert_store_expect (host->context->certs, host->id, TRUE);
  detour_instance_hold (host, DETOUR_HOLD_FOR_RUN, host_release_expectation, host,
                        host->context->certs);
}

gboolean
detour_host_is_cert_expected (DetourHost *host, const char *instance)
{
  return detour_cert_store_is_expected (host->context->certs, instance);
}

void
detour_host_publish_certs (DetourHost *host, DetourCert *const *certs, guint n)
{
  if (certs == NULL || n == 0)
    detour_instance_let_go (host, host_release_certs, host, host->context->certs);
  else
    {
      detour_cert_store_publish (host->context->certs, host->id, certs, n);
      detour_instance_hold (host, DETOUR_HOLD_OVER_RESTART, host_release_certs, host,
                            host->context->certs);
      /* Whoever waits is told when the certificate is there. */
      detour_instance_let_go (host, host_release_expectation, host, host->context->certs);
    }
  detour_instance_changed (host, FALSE);
}

guint64
detour_host_cert_generation (DetourHost *host)
{
  return detour_cert_store_generation (host->context->certs);
}

DetourCert *
detour_host_find_cert (DetourHost *host, const char *instance, const char *sni,
                       const struct sockaddr *local)
{
  return detour_cert_store_find (host->context->certs, instance, sni, local);
}

static void
host_release_challenges (gpointer owner, gpointer thing)
{
  detour_challenges_withdraw_all (thing, ((DetourHost *) owner)->id);
}

gboolean
detour_host_present_challenge (DetourHost *host, const char *type, const char *identifier,
                               const char *token, const char *key_authorization, GError **error)
{
  DetourChallenges *challenges = host->context->challenges;

  if (!detour_challenges_present (challenges, host->id, type, identifier, token, key_authorization,
                                  g_get_monotonic_time (), error))
    return FALSE;
  detour_instance_hold (host, DETOUR_HOLD_FOR_RUN, host_release_challenges, host, challenges);
  return TRUE;
}

void
detour_host_withdraw_challenge (DetourHost *host, const char *type, const char *identifier,
                                const char *token)
{
  detour_challenges_withdraw (host->context->challenges, host->id, type, identifier, token);
}

char *
detour_host_find_http_challenge (DetourHost *host, const char *token)
{
  return detour_challenges_find_http (host->context->challenges, token, g_get_monotonic_time ());
}

gboolean
detour_host_find_tls_challenge (DetourHost *host, const char *sni, DetourTlsChallenge *out)
{
  return detour_challenges_find_tls (host->context->challenges, sni, g_get_monotonic_time (), out);
}

void
detour_host_auth_changed (DetourHost *host)
{
  const DetourHostHooks *hooks = host->context->hooks;

  if (hooks->auth_changed != NULL)
    hooks->auth_changed (host->context->hooks_data, host);
}

void
detour_host_auth_rekeyed (DetourHost *host, const guint8 *before, const guint8 *after)
{
  const DetourHostHooks *hooks = host->context->hooks;

  if (hooks->auth_rekeyed != NULL)
    hooks->auth_rekeyed (host->context->hooks_data, before, after);
}

void
detour_host_auth_revoked (DetourHost *host, const guint8 *key)
{
  const DetourHostHooks *hooks = host->context->hooks;

  if (hooks->auth_revoked != NULL)
    hooks->auth_revoked (host->context->hooks_data, host, key);
}

static void
host_release_mesh_key (gpointer owner, gpointer thing)
{
  DetourHostContext *context = thing;

  context->hooks->set_mesh_key (context->hooks_data, NULL);
}

void
detour_host_set_mesh_key (DetourHost *host, const guint8 *key)
{
  const DetourHostHooks *hooks = host->context->hooks;

  if (hooks->set_mesh_key == NULL)
    return;
  if (key == NULL)
    {
      detour_instance_let_go (host, host_release_mesh_key, host, host->context);
      return;
    }
  hooks->set_mesh_key (host->context->hooks_data, key);
  detour_instance_hold (host, DETOUR_HOLD_FOR_RUN, host_release_mesh_key, host, host->context);
}

/* ---- timers ---------------------------------------------------------------------------------- */

typedef struct {
  DetourHost *host;
  gboolean (*func) (gpointer data);
  gpointer data;
} HostTimer;

static void
host_release_timer (gpointer owner, gpointer thing)
{
  g_source_remove (GPOINTER_TO_UINT (thing));
}

static gboolean
host_on_timer (gpointer data)
{
  HostTimer *timer = data;
  GSource *source = g_main_current_source ();

  if (timer->func (timer->data))
    return G_SOURCE_CONTINUE;
  if (!g_source_is_destroyed (source))
    detour_holdings_forget (&timer->host->holdings, host_release_timer, timer->host,
                            GUINT_TO_POINTER (g_source_get_id (source)));
  return G_SOURCE_REMOVE;
}

guint
detour_host_add_timer (DetourHost *host, gint64 interval_us, gboolean (*func) (gpointer data),
                       gpointer data)
{
  HostTimer *timer = g_new (HostTimer, 1);
  gint64 seconds = interval_us / G_USEC_PER_SEC;
  guint id;

  *timer = (HostTimer) { host, func, data };
  if (seconds > 0 && interval_us % G_USEC_PER_SEC == 0)
    id = g_timeout_add_seconds_full (G_PRIORITY_DEFAULT, (guint) seconds, host_on_timer, timer,
                                     g_free);
  else
    id = g_timeout_add_full (G_PRIORITY_DEFAULT, (guint) ((interval_us + 999) / 1000),
                             host_on_timer, timer, g_free);
  detour_instance_hold (host, DETOUR_HOLD_FOR_RUN, host_release_timer, host, GUINT_TO_POINTER (id));
  return id;
}

void
detour_host_remove_timer (DetourHost *host, guint id)
{
  detour_instance_let_go (host, host_release_timer, host, GUINT_TO_POINTER (id));
}
