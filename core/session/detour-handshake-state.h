/* detour-handshake-state.h: the states of a connection before it is registered, as a table.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * detour_handshake_enter() does what the row of a state says, and nothing else changes a state,
 * lists, counts, the timer or what the socket is watched for. A new state is a row here, an arrow
 * in doc/architecture.md, and a case in detour-handshake-io.c that gives its bytes to a phase. */
#pragma once

#include "detour-close.h"
#include "detour-half-open.h"

G_BEGIN_DECLS

/* What may arrive in each state. */
typedef enum {
  DETOUR_HANDSHAKE_ARRIVED,   /* nothing yet: it was accepted a moment ago */
  DETOUR_HANDSHAKE_PROXY,     /* the header of the PROXY protocol, from a trusted proxy */
  DETOUR_HANDSHAKE_UNHEARD,   /* its first bytes, which are not read: no place is free */
  DETOUR_HANDSHAKE_WAITING,   /* nothing is read: it has sent something and waits for a place */
  DETOUR_HANDSHAKE_HELLO,     /* a ClientHello, of which only the name is read */
  DETOUR_HANDSHAKE_RECORD,    /* bytes of the record layer's handshake */
  DETOUR_HANDSHAKE_AWAITING,  /* nothing is read: a certificate is expected */
  DETOUR_HANDSHAKE_HEAD,      /* an HTTP head */
  DETOUR_HANDSHAKE_PENDING,   /* nothing is read: a route answers later */
  DETOUR_HANDSHAKE_ANSWERING, /* nothing is read: the response is being written */
  DETOUR_HANDSHAKE_PARTING,   /* the same, and the response is the last one */
  DETOUR_HANDSHAKE_IDLE,      /* another request, if the peer has one */
  DETOUR_HANDSHAKE_NEXT,      /* nothing is read: another request is there and waits for its turn */
  DETOUR_HANDSHAKE_LINGERING, /* anything; thrown away, so that the peer can read the response */
  DETOUR_HANDSHAKE_LOGIN,     /* the ClientInfo frame */
  DETOUR_HANDSHAKE_ASKING,    /* nothing is read: the admission is asked */
  DETOUR_HANDSHAKE_HELD,      /* nothing is read: refused */
  DETOUR_HANDSHAKE_ASKING_AGAIN, /* nothing is read: refused, and the admission is asked once more
                                  */
  DETOUR_HANDSHAKE_CLOSED,       /* nothing: its memory waits for the end of the round */
  DETOUR_HANDSHAKE_N_STATES,
} DetourHandshakeState;

/* The list that a connection is on, and so what it counts as: counts are lengths of these lists. */
typedef enum {
  DETOUR_HANDSHAKE_LIST_NONE,
  DETOUR_HANDSHAKE_LIST_PREFACE,   /* of the listener: whose it is will be known later */
  DETOUR_HANDSHAKE_LIST_WAITING,   /* in the backlog, without a place */
  DETOUR_HANDSHAKE_LIST_HALF_OPEN, /* in the backlog, with a place */
  DETOUR_HANDSHAKE_LIST_HELD,      /* of the pool */
} DetourHandshakeList;

/* The time after which the state ends by itself. */
typedef enum {
  DETOUR_HANDSHAKE_LIMIT_NONE,       /* somebody else has one */
  DETOUR_HANDSHAKE_LIMIT_SAME,       /* the limit of the state before goes on */
  DETOUR_HANDSHAKE_LIMIT_FIRST_WORD, /* 3 s, or handshake-timeout if that is shorter */
  DETOUR_HANDSHAKE_LIMIT_HANDSHAKE,  /* handshake-timeout, and no longer than http-time in all */
  DETOUR_HANDSHAKE_LIMIT_ANSWER,     /* 30 s, after which core answers itself */
  DETOUR_HANDSHAKE_LIMIT_LINGER,     /* 2 s */
  DETOUR_HANDSHAKE_LIMIT_LOGIN,      /* login-timeout */
  DETOUR_HANDSHAKE_LIMIT_HOLD,       /* refuse-hold */
} DetourHandshakeLimit;

typedef struct {
  const char *name; /* as in the documentation */
  guint32 next;     /* one bit for each state that may follow */
  DetourHandshakeList list;
  /* What the backlog is told: how soon its place may be taken. NONE: nothing. */
  DetourHalfOpenStage stage;
  guint32 events; /* of epoll; EPOLLOUT comes to them while output waits */
  DetourHandshakeLimit limit;
  DetourClose reason;    /* with which the limit closes */
  guint32 channel_bytes; /* that a record layer holds at most, if there is one */
  gboolean is_sealed;    /* the record layer's handshake is over, so it has to say goodbye */
} DetourHandshakeRow;

const DetourHandshakeRow *detour_handshake_row (DetourHandshakeState state);
gboolean detour_handshake_may_follow (DetourHandshakeState state, DetourHandshakeState next);
/* Whether the state takes bytes. */
gboolean detour_handshake_reads (DetourHandshakeState state);

G_END_DECLS
