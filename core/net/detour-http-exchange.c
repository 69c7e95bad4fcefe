/* detour-http-exchange.c: a request whose answer comes later, from any thread.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-http-exchange.h"

struct _DetourHttpExchange {
  gatomicrefcount refs;
  DetourHttpRequest *request;
  DetourHttpResponse *response; /* what the plugin fills in */

  GMutex lock;                   /* of what follows */
  DetourHttpResponse *cancelled; /* of core, in place of the plugin's; NULL: none */
  gboolean is_answered;
  gboolean is_left;            /* the connection is gone */
  DetourHttpExchangeFunc func; /* NULL: nobody waits */
  gpointer user;
};

DetourHttpExchange *
detour_http_response_hold (DetourHttpResponse *response)
{
  DetourHttpExchange *self = g_new0 (DetourHttpExchange, 1);

  g_atomic_ref_count_init (&self->refs);
  g_mutex_init (&self->lock);
  self->response = response;
  /* One reference is the plugin's, which detour_http_exchange_send() gives back; the other one is
   * the connection's. */
  self->request = detour_http_response_set_held (response, detour_http_exchange_ref (self));
  return self;
}

DetourHttpExchange *
detour_http_exchange_ref (DetourHttpExchange *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
detour_http_exchange_unref (DetourHttpExchange *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_clear_pointer (&self->cancelled, detour_http_response_free);
  detour_http_response_free (self->response);
  detour_http_request_free (self->request);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* With the lock. */
static void
http_exchange_settle (DetourHttpExchange *self)
{
  self->is_answered = TRUE;
  if (self->func != NULL)
    self->func (self, self->user);
  self->func = NULL;
}

void
detour_http_exchange_send (DetourHttpExchange *self)
{
  g_mutex_lock (&self->lock);
  if (!self->is_answered)
    http_exchange_settle (self);
  g_mutex_unlock (&self->lock);
  detour_http_exchange_unref (self);
}

void
detour_http_exchange_cancel (DetourHttpExchange *self, guint status, const char *text)
{
  g_mutex_lock (&self->lock);
  if (!self->is_answered)
    {
      self->cancelled = detour_http_response_new ();
      detour_http_response_set_error (self->cancelled, status, text);
      http_exchange_settle (self);
    }
  g_mutex_unlock (&self->lock);
}

gboolean
detour_http_exchange_wait (DetourHttpExchange *self, DetourHttpExchangeFunc func, gpointer user)
{
  gboolean waits;

  g_mutex_lock (&self->lock);
  waits = !self->is_answered;
  if (waits)
    {
      self->func = func;
      self->user = user;
    }
  g_mutex_unlock (&self->lock);
  return waits;
}

gpointer
detour_http_exchange_user (DetourHttpExchange *self)
{
  gpointer user;

  g_mutex_lock (&self->lock);
  user = self->user;
  g_mutex_unlock (&self->lock);
  return user;
}

void
detour_http_exchange_leave (DetourHttpExchange *self)
{
  g_mutex_lock (&self->lock);
  self->func = NULL;
  self->user = NULL;
  self->is_left = TRUE;
  g_mutex_unlock (&self->lock);
}

gboolean
detour_http_exchange_is_answered (DetourHttpExchange *self)
{
  gboolean is_answered;

  g_mutex_lock (&self->lock);
  is_answered = self->is_answered;
  g_mutex_unlock (&self->lock);
  return is_answered;
}

gboolean
detour_http_exchange_is_gone (DetourHttpExchange *self)
{
  gboolean is_gone;

  g_mutex_lock (&self->lock);
  is_gone = self->is_left || self->is_answered;
  g_mutex_unlock (&self->lock);
  return is_gone;
}

const DetourHttpRequest *
detour_http_exchange_request (DetourHttpExchange *self)
{
  return self->request;
}

DetourHttpResponse *
detour_http_exchange_response (DetourHttpExchange *self)
{
  return self->response;
}

const DetourHttpRequest *
detour_http_exchange_answered_request (const DetourHttpExchange *self)
{
  return self->request;
}

DetourHttpResponse *
detour_http_exchange_answer (const DetourHttpExchange *self)
{
  return self->cancelled != NULL ? self->cancelled : self->response;
}
