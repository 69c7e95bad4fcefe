/* detour-handshake-phase.h: the phases of a connection before it is registered, as functions from
 * bytes to a verdict.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A phase knows no socket, no clock and no connection. It is shown all bytes that have come and
 * were not used yet, says which state comes next, how many bytes that took, and what the peer must
 * get. detour-handshake-io.c carries that out. */
#pragma once

#include "detour-channel.h"
#include "detour-handshake-state.h"
#include "detour-http-routes.h"
#include "detour-http-upgrade.h"
#include "detour-key.h"
#include "detour-listener.h"
#include "detour-login.h"

G_BEGIN_DECLS

typedef struct {
  DetourHandshakeState next;    /* the state of the phase itself: it needs more bytes */
  gsize used;                   /* bytes that are not to be shown again */
  DetourClose reason;           /* next is CLOSED, or will be once the last answer was read: why */
  const char *why;              /* next is CLOSED: a static text for the log, or NULL */
  DetourHttpExchange *exchange; /* next is PENDING: (transfer full): the answer that is owed */
  DetourChannel upper; /* next is LOGIN: what is put over the channel behind the reply; no class:
                          nothing */
  const DetourForwardTarget *target; /* next is CLOSED: where it is handed on to; NULL: nowhere */
  struct sockaddr_storage peer; /* the client's own address, from a proxy; AF_UNSPEC: the peer's */
} DetourHandshakeVerdict;

/**
 * detour_handshake_proxy_read:
 * @data: of a trusted proxy: everything since the first byte of the connection
 *
 * State PROXY. When the next state is RECORD the bytes behind `used` are the client's, and the
 * connection is of `peer` from now on.
 */
DetourHandshakeVerdict detour_handshake_proxy_read (const guint8 *data, gsize len,
                                                    DetourProxyMode mode);

/**
 * detour_handshake_hello_read:
 * @room: DETOUR_HELLO_NAME_MESSAGE_MAX bytes
 *
 * State HELLO. No byte is used: whoever gets the connection gets all of them.
 */
DetourHandshakeVerdict detour_handshake_hello_read (const guint8 *data, gsize len,
                                                    const DetourForwardTable *table, guint8 *room);

/**
 * detour_handshake_record_read:
 * @channel: goes on with its handshake, and settles when that is over
 * @data: may be none of 0, with which a channel that speaks first begins
 * @scratch: with room of DETOUR_CHANNEL_FEED_SLACK bytes or more
 * @sealed: where to append what the peer must get, a last alert included
 *
 * State RECORD. Bytes that were not used when the next state is HEAD are records.
 */
DetourHandshakeVerdict detour_handshake_record_read (DetourChannel *channel, const guint8 *data,
                                                     gsize len, DetourBuffer *scratch,
                                                     GByteArray *sealed);

/* What a request is answered from. */
typedef struct {
  DetourHttpRoutes *routes;
  const DetourKey *server_key;
  const struct sockaddr_storage *peer;
  DetourListenerFlags flags; /* of the listener */
  /* Its trusted proxies, one of which has sent the request; NULL: nobody vouches for a client. */
  const DetourListener *proxies;
  gboolean is_last; /* no request is read after this one */
  gint64 real_us;   /* Unix time */
} DetourHandshakeContext;

/**
 * detour_handshake_http_read:
 * @head: begun with detour_http_head_init() for the first byte of the request
 * @reply: plain text for the peer is appended
 * @upgrade: (out): next is LOGIN: how the request became DERP
 *
 * State HEAD: one request is answered, or becomes DERP. A proxy may use one connection for requests
 * of several clients, so `peer` is that of this request only; but behind LOGIN comes no other.
 */
DetourHandshakeVerdict detour_handshake_http_read (DetourHttpHead *head, const guint8 *data,
                                                   gsize len, const DetourHandshakeContext *context,
                                                   GByteArray *reply, DetourHttpUpgrade *upgrade);

/**
 * detour_handshake_http_answer_later:
 * @exchange: answered
 * @is_last: no request is read after this one
 *
 * State PENDING: the answer has come. Gives the next state, ANSWERING or PARTING.
 */
DetourHandshakeState detour_handshake_http_answer_later (DetourHttpExchange *exchange,
                                                         gboolean is_last, gint64 real_us,
                                                         GByteArray *reply);

/* The first frame of DERP, behind the answer to an upgrade. */
void detour_handshake_http_greet (const DetourKey *server_key, GByteArray *reply);

/**
 * detour_handshake_login_read:
 * @server_secret: 32 bytes
 * @mesh_key: (nullable): 32 bytes
 * @login: (out): next is ASKING: who it is
 *
 * State LOGIN.
 */
DetourHandshakeVerdict detour_handshake_login_read (guint8 *data, gsize len,
                                                    const guint8 *server_secret,
                                                    const guint8 *mesh_key, DetourLogin *login);

G_END_DECLS
