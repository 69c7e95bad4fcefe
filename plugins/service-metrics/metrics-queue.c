/* metrics-queue.c: requests that wait for a text which only the main thread can write.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "metrics-queue.h"

/* Requests that wait at a time. */
#define QUEUE_MAX 64u
/* How long a text that was written is good for others. */
#define FRESH_US (10 * G_TIME_SPAN_MILLISECOND)

typedef struct {
  DetourHttpExchange *exchange;
  guint kind;
} Asker;

/* The text of a kind that was written last. Main thread. */
typedef struct {
  MetricsPage page;
  gint64 written_us;
} Written;

struct _MetricsQueue {
  DetourHost *host;
  MetricsWrite write;
  gpointer user;
  guint n_kinds;
  Written *written;

  GMutex lock;    /* of what follows */
  GArray *askers; /* of Asker; while there are any, a call to the main thread is on its way */
};

static void
metrics_queue_forget (Written *written)
{
  if (written->page.text != NULL)
    g_string_free (written->page.text, TRUE);
  written->page.text = NULL;
}

MetricsQueue *
metrics_queue_new (DetourHost *host, guint n_kinds, MetricsWrite write, gpointer user)
{
  MetricsQueue *self = g_new0 (MetricsQueue, 1);

  self->host = host;
  self->write = write;
  self->user = user;
  self->n_kinds = n_kinds;
  self->written = g_new0 (Written, n_kinds);
  self->askers = g_array_new (FALSE, FALSE, sizeof (Asker));
  g_mutex_init (&self->lock);
  return self;
}

void
metrics_queue_free (MetricsQueue *self)
{
  g_assert (self->askers->len == 0);
  for (guint i = 0; i < self->n_kinds; i++)
    metrics_queue_forget (&self->written[i]);
  g_free (self->written);
  g_array_unref (self->askers);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static GArray *
metrics_queue_take (MetricsQueue *self)
{
  GArray *askers;

  g_mutex_lock (&self->lock);
  askers = self->askers;
  self->askers = g_array_new (FALSE, FALSE, sizeof (Asker));
  g_mutex_unlock (&self->lock);
  return askers;
}

static const MetricsPage *
metrics_queue_page (MetricsQueue *self, guint kind)
{
  Written *written = &self->written[kind];

  if (written->page.text == NULL || g_get_monotonic_time () - written->written_us > FRESH_US)
    {
      metrics_queue_forget (written);
      self->write (self->user, kind, &written->page);
      written->written_us = g_get_monotonic_time ();
    }
  return &written->page;
}

static void
metrics_queue_answer (gpointer data)
{
  MetricsQueue *self = data;
  g_autoptr (GArray) askers = metrics_queue_take (self);

  for (guint i = 0; i < askers->len; i++)
    {
      const Asker *asker = &g_array_index (askers, Asker, i);
      DetourHttpResponse *response = detour_http_exchange_response (asker->exchange);

      if (!detour_http_exchange_is_gone (asker->exchange))
        {
          const MetricsPage *page = metrics_queue_page (self, asker->kind);

          detour_http_response_set_body (response, page->content_type, page->text->str,
                                         (gssize) page->text->len);
        }
      detour_http_exchange_send (asker->exchange);
    }
}

/* The instance stops; core has answered for it. */
static void
metrics_queue_drop (gpointer data)
{
  g_autoptr (GArray) askers = metrics_queue_take (data);

  for (guint i = 0; i < askers->len; i++)
    detour_http_exchange_send (g_array_index (askers, Asker, i).exchange);
}

void
metrics_queue_ask (MetricsQueue *self, guint kind, DetourHttpResponse *response)
{
  Asker asker = { NULL, kind };
  guint n;

  g_assert (kind < self->n_kinds);
  g_mutex_lock (&self->lock);
  n = self->askers->len;
  if (n < QUEUE_MAX)
    {
      asker.exchange = detour_http_response_hold (response);
      g_array_append_val (self->askers, asker);
    }
  g_mutex_unlock (&self->lock);
  if (n >= QUEUE_MAX)
    {
      detour_http_response_set_status (response, 503);
      /* All that wait are answered in one turn of the main thread. */
      detour_http_response_add_header (response, "Retry-After", "1");
      detour_http_response_set_body (response, "text/plain; charset=utf-8", "too many wait\n", -1);
    }
  else if (n == 0)
    detour_host_post (self->host, metrics_queue_answer, self, metrics_queue_drop);
}
