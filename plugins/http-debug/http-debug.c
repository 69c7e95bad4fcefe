/* http-debug.c: pages for people on the site for administrators.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "debug-page.h"
#include "debug-pages.h"
#include "debug-ring.h"
#include "detour-plugin.h"

typedef struct {
  DetourHost *host;
  DebugRing *ring;
  GMutex ring_lock; /* of the ring */
  DebugPages *pages;
} HttpDebug;

/* ---- the ring: main thread ------------------------------------------------------------------- */

static guint64
http_debug_memory (void)
{
  g_auto (DetourFile) file = { 0 };
  guint64 pages = 0;

  /* "SIZE RESIDENT …" in pages */
  if (detour_file_read ("/proc/self/statm", 4096, 0, &file, NULL))
    {
      const char *blank = strchr (file.data, ' ');

      pages = blank != NULL ? g_ascii_strtoull (blank + 1, NULL, 10) : 0;
    }
  return pages * (guint64) sysconf (_SC_PAGESIZE);
}

static void
http_debug_add (const DetourMetric *metric, gpointer user)
{
  static const struct {
    const char *name;
    DebugSeries series;
  } wanted[] = {
    { "bytes_received", DEBUG_SERIES_BYTES_IN },
    { "bytes_sent", DEBUG_SERIES_BYTES_OUT },
    { "packets_dropped", DEBUG_SERIES_DROPS },
    { "logins", DEBUG_SERIES_LOGINS },
    { "keys", DEBUG_SERIES_CLIENTS },
  };
  guint64 *values = user;

  for (guint i = 0; metric->plugin == NULL && i < G_N_ELEMENTS (wanted); i++)
    if (strcmp (metric->name, wanted[i].name) == 0)
      values[wanted[i].series] += metric->value;
}

static gboolean
http_debug_on_step (gpointer data)
{
  HttpDebug *self = data;
  guint64 values[DEBUG_N_SERIES] = { 0 };

  if (!detour_host_serves_pages (self->host))
    return G_SOURCE_CONTINUE;
  detour_host_foreach_metric (self->host, http_debug_add, values);
  values[DEBUG_SERIES_MEMORY] = http_debug_memory ();
  g_mutex_lock (&self->ring_lock);
  debug_ring_note (self->ring, g_get_monotonic_time (), values);
  g_mutex_unlock (&self->ring_lock);
  return G_SOURCE_CONTINUE;
}

/* ---- requests: handshake pool ---------------------------------------------------------------- */

static void
http_debug_redirect (DetourHttpResponse *response, const char *path,
                     const DetourHttpRequest *request)
{
  const char *query = detour_http_request_query (request);
  g_autofree char *location = g_strconcat (path, query[0] != '\0' ? "?" : NULL, query, NULL);

  detour_http_response_set_status (response, 302);
  detour_http_response_add_header (response, "Location", location);
}

static void
http_debug_root (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  http_debug_redirect (response, "/debug/", request);
}

static void
http_debug_clients (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  http_debug_redirect (response, "/debug/clients/", request);
}

static void
http_debug_style (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  debug_pages_add_headers (response);
  detour_http_response_set_body (response, "text/css; charset=utf-8", debug_style, -1);
}

static void
http_debug_page (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  HttpDebug *self = user;
  const char *path = detour_http_request_path (request);

  for (const DebugPageClass *cls = debug_pages; cls->path != NULL; cls++)
    if (strcmp (cls->path, path) == 0)
      {
        debug_pages_ask (self->pages, cls, response);
        return;
      }
  detour_http_response_set_status (response, 404);
  detour_http_response_set_body (response, "text/plain; charset=utf-8", "there is no such page\n",
                                 -1);
}

#define PAGE(path, handle, flags)                                                    \
  {                                                                                  \
    path, DETOUR_HTTP_GET, DETOUR_SITE_ADMIN, handle, DETOUR_HTTP_PAGE | (flags), 0, \
  }
static const DetourHttpRoute http_debug_routes[] = {
  PAGE ("/", http_debug_root, 0),
  PAGE ("/debug", http_debug_root, 0),
  PAGE ("/debug/clients", http_debug_clients, 0),
  PAGE ("/debug/style.css", http_debug_style, 0),
  PAGE ("/debug/", http_debug_page, DETOUR_HTTP_BELOW),
  { NULL },
};

/* ---- start and stop -------------------------------------------------------------------------- */

static void
http_debug_stop (gpointer data)
{
  HttpDebug *self = data;

  debug_pages_free (self->pages);
  debug_ring_free (self->ring);
  g_mutex_clear (&self->ring_lock);
  g_free (self);
}

static gpointer
http_debug_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  HttpDebug *self = g_new0 (HttpDebug, 1);

  self->host = host;
  self->ring = debug_ring_new ();
  g_mutex_init (&self->ring_lock);
  self->pages = debug_pages_new (host, self->ring, &self->ring_lock);
  detour_host_add_timer (host, DEBUG_RING_STEP_US, http_debug_on_step, self);
  return self;
}

static GBytes *
http_debug_freeze (gpointer data)
{
  const HttpDebug *self = data;

  return debug_ring_freeze (self->ring);
}

static void
http_debug_thaw (gpointer data, const guint8 *frozen, gsize len)
{
  HttpDebug *self = data;
  gboolean good;

  g_mutex_lock (&self->ring_lock);
  good = debug_ring_thaw (self->ring, frozen, len);
  g_mutex_unlock (&self->ring_lock);
  if (!good)
    g_message ("the charts begin anew: those of the program before have another form");
}

static const DetourHttpFuncs http_debug_funcs = { http_debug_routes };

DETOUR_PLUGIN_DEFINE (.name = "http-debug", .kind = DETOUR_KIND_HTTP,
                      .summary = "shows operators pages about the relay, beside its metrics",
                      .start = http_debug_start, .freeze = http_debug_freeze,
                      .thaw = http_debug_thaw, .stop = http_debug_stop,
                      .funcs.http = &http_debug_funcs);
