/* detour-http-exchange.c: a request whose answer comes later, from any thread.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-http-exchange.h"

/* Beside the body: the exchange, head and response. */
#define EXCHANGE_BYTES 2048u

struct _DetourHttpExchange {
  gatomicrefcount refs;
  DetourHttpRequest *request;
  DetourHttpResponse *response; /* what the plugin fills in */
  DetourHttpHoldings *holdings; /* NULL: what it holds is not counted */
  gsize n_counted;

  GMutex lock;                   /* of what follows */
  DetourHttpResponse *cancelled; /* of core, in place of the plugin's; NULL: none */
  gboolean is_answered;
  gboolean is_left;            /* the connection is gone */
  DetourHttpExchangeFunc func; /* NULL: nobody waits */
  gpointer user;
};

DetourHttpHoldings *
detour_http_holdings_new (void)
{
  return g_atomic_rc_box_new0 (DetourHttpHoldings);
}

void
detour_http_holdings_unref (DetourHttpHoldings *self)
{
  g_atomic_rc_box_release (self);
}

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
  if (self->holdings != NULL)
    __atomic_fetch_sub (&self->holdings->n, self->n_counted, __ATOMIC_RELAXED);
  g_clear_pointer (&self->holdings, detour_http_holdings_unref);
  g_clear_pointer (&self->cancelled, detour_http_response_free);
  detour_http_response_free (self->response);
  detour_http_request_free (self->request);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
detour_http_exchange_count (DetourHttpExchange *self, DetourHttpHoldings *holdings)
{
  g_assert (self->holdings == NULL);
  detour_http_request_body (self->request, &self->n_counted);
  self->n_counted += EXCHANGE_BYTES;
  self->holdings = g_atomic_rc_box_acquire (holdings);
  __atomic_fetch_add (&holdings->n, self->n_counted, __ATOMIC_RELAXED);
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
