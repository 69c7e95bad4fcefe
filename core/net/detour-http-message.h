/* detour-http-message.h: core's side of the requests and responses that routes of plugins see.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a handler may do with them is in detour-plugin.h. Both belong to the thread that made them.
 */
#pragma once

#include <glib.h>
#include <sys/socket.h>

#include "detour-http-head.h"
#include "detour-plugin.h"

G_BEGIN_DECLS

/**
 * detour_http_request_new:
 * @head: parsed OK; copied, with the bytes it refers to
 * @peer: address of the TCP peer; copied
 * @flags: of the listener
 *
 * Free with detour_http_request_free().
 */
DetourHttpRequest *detour_http_request_new (const DetourHttpHead *head,
                                            const struct sockaddr_storage *peer,
                                            DetourListenerFlags flags);
void detour_http_request_free (DetourHttpRequest *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourHttpRequest, detour_http_request_free)

DetourListenerFlags detour_http_request_flags (const DetourHttpRequest *self);
/* Its `data` is a copy in which strings were ended with NUL: good for offsets and flags, not for
 * parsing again. */
const DetourHttpHead *detour_http_request_head (const DetourHttpRequest *self);
/* Host of an absolute target, else the header; "" when there is none. Only bytes legal in a host
 * and port. */
const char *detour_http_request_host (const DetourHttpRequest *self);

/* The body of the request, which was read; copied. It counts as used up, so that another request
 * may follow. */
void detour_http_request_set_body (DetourHttpRequest *self, const guint8 *data, gsize len);

/* Status 200, no headers, no body. Free with detour_http_response_free(). */
DetourHttpResponse *detour_http_response_new (void);
void detour_http_response_free (DetourHttpResponse *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourHttpResponse, detour_http_response_free)

/**
 * detour_http_response_set_error:
 * @status: 400 to 599
 * @text: one line without its end
 *
 * Makes @self the plain-text response of an error. Headers and body it had are forgotten; more may
 * be added.
 */
void detour_http_response_set_error (DetourHttpResponse *self, guint status, const char *text);

/* What a handler is given with the response, in case that it holds it. Before the handler is called
 * only. */
void detour_http_response_set_request (DetourHttpResponse *self, DetourHttpRequest *request);
/* detour_http_response_hold() was called: response and request belong to @exchange from now on.
 * Gives the request. */
DetourHttpRequest *detour_http_response_set_held (DetourHttpResponse *self,
                                                  DetourHttpExchange *exchange);
/* The exchange that the response belongs to, with the connection's reference; NULL: it is not held.
 * Request and response are not the caller's to free then. */
DetourHttpExchange *detour_http_response_held (const DetourHttpResponse *self);

/* Makes @self the answer to a request for another protocol: 101 with that word as Upgrade. A
 * handler may make it 200, which then has no length: what follows is the other protocol. */
void detour_http_response_begin_upgrade (DetourHttpResponse *self, const char *protocol);
/* It is an ordinary answer after all; one that nobody filled in becomes 400. */
void detour_http_response_refuse_upgrade (DetourHttpResponse *self);

/* Takes the tunnel that the response begins; FALSE: it begins none. Without this, one that is there
 * ends with the response. */
gboolean detour_http_response_take_tunnel (DetourHttpResponse *self, DetourHttpTunnel *tunnel);

guint detour_http_response_status (const DetourHttpResponse *self);

/**
 * detour_http_response_keeps_alive:
 * @request: (nullable): what is answered; NULL: it could not be parsed
 *
 * Returns: TRUE when the connection stays open after the response, by the wish of peer and handler.
 */
gboolean detour_http_response_keeps_alive (const DetourHttpResponse *self,
                                           const DetourHttpRequest *request);

/**
 * detour_http_response_to_bytes:
 * @request: (nullable): what is answered; NULL: it could not be parsed
 * @real_us: Unix time in microseconds, for Date
 *
 * Returns: (transfer full): status line, headers and body as they go on the wire; what they say of
 * the connection is detour_http_response_keeps_alive().
 */
GByteArray *detour_http_response_to_bytes (const DetourHttpResponse *self,
                                           const DetourHttpRequest *request, gint64 real_us);

G_END_DECLS
