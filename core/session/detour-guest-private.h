/* detour-guest-private.h: the inside of a guest, for its parts: the connection itself, its HTTP,
 * its login.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-http-head.h"
#include "detour-login.h"
#include "detour-handshake-pool-private.h"

G_BEGIN_DECLS

/* What may arrive in each state, and the time limit that runs. */
typedef enum {
  DETOUR_GUEST_WAITING,   /* its first bytes, which are not read: too many are half open; see
                             detour-guest-turn.c */
  DETOUR_GUEST_HANDSHAKE, /* bytes of the record layer's handshake; handshake-timeout from its
                             beginning */
  DETOUR_GUEST_HEAD, /* an HTTP head; the same limit goes on, or starts anew for a further request
                      */
  DETOUR_GUEST_ANSWERING, /* nothing: the response is being written; handshake-timeout */
  DETOUR_GUEST_LINGERING, /* anything, thrown away, so that the peer still reads the response; see
                             detour-guest-http.c */
  DETOUR_GUEST_LOGIN,     /* the ClientInfo frame; login-timeout */
  DETOUR_GUEST_ASKING,    /* nothing is read; the admission has its own limit */
  DETOUR_GUEST_HELD,      /* nothing is read: refused; refuse-hold */
  DETOUR_GUEST_CLOSED,    /* its memory waits for the end of the round */
  DETOUR_GUEST_N_STATES,
} DetourGuestState;

/* Whether a guest may begin, or what there is too much of. */
typedef enum {
  DETOUR_TURN_NOW,
  DETOUR_TURN_TOO_MANY,      /* half open ones in all */
  DETOUR_TURN_TOO_MANY_HERE, /* half open ones from its address */
} DetourTurn;

/* A question to the admission that is out; detour-guest-login.c. */
typedef struct _DetourTicket DetourTicket;

struct _DetourGuest {
  DetourIo io;
  DetourTimer timer;
  DetourHandshakeThread *thread;
  DetourListener *listener;
  DetourChannel channel;
  DetourGuestState state;
  gboolean is_half_open; /* counted as such */
  gboolean has_spoken;
  gboolean has_been_told; /* something was sent to it */
  DetourTurn turn;        /* while it waits: why */
  gint64 active_us;       /* when something came last */
  guint64 number;
  struct sockaddr_storage peer;
  DetourSource half_open, source;
  GList link;           /* of all */
  GList half_open_link; /* of those that are half open */
  GList queue_link;     /* of those that wait, or of those that are held */
  GByteArray *plain;    /* opened, not used yet */
  GByteArray *out;      /* sealed, not sent yet */
  gboolean close_after;
  gboolean is_bad_head; /* the last answer says what is wrong with the request */
  gboolean not_ideal;
  DetourHttpHead head;
  DetourLogin login;
  DetourTicket *ticket; /* the question that is out; NULL: none */
};

/* In detour-guest.c. Functions that return gboolean give FALSE when the guest was closed on the
 * way, or waits for something: the caller stops at once. */
void detour_guest_set_state (DetourGuest *self, DetourGuestState next);
/* 0: no limit. */
void detour_guest_set_limit (DetourGuest *self, gint64 after_us);
/* What the socket is watched for, as state and output have it. */
void detour_guest_set_events (DetourGuest *self);
/* The limit of handshake and head runs from now; what has come is read in the next round. */
void detour_guest_begin (DetourGuest *self);
void detour_guest_leave_held (DetourGuest *self);
/* Takes the guest off its thread; descriptor, channel and source are the caller's business. */
void detour_guest_retire (DetourGuest *self);
/* Seals and sends; what the socket does not take waits in `out`. */
gboolean detour_guest_put (DetourGuest *self, const guint8 *data, gsize len);

/* In detour-guest-turn.c. FALSE: it waits, or was closed at once because too many do. */
gboolean detour_guest_take_turn (DetourGuest *self);
/* State WAITING: the first bytes are there. */
void detour_guest_speaks (DetourGuest *self);
void detour_guest_note_activity (DetourGuest *self);
void detour_guest_leave_half_open (DetourGuest *self);
void detour_guest_leave_waiting (DetourGuest *self);

/* In detour-guest-http.c: state HEAD has bytes; the response is out. */
gboolean detour_guest_on_head (DetourGuest *self);
gboolean detour_guest_after_answer (DetourGuest *self);

/* In detour-guest-login.c: state LOGIN has bytes; an answer is not wanted any more. */
gboolean detour_guest_on_login (DetourGuest *self);
void detour_guest_drop_question (DetourGuest *self);

G_END_DECLS
