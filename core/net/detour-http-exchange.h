/* detour-http-exchange.h: a request whose answer comes later, from any thread.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two have a part in it: the plugin, which owes the answer, and the connection, which waits for it.
 * Either may be gone before the other. What a plugin may do is in detour-plugin.h; this is core's
 * side. */
#pragma once

#include "detour-http-message.h"

G_BEGIN_DECLS

DetourHttpExchange *detour_http_exchange_ref (DetourHttpExchange *self);
void detour_http_exchange_unref (DetourHttpExchange *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourHttpExchange, detour_http_exchange_unref)

/* Bytes of requests that exchanges hold; any thread. It is there as long as one of them is. */
typedef struct {
  guint64 n; /* atomic */
} DetourHttpHoldings;

DetourHttpHoldings *detour_http_holdings_new (void);
void detour_http_holdings_unref (DetourHttpHoldings *self);

/* What @self holds counts in @holdings from now on, until both the plugin and the connection are
 * done with it. To be called once. */
void detour_http_exchange_count (DetourHttpExchange *self, DetourHttpHoldings *holdings);

/* Called with a lock of the exchange held, on any thread: it must only pass the word on. */
typedef void (*DetourHttpExchangeFunc) (DetourHttpExchange *self, gpointer user);

/**
 * detour_http_exchange_wait:
 * @func: called once, when the answer is there; not after detour_http_exchange_leave()
 *
 * The connection waits.
 *
 * Returns: FALSE when the answer is there already: @func is not called.
 */
gboolean detour_http_exchange_wait (DetourHttpExchange *self, DetourHttpExchangeFunc func,
                                    gpointer user);
/* What the connection gave with detour_http_exchange_wait(); NULL after
 * detour_http_exchange_leave(). For the thread of the connection. */
gpointer detour_http_exchange_user (DetourHttpExchange *self);
/* The connection does not wait any more. */
void detour_http_exchange_leave (DetourHttpExchange *self);

/* Any thread: the answer is @status with a line of text, unless there is one already. What the
 * plugin sends afterwards is dropped. */
void detour_http_exchange_cancel (DetourHttpExchange *self, guint status, const char *text);

gboolean detour_http_exchange_is_answered (DetourHttpExchange *self);

/* The answer is there: what goes on the wire. */
const DetourHttpRequest *detour_http_exchange_answered_request (const DetourHttpExchange *self);
DetourHttpResponse *detour_http_exchange_answer (const DetourHttpExchange *self);

G_END_DECLS
