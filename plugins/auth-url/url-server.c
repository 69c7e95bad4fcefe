/* url-server.c: how one admission server is doing.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "url-server.h"

#include <string.h>

#include "answering.h"
#include "web-address.h"

/* A server that failed is asked last for so long, unless it is seen to be well before. */
#define ASIDE_US (30 * G_TIME_SPAN_SECOND)
/* More is not believed. */
#define RETRY_AFTER_MAX_S 60

#define LOOK_EVERY_US            (60 * G_TIME_SPAN_SECOND)
#define LOOK_IN_TROUBLE_LEAST_US (2 * G_TIME_SPAN_SECOND)
#define LOOK_IN_TROUBLE_MOST_US  (15 * G_TIME_SPAN_SECOND)

UrlServer *
url_server_new (const char *url)
{
  UrlServer *self = g_new0 (UrlServer, 1);

  self->url = g_strdup (url);
  self->host = web_address_host (url);
  return self;
}

void
url_server_free (UrlServer *self)
{
  g_free (self->url);
  g_free (self->host);
  g_free (self->trouble);
  g_free (self->question);
  g_free (self);
}

void
url_server_note_good (UrlServer *self, guint status, gint64 elapsed_us)
{
  g_clear_pointer (&self->trouble, g_free);
  self->failed_us = self->retry_us = 0;
  self->n_silent = 0;
  g_clear_pointer (&self->question, g_free);
  self->look_us = g_get_monotonic_time () + LOOK_EVERY_US;
  if (status == 0)
    return;
  self->latency_us = self->latency_us == 0 ? elapsed_us
                                           : self->latency_us + (elapsed_us - self->latency_us) / 8;
  self->has_allowed |= status == 200;
  self->odd_status = self->has_allowed ? 0 : status;
}

void
url_server_note_bad (UrlServer *self, const char *reason, const char *question,
                     gint64 retry_after_s)
{
  gint64 now_us = g_get_monotonic_time ();
  gint64 wait_us = CLAMP (retry_after_s, 0, RETRY_AFTER_MAX_S) * G_TIME_SPAN_SECOND;

  if (self->trouble == NULL)
    {
      self->failed_us = now_us;
      self->trouble_since_us = g_get_real_time ();
    }
  g_free (self->trouble);
  self->trouble = g_strdup (reason);
  self->retry_us = now_us + MAX (ASIDE_US, wait_us);
  self->look_us = now_us
                + MAX (wait_us, CLAMP ((now_us - self->failed_us) / 4, LOOK_IN_TROUBLE_LEAST_US,
                                       LOOK_IN_TROUBLE_MOST_US));
  if (question != NULL && question != self->question)
    {
      g_free (self->question);
      self->question = g_strdup (question);
    }
}

char *
url_server_trouble (const UrlServer *self)
{
  if (self->trouble == NULL)
    return self->odd_status == 0
             ? NULL
             : g_strdup_printf ("%s has let nobody in yet and refuses with status %u; is the "
                                "path of its URL right?",
                                self->host, self->odd_status);
  return answering_since (self->trouble, self->trouble_since_us);
}

UrlServer *
url_server_choose (const GPtrArray *servers, guint64 tried, guint *index)
{
  UrlServer *best = NULL;
  gint64 now_us = g_get_monotonic_time (), best_us = 0;

  for (guint i = 0; i < servers->len; i++)
    {
      UrlServer *server = servers->pdata[i];
      gint64 retry_us = server->retry_us > now_us ? server->retry_us : 0;

      if ((tried & (G_GUINT64_CONSTANT (1) << i)) != 0 || (best != NULL && retry_us >= best_us))
        continue;
      best = server;
      best_us = retry_us;
      *index = i;
    }
  return best;
}
