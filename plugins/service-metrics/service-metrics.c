/* service-metrics.c: the numbers of the relay over HTTP, on listeners of their own.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <string.h>

#include "metrics-access.h"
#include "metrics-derper.h"
#include "metrics-queue.h"
#include "metrics-text.h"

/* Longest file of a key, in bytes. */
#define KEY_FILE_MAX 4096u

/* The texts that the main thread writes. */
typedef enum {
  PAGE_TEXT,
  PAGE_OPEN,
  PAGE_VARS,
  PAGE_VARZ,
  N_PAGES,
} Page;

typedef enum {
  SCRAPE_METRICS,
  SCRAPE_VARS,
  SCRAPE_VARZ,
  SCRAPE_LIVEZ,
  SCRAPE_READYZ,
  N_SCRAPES,
} Scrape;

typedef struct {
  DetourHost *host;
  DetourSettings *settings;
  MetricsAccess *access;
  MetricsQueue *queue;
  MetricsProcess process;

  GMutex lock; /* handlers run on several threads, a counter has one writer */
  DetourCounter *scrapes[N_SCRAPES];
  DetourCounter *refused;
  DetourCounter *writes;   /* main thread */
  DetourCounter *write_us; /* the same */
} ServiceMetrics;

static const DetourConfigKey service_metrics_config[] = {
  { "listen", DETOUR_CONFIG_ADDRESS, "127.0.0.1:9090",
    .summary = "where metrics are served; `unix:/path` is a Unix socket",
    .flags = DETOUR_CONFIG_LIST | DETOUR_CONFIG_LISTEN_TCP },
  DETOUR_LISTENER_UNIX_KEYS,
  { "allow", DETOUR_CONFIG_CIDR, "127.0.0.0/8;::1",
    .summary = "networks whose requests are answered", .flags = DETOUR_CONFIG_LIST },
  { "debug-key-file", DETOUR_CONFIG_PATH,
    .summary = "file with a key by which requests from anywhere are answered" },
  { "pages", DETOUR_CONFIG_BOOL, "true",
    .summary = "whether pages for people may be served here as well" },
  { NULL },
};

/* ---- settings -------------------------------------------------------------------------------- */

/* *@key: the word in the file, NULL when there is no file; free with g_free(). */
static gboolean
service_metrics_read_key (const DetourSettings *settings, char **key, GError **error)
{
  const char *path = detour_settings_string (settings, "debug-key-file");
  g_auto (DetourFile) file = { 0 };
  g_autoptr (GError) problem = NULL;

  *key = NULL;
  if (path == NULL)
    return TRUE;
  if (!detour_file_read (path, KEY_FILE_MAX, DETOUR_FILE_PRIVATE, &file, &problem))
    {
      detour_settings_error (settings, "debug-key-file", error, "%s", problem->message);
      return FALSE;
    }
  *key = g_strdup (file.data);
  g_strstrip (*key);
  if ((*key)[0] != '\0')
    return TRUE;
  g_clear_pointer (key, g_free);
  detour_settings_error (settings, "debug-key-file", error, "%s: there is no key in it", path);
  return FALSE;
}

static gboolean
service_metrics_check (const DetourSettings *settings, GError **error)
{
  if (detour_settings_list (settings, "listen")[0] == NULL)
    {
      detour_settings_error (settings, "listen", error,
                             "no address; write 127.0.0.1:9090, or enabled=false for no metrics");
      return FALSE;
    }
  return detour_listener_check_unix (settings, error);
}

/* ---- texts: main thread ---------------------------------------------------------------------- */

static void
service_metrics_write_text (ServiceMetrics *self, MetricsFormat format, MetricsPage *page)
{
  MetricsText *text = metrics_text_new (format);

  detour_host_foreach_metric (self->host, metrics_text_add, text);
  metrics_process_each (&self->process, metrics_text_add, text);
  page->content_type = metrics_text_content_type (format);
  page->text = metrics_text_end (text);
}

static void
service_metrics_write_derpers (ServiceMetrics *self, gboolean json, MetricsPage *page)
{
  g_autoptr (MetricsDerper) derper = metrics_derper_new ();

  detour_host_foreach_metric (self->host, metrics_derper_add, derper);
  page->content_type = json ? "application/json; charset=utf-8" : "text/plain; charset=utf-8";
  page->text = json ? metrics_derper_vars (derper, &self->process)
                    : metrics_derper_varz (derper, &self->process);
}

static void
service_metrics_write (gpointer user, guint kind, MetricsPage *page)
{
  ServiceMetrics *self = user;
  gint64 begin_us = g_get_monotonic_time ();

  if (kind == PAGE_VARS || kind == PAGE_VARZ)
    service_metrics_write_derpers (self, kind == PAGE_VARS, page);
  else
    service_metrics_write_text (self, kind == PAGE_OPEN ? METRICS_FORMAT_OPEN : METRICS_FORMAT_TEXT,
                                page);
  detour_counter_add (self->writes, 1);
  detour_counter_add (self->write_us, (guint64) (g_get_monotonic_time () - begin_us));
}

/* ---- requests: handshake pool ---------------------------------------------------------------- */

static void
service_metrics_answer (DetourHttpResponse *response, guint status, const char *line)
{
  detour_http_response_set_status (response, status);
  detour_http_response_set_body (response, "text/plain; charset=utf-8", line, -1);
}

static void
service_metrics_count (ServiceMetrics *self, DetourCounter *counter)
{
  g_mutex_lock (&self->lock);
  detour_counter_add (counter, 1);
  g_mutex_unlock (&self->lock);
}

/* Before every request of the site, whichever plugin answers it: who may not come in learns
 * nothing, not even which paths there are. */
static void
service_metrics_gate (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  ServiceMetrics *self = user;

  detour_http_response_add_header (response, "Cache-Control", "no-store");
  if (metrics_access_allows (self->access, request))
    return;
  service_metrics_count (self, self->refused);
  service_metrics_answer (response, 403, "not allowed\n");
}

static void
service_metrics_metrics (gpointer user, const DetourHttpRequest *request,
                         DetourHttpResponse *response)
{
  ServiceMetrics *self = user;
  const char *accept = detour_http_request_header (request, "Accept");

  service_metrics_count (self, self->scrapes[SCRAPE_METRICS]);
  metrics_queue_ask (self->queue,
                     metrics_text_choose (accept) == METRICS_FORMAT_OPEN ? PAGE_OPEN : PAGE_TEXT,
                     response);
}

static void
service_metrics_vars (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  ServiceMetrics *self = user;

  service_metrics_count (self, self->scrapes[SCRAPE_VARS]);
  metrics_queue_ask (self->queue, PAGE_VARS, response);
}

static void
service_metrics_varz (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  ServiceMetrics *self = user;

  service_metrics_count (self, self->scrapes[SCRAPE_VARZ]);
  metrics_queue_ask (self->queue, PAGE_VARZ, response);
}

static void
service_metrics_livez (gpointer user, const DetourHttpRequest *request,
                       DetourHttpResponse *response)
{
  ServiceMetrics *self = user;

  service_metrics_count (self, self->scrapes[SCRAPE_LIVEZ]);
  service_metrics_answer (response, 200, "ok\n");
}

static void
service_metrics_readyz (gpointer user, const DetourHttpRequest *request,
                        DetourHttpResponse *response)
{
  ServiceMetrics *self = user;

  service_metrics_count (self, self->scrapes[SCRAPE_READYZ]);
  if (detour_host_is_ready (self->host))
    service_metrics_answer (response, 200, "ready\n");
  else
    {
      /* It may be ready at any moment; this is how soon a new look is worth it. */
      detour_http_response_add_header (response, "Retry-After", "5");
      service_metrics_answer (response, 503, "not ready\n");
    }
}

/* What nothing else answers. */
static void
service_metrics_rest (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  if (strcmp (detour_http_request_path (request), "/") == 0)
    service_metrics_answer (response, 200, "/metrics\n/debug/vars\n/debug/varz\n/livez\n/readyz\n");
  else
    service_metrics_answer (response, 404, "there is nothing here\n");
}

static const DetourHttpRoute service_metrics_routes[] = {
  { DETOUR_HTTP_GATE, DETOUR_HTTP_ANY, DETOUR_SITE_ADMIN, service_metrics_gate },
  { "/metrics", DETOUR_HTTP_GET, DETOUR_SITE_ADMIN, service_metrics_metrics },
  { "/debug/vars", DETOUR_HTTP_GET, DETOUR_SITE_ADMIN, service_metrics_vars },
  { "/debug/varz", DETOUR_HTTP_GET, DETOUR_SITE_ADMIN, service_metrics_varz },
  { "/livez", DETOUR_HTTP_GET, DETOUR_SITE_ADMIN, service_metrics_livez },
  { "/readyz", DETOUR_HTTP_GET, DETOUR_SITE_ADMIN, service_metrics_readyz },
  { "/", DETOUR_HTTP_ANY, DETOUR_SITE_ADMIN, service_metrics_rest, DETOUR_HTTP_BELOW },
  { NULL },
};

/* ---- start and stop -------------------------------------------------------------------------- */

static void
service_metrics_find_counters (ServiceMetrics *self)
{
  static const char *const pages[N_SCRAPES] = {
    [SCRAPE_METRICS] = "metrics", [SCRAPE_VARS] = "vars",     [SCRAPE_VARZ] = "varz",
    [SCRAPE_LIVEZ] = "livez",     [SCRAPE_READYZ] = "readyz",
  };

  for (guint i = 0; i < N_SCRAPES; i++)
    {
      const DetourMetric metric = { .name = "requests",
                                    .help = "requests that were allowed",
                                    .n_labels = 1,
                                    .labels = { { "page", pages[i] } } };

      self->scrapes[i] = detour_host_counter_with (self->host, &metric);
    }
  self->refused = detour_host_counter (self->host, "refused", "requests that were not allowed");
  self->writes = detour_host_counter (self->host, "writes", "texts of metrics that were written");
  self->write_us = detour_host_counter_with (
      self->host, &(DetourMetric) { .name = "write_microseconds",
                                    .unit = "microseconds",
                                    .help = "time the main thread wrote texts of metrics for" });
}

static void
service_metrics_stop (gpointer data)
{
  ServiceMetrics *self = data;

  g_clear_pointer (&self->queue, metrics_queue_free);
  g_clear_pointer (&self->access, metrics_access_free);
  g_mutex_clear (&self->lock);
  detour_settings_unref (self->settings);
  g_free (self);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ServiceMetrics, service_metrics_stop)

static gboolean
service_metrics_take_key (ServiceMetrics *self, GError **error)
{
  g_autofree char *key = NULL;

  if (!service_metrics_read_key (self->settings, &key, error))
    return FALSE;
  metrics_access_set_key (self->access, key);
  return TRUE;
}

static gpointer
service_metrics_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  DetourListenerSpec spec = {
    .addresses = detour_settings_list (settings, "listen"),
    .protocol = "metrics",
    .flags = DETOUR_LISTENER_ADMIN,
    .key = "listen",
  };
  g_autoptr (ServiceMetrics) self = NULL;

  if (!service_metrics_check (settings, error))
    return NULL;
  if (detour_settings_bool (settings, "pages"))
    spec.flags |= DETOUR_LISTENER_PAGES;
  detour_listener_fill_unix (settings, &spec);
  self = g_new0 (ServiceMetrics, 1);
  self->host = host;
  self->settings = detour_settings_ref (settings);
  g_mutex_init (&self->lock);
  self->access = metrics_access_new (detour_settings_list (settings, "allow"));
  self->queue = metrics_queue_new (host, N_PAGES, service_metrics_write, self);
  metrics_process_init (&self->process);
  service_metrics_find_counters (self);
  if (!service_metrics_take_key (self, error)
      || !detour_host_add_routes (host, service_metrics_routes, self, error)
      || !detour_host_listen (host, settings, &spec, error))
    return NULL;
  return g_steal_pointer (&self);
}

/* The file of the key may have another one. */
static void
service_metrics_reload (gpointer data)
{
  ServiceMetrics *self = data;
  g_autoptr (GError) error = NULL;

  if (service_metrics_take_key (self, &error))
    {
      detour_host_set_trouble (self->host, NULL);
      return;
    }
  detour_host_set_trouble (self->host, "the key before it stays: %s", error->message);
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "instance-trouble",
                    DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
                    "%s; the key before it stays", error->message);
}

DETOUR_PLUGIN_DEFINE (.name = "service-metrics", .kind = DETOUR_KIND_SERVICE,
                      .summary = "serves the numbers of the relay to Prometheus and others",
                      .config = service_metrics_config, .check = service_metrics_check,
                      .start = service_metrics_start, .reload = service_metrics_reload,
                      .stop = service_metrics_stop);
