/* detour-handshake-private.h: a connection before it is registered, for the files that carry it
 * along.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-address.h"
#include "detour-handshake-phase.h"
#include "detour-handshake-pool-private.h"

G_BEGIN_DECLS

/* Waits for the verdict of the admission; detour-handshake-asking.c. */
typedef struct _DetourHandshakeAsking DetourHandshakeAsking;

/* Everything belongs to the thread, but `place` and the links of lists that the pool's lock
 * guards. */
struct _DetourHandshake {
  DetourIo io;
  DetourTimer timer;
  DetourHandshakeThread *thread;
  DetourListener *listener;
  DetourHandshakeGate *gate;
  DetourChannel channel;
  DetourHandshakeState state;
  guint64 number;                 /* of the connection, for people */
  struct sockaddr_storage peer;   /* the client, as far as it is known */
  struct sockaddr_storage *proxy; /* that has handed the connection on; NULL: nobody has */
  gboolean is_touched;            /* something was read of it, or written to it */
  gboolean is_trusted;            /* the peer at the other end may say whose connection it is */
  DetourAddressKey address_key;   /* by which the backlog counts it */
  DetourAddressKey counted;       /* by which connections of an address are counted */
  gint64 accepted_us;
  gint64 asked_us;      /* when the admission was asked last, or would have been */
  gint64 http_until_us; /* when the time for all its requests is over; 0: not begun */
  guint n_requests;
  DetourClose parting;       /* why it ends once the last answer was read */
  DetourHttpUpgrade upgrade; /* by which its request became DERP */
  GByteArray *plain;         /* opened, not used yet */
  GByteArray *out;           /* sealed, not sent yet */
  guint64 n_bytes;           /* counted as memory that it holds */
  guint64 *account;          /* in which they are counted; NULL: nowhere */
  DetourHttpHead head;
  DetourLogin login;
  DetourTenant *tenant;          /* of the client that has logged in; NULL: none */
  DetourAuthRequest *request;    /* NULL: the admission was not asked yet */
  DetourHandshakeAsking *asking; /* NULL: it is not asked now */
  DetourHttpExchange *exchange;  /* state PENDING: the answer that is owed; NULL otherwise */
  GList link;                    /* of all of the thread */
  DetourTurn turn;               /* state NEXT */
  DetourHalfOpenEntry place;
  GList held_link;    /* of those that are held */
  GList decided_link; /* of those that must hear of a decision; `data` is NULL: not on the list */
};

/* The only function that changes the state; see detour-handshake-state.h. Enter CLOSED with
 * detour_handshake_close() or detour_handshake_retire(). */
void detour_handshake_enter (DetourHandshake *self, DetourHandshakeState next);
/* Enters CLOSED and leaves the descriptor, the channel and the count of its address to the caller,
 * who gives them to a worker. */
void detour_handshake_retire (DetourHandshake *self);

/**
 * detour_handshake_set_client:
 * @client: as a trusted proxy says
 *
 * The connection is that client's from now on, wherever addresses count.
 *
 * Returns: FALSE when the client has as many connections as it may have, or its network is banned,
 *   and this one is closed.
 */
gboolean detour_handshake_set_client (DetourHandshake *self, const struct sockaddr_storage *client);
/* The connection stays here: the record layer begins, with the bytes that came already. */
void detour_handshake_begin_record (DetourHandshake *self);
/* The forwarder takes the connection for @target; it is no handshake any more. */
void detour_handshake_forward (DetourHandshake *self, const DetourForwardTarget *target);
/* So it does for @tunnel, whose client has its answer in `out`. @host: and port, as it asked. */
void detour_handshake_tunnel (DetourHandshake *self, const DetourHttpTunnel *tunnel,
                              const char *host);
/* State PROXY: reads what came. */
void detour_handshake_look_for_header (DetourHandshake *self);
/* State HELLO: looks at what came. */
void detour_handshake_look_at_hello (DetourHandshake *self);
/* The client's address is known, or no proxy will tell it: the connection gets a place, or waits
 * for one. */
void detour_handshake_arrive (DetourHandshake *self);
/* The client's address, and the proxy's where there is one; @out has
 * DETOUR_HANDSHAKE_ADDRESSES_MAX bytes. */
#define DETOUR_HANDSHAKE_ADDRESSES_MAX (2 * DETOUR_ADDRESS_TEXT_MAX + 10)
const char *detour_handshake_format_addresses (const DetourHandshake *self, char *out);

/* What the socket is watched for, as state and output have it. */
void detour_handshake_watch (DetourHandshake *self);
/* Counts the memory that the connection holds. */
void detour_handshake_weigh (DetourHandshake *self);
/* A peer that gets no goodbye of its record layer takes the end for an attack. FALSE with errno:
 * it was not sent. */
gboolean detour_handshake_say_goodbye (DetourHandshake *self);
gint64 detour_handshake_now_us (const DetourHandshake *self);

/* In detour-handshake-io.c: the socket is ready. */
void detour_handshake_on_ready (DetourLoop *loop, DetourIo *io, guint32 events);
/* State RECORD: the bytes that were kept for the record layer, or none, are its first input. */
void detour_handshake_take_kept (DetourHandshake *self);
/* State PENDING: nobody waited long enough for the route; the answer is not wanted any more. */
void detour_handshake_answer_in_its_place (DetourHandshake *self);
void detour_handshake_drop_exchange (DetourHandshake *self);

/* In detour-handshake-asking.c: the login holds: state ASKING; the verdict is not wanted any more.
 */
void detour_handshake_ask (DetourHandshake *self);
void detour_handshake_stop_asking (DetourHandshake *self);

G_END_DECLS
