/* debug-pages.c: the thread that writes pages, and the requests that wait for it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-pages.h"

#include <string.h>

#include "debug-link.h"

/* The connection to the daemon is closed when nobody asked for so long. */
#define REST_US (30 * G_USEC_PER_SEC)

typedef struct {
  DetourHttpExchange *exchange; /* NULL: the thread ends */
  const DebugPageClass *cls;
} Job;

struct _DebugPages {
  DetourHost *host;
  const DebugRing *ring;
  GMutex *ring_lock;
  GCancellable *cancellable;
  DebugLink *link;
  PageWords *words;  /* NULL: not read yet; thread of the pages */
  GAsyncQueue *jobs; /* of Job */

  GMutex lock;     /* of what follows */
  GThread *thread; /* NULL: nobody asked yet */
  guint n_waiting;
};

DebugPages *
debug_pages_new (DetourHost *host, const DebugRing *ring, GMutex *ring_lock)
{
  DebugPages *self = g_new0 (DebugPages, 1);

  self->host = host;
  self->ring = ring;
  self->ring_lock = ring_lock;
  self->cancellable = g_cancellable_new ();
  self->link = debug_link_new (host, self->cancellable);
  self->jobs = g_async_queue_new_full (g_free);
  g_mutex_init (&self->lock);
  return self;
}

/* ---- the thread ------------------------------------------------------------------------------ */

void
debug_pages_add_headers (DetourHttpResponse *response)
{
  detour_http_response_add_header (
      response, "Content-Security-Policy",
      "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
      "frame-ancestors 'none'");
  detour_http_response_add_header (response, "X-Content-Type-Options", "nosniff");
  detour_http_response_add_header (response, "X-Frame-Options", "DENY");
  /* The query may have the key. */
  detour_http_response_add_header (response, "Referrer-Policy", "no-referrer");
  detour_http_response_add_header (response, "Cross-Origin-Resource-Policy", "same-origin");
}

static void
debug_pages_write (DebugPages *self, const DebugPageClass *cls, const DetourHttpRequest *request,
                   DetourHttpResponse *response)
{
  g_autoptr (DebugQuery) query = debug_query_new (detour_http_request_query (request));
  g_autoptr (GString) out = g_string_sized_new (16384);
  const char *accept = detour_http_request_header (request, "Accept");
  gboolean is_plain;
  DebugPage page = {
    .html = { out,
              page_words_choose (self->words,
                                 detour_http_request_header (request, "Accept-Language")),
              debug_query_get (query, "debugkey") },
    .query = query,
    .source = debug_link_begin (self->link),
    .ring = self->ring,
    .ring_lock = self->ring_lock,
    .now_us = g_get_real_time (),
    .status = 200,
  };

  is_plain = cls->write_plain != NULL && (accept == NULL || strstr (accept, "text/html") == NULL);
  if (is_plain)
    debug_page_write_plain (&page, cls);
  else
    debug_page_write (&page, cls);
  detour_http_response_set_status (response, page.status);
  /* The daemon did not answer in time, or had no descriptor for it. */
  if (page.status == 503)
    detour_http_response_add_header (response, "Retry-After", "5");
  debug_pages_add_headers (response);
  detour_http_response_add_header (response, "Vary", "Accept, Accept-Language");
  detour_http_response_set_body (
      response, is_plain ? "text/plain; charset=utf-8" : "text/html; charset=utf-8", out->str,
      (gssize) out->len);
}

static void
debug_pages_work (DebugPages *self, const Job *job)
{
  if (!detour_http_exchange_is_gone (job->exchange))
    {
      if (self->words == NULL)
        self->words = page_words_new (detour_host_locale_directory (self->host));
      debug_pages_write (self, job->cls, detour_http_exchange_request (job->exchange),
                         detour_http_exchange_response (job->exchange));
    }
  detour_http_exchange_send (job->exchange);
  g_mutex_lock (&self->lock);
  self->n_waiting--;
  g_mutex_unlock (&self->lock);
}

static gpointer
debug_pages_run (gpointer data)
{
  DebugPages *self = data;
  gboolean is_over = FALSE;

  while (!is_over)
    {
      g_autofree Job *job = g_async_queue_timeout_pop (self->jobs, REST_US);

      if (job == NULL)
        {
          debug_link_rest (self->link);
          job = g_async_queue_pop (self->jobs);
        }
      is_over = job->exchange == NULL;
      if (!is_over)
        debug_pages_work (self, job);
    }
  debug_link_rest (self->link);
  return NULL;
}

void
debug_pages_free (DebugPages *self)
{
  g_cancellable_cancel (self->cancellable);
  if (self->thread != NULL)
    {
      g_async_queue_push (self->jobs, g_new0 (Job, 1));
      g_thread_join (self->thread);
    }
  debug_link_free (self->link);
  g_clear_pointer (&self->words, page_words_free);
  g_async_queue_unref (self->jobs);
  g_object_unref (self->cancellable);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* Under the lock. Whether there is a thread now. */
static gboolean
debug_pages_start (DebugPages *self)
{
  if (self->thread == NULL)
    self->thread = g_thread_try_new ("pages", debug_pages_run, self, NULL);
  return self->thread != NULL;
}

void
debug_pages_ask (DebugPages *self, const DebugPageClass *cls, DetourHttpResponse *response)
{
  gboolean may_wait;

  g_mutex_lock (&self->lock);
  may_wait = self->n_waiting < DEBUG_PAGES_WAITING_MAX && debug_pages_start (self);
  if (may_wait)
    {
      Job *job = g_new0 (Job, 1);

      job->exchange = detour_http_response_hold (response);
      job->cls = cls;
      self->n_waiting++;
      g_async_queue_push (self->jobs, job);
    }
  g_mutex_unlock (&self->lock);
  if (may_wait)
    return;
  detour_http_response_set_status (response, 503);
  /* Those that wait are through by then, but for those that watch a client. */
  detour_http_response_add_header (response, "Retry-After", "2");
  detour_http_response_set_body (response, "text/plain; charset=utf-8", "too many wait\n", -1);
}
