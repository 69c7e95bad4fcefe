/* service-trial.c: a plugin that uses everything an instance can be given, for tests against the
 * real daemon.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <string.h>

#include "test-upper-channel.h"

typedef struct {
  DetourHost *host;
  DetourSettings *settings;
  DetourCounter *requests;
  DetourLink *link; /* NULL: none was dialled */
  GMutex lock;
  GPtrArray *owed; /* of DetourHttpExchange that nobody answers */
} Trial;

static const DetourConfigKey trial_config[] = {
  { "listen", DETOUR_CONFIG_ADDRESS, .summary = "where administrators connect to",
    .flags = DETOUR_CONFIG_LIST },
  { "dial", DETOUR_CONFIG_STRING, .summary = "address and port of another relay" },
  { "dialer", DETOUR_CONFIG_STRING, "tls", .summary = "how it is dialled" },
  { "pin", DETOUR_CONFIG_STRING, .summary = "by which the other relay is known" },
  { "joins", DETOUR_CONFIG_BOOL, "false", .summary = "whether a worker takes the link" },
  { "mesh-key", DETOUR_CONFIG_STRING, .summary = "shown at the login, 64 hex digits" },
  { NULL },
};

/* ---- routes ---------------------------------------------------------------------------------- */

static void
trial_echo (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  gsize len;
  const guint8 *body = detour_http_request_body (request, &len);

  detour_http_response_set_body (response, "application/octet-stream", (const char *) body,
                                 (gssize) len);
}

static void
trial_below (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  detour_http_response_set_body (response, "text/plain", detour_http_request_path (request), -1);
}

static gpointer
trial_answer_on_thread (gpointer data)
{
  DetourHttpExchange *exchange = data;
  const char *query = detour_http_request_query (detour_http_exchange_request (exchange));

  detour_http_response_set_body (detour_http_exchange_response (exchange), "text/plain", query, -1);
  detour_http_exchange_send (exchange);
  return NULL;
}

static void
trial_later (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  g_thread_unref (
      g_thread_new ("trial", trial_answer_on_thread, detour_http_response_hold (response)));
}

static void
trial_never (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  Trial *self = user;
  DetourHttpExchange *exchange = detour_http_response_hold (response);

  g_mutex_lock (&self->lock);
  g_ptr_array_add (self->owed, exchange);
  g_mutex_unlock (&self->lock);
}

static void
trial_add_metric (const DetourMetric *metric, gpointer user)
{
  GString *text = user;

  g_string_append_printf (text, "%s%s%s", metric->plugin != NULL ? metric->plugin : "",
                          metric->plugin != NULL ? ":" : "", metric->name);
  for (guint i = 0; i < metric->n_labels; i++)
    g_string_append_printf (text, "%s%s=\"%s\"", i > 0 ? "," : "{", metric->labels[i].name,
                            metric->labels[i].value);
  g_string_append_printf (text, "%s %" G_GUINT64_FORMAT "\n", metric->n_labels > 0 ? "}" : "",
                          metric->value);
}

typedef struct {
  Trial *trial;
  DetourHttpExchange *exchange;
} Page;

static void
trial_write_page (gpointer data)
{
  g_autofree Page *page = data;
  g_autoptr (GString) text = g_string_new (NULL);

  detour_counter_add (page->trial->requests, 1);
  detour_host_foreach_metric (page->trial->host, trial_add_metric, text);
  detour_http_response_set_body (detour_http_exchange_response (page->exchange), "text/plain",
                                 text->str, (gssize) text->len);
  detour_http_exchange_send (page->exchange);
}

static void
trial_drop_page (gpointer data)
{
  g_autofree Page *page = data;

  detour_http_exchange_send (page->exchange);
}

static void
trial_metrics (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  Page *page = g_new (Page, 1);

  *page = (Page) { user, detour_http_response_hold (response) };
  detour_host_post (page->trial->host, trial_write_page, page, trial_drop_page);
}

static gpointer
trial_upgrade (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response,
               const DetourChannelClass **cls)
{
  const char *wish = detour_http_request_header (request, "Trial");

  if (wish != NULL && strcmp (wish, "refuse") == 0)
    return NULL;
  if (wish != NULL && strcmp (wish, "200") == 0)
    detour_http_response_set_status (response, 200);
  detour_http_response_add_header (response, "Trial", "yes");
  *cls = &test_upper_channel;
  return test_upper_channel_new ();
}

static const DetourHttpRoute trial_routes[] = {
  { "/trial/echo", DETOUR_HTTP_POST, 0, trial_echo, DETOUR_HTTP_BODY },
  { "/trial/short", DETOUR_HTTP_POST, 0, trial_echo, DETOUR_HTTP_BODY, .body_max = 10 },
  { "/trial/below/", DETOUR_HTTP_GET, DETOUR_SITE_CLIENTS | DETOUR_SITE_PLAIN, trial_below,
    DETOUR_HTTP_BELOW },
  { "/trial/later", DETOUR_HTTP_GET, 0, trial_later },
  { "/trial/never", DETOUR_HTTP_GET, 0, trial_never },
  { "/trial/metrics", DETOUR_HTTP_GET, DETOUR_SITE_ADMIN, trial_metrics },
  { "/trial/frames", DETOUR_HTTP_GET, .protocol = "trial", .upgrade = trial_upgrade },
  { "/derp", DETOUR_HTTP_GET, .protocol = "trial", .upgrade = trial_upgrade },
  { NULL },
};

/* ---- the link: what comes from a client goes back to it -------------------------------------- */

static void
trial_up (gpointer user, DetourLink *link, const guint8 *server_key)
{
  detour_host_set_summary (((Trial *) user)->host, "the link is up");
  g_message ("the link is up");
}

static void
trial_frame (gpointer user, DetourLink *link, guint8 type, const guint8 *payload, gsize len)
{
  /* A packet received has its sender in front, a packet to send its receiver. */
  if (type == 0x05)
    detour_link_send (link, 0x04, payload, len);
}

static void
trial_down (gpointer user, DetourLink *link, DetourLinkFault fault, const char *reason)
{
  g_message ("the link is down: %s", reason);
}

static const DetourLinkFuncs trial_link_funcs = { trial_up, trial_frame, trial_down };

static gboolean
trial_show_link (gpointer data)
{
  Trial *self = data;
  DetourLinkStats stats;

  detour_host_link_stats (self->host, self->link, &stats);
  detour_host_set_summary (self->host, "%s, %u keys, %u packets",
                           stats.is_joined ? "joined" : "apart", (guint) stats.keys,
                           (guint) stats.packets);
  return TRUE;
}

static gboolean
trial_dial (Trial *self, DetourSettings *settings, GError **error)
{
  const char *digits = detour_settings_string (settings, "mesh-key");
  guint8 mesh_key[DETOUR_KEY_SIZE];
  const DetourDialSpec spec = {
    .address = detour_settings_string (settings, "dial"),
    .host = "relay.test",
    .dialer = detour_settings_string (settings, "dialer"),
    .pin = detour_settings_string (settings, "pin"),
    .mesh_key = digits != NULL ? mesh_key : NULL,
    .joins = detour_settings_bool (settings, "joins"),
    .name = "other",
  };

  for (guint i = 0; digits != NULL && i < DETOUR_KEY_SIZE; i++)
    mesh_key[i] = (guint8) (g_ascii_xdigit_value (digits[2 * i]) << 4
                            | g_ascii_xdigit_value (digits[2 * i + 1]));
  self->link = detour_host_dial (self->host, &spec, &trial_link_funcs, self, error);
  if (self->link != NULL && spec.joins)
    detour_host_add_timer (self->host, 20 * G_TIME_SPAN_MILLISECOND, trial_show_link, self);
  return self->link != NULL;
}

static gboolean
trial_dial_later (gpointer data)
{
  Trial *self = data;

  /* Transports start after services, and one of them brings the dialer. */
  if (detour_host_is_ready (self->host))
    {
      g_autoptr (GError) error = NULL;

      if (!trial_dial (self, self->settings, &error))
        g_message ("cannot dial: %s", error->message);
      return FALSE;
    }
  return TRUE;
}

/* ---------------------------------------------------------------------------------------------- */

static void
trial_free (Trial *self)
{
  /* Answers are owed, even when nobody waits for them. */
  for (guint i = 0; i < self->owed->len; i++)
    detour_http_exchange_send (self->owed->pdata[i]);
  g_ptr_array_unref (self->owed);
  g_mutex_clear (&self->lock);
  detour_settings_unref (self->settings);
  g_free (self);
}

static gpointer
trial_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  const DetourListenerSpec spec = {
    .addresses = detour_settings_list (settings, "listen"),
    .protocol = "http",
    .flags = DETOUR_LISTENER_ADMIN,
  };
  const DetourMetric metric = { .name = "pages",
                                .help = "pages of metrics that were asked for",
                                .n_labels = 1,
                                .labels = { { "kind", "metrics" } } };
  Trial *self = g_new0 (Trial, 1);

  g_mutex_init (&self->lock);
  self->host = host;
  self->settings = detour_settings_ref (settings);
  self->owed = g_ptr_array_new ();
  self->requests = detour_host_counter_with (host, &metric);
  detour_gauge_set (
      detour_host_gauge_with (host, &(DetourMetric) { .name = "mood", .help = "how it is" }), 42);
  if (!detour_host_add_routes (host, trial_routes, self, error)
      || (spec.addresses[0] != NULL && !detour_host_listen (host, settings, &spec, error)))
    {
      trial_free (self);
      return NULL;
    }
  self->link = detour_host_find_link (host, "other", &trial_link_funcs, self);
  if (self->link != NULL)
    {
      g_message ("the link came along");
      detour_host_add_timer (host, 20 * G_TIME_SPAN_MILLISECOND, trial_show_link, self);
    }
  else if (detour_settings_has (settings, "dial"))
    detour_host_add_timer (host, 10 * G_TIME_SPAN_MILLISECOND, trial_dial_later, self);
  return self;
}

static void
trial_stop (gpointer self)
{
  trial_free (self);
}

DETOUR_PLUGIN_DEFINE (.name = "service-trial", .kind = DETOUR_KIND_SERVICE,
                      .summary = "uses everything there is, for tests", .config = trial_config,
                      .start = trial_start, .stop = trial_stop);
