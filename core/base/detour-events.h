/* detour-events.h: what happened to whom: the latest small events, for `detourctl why` and
 * `detourctl monitor`.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * There is one memory of events in a process, of a bounded size, which is taken as events come.
 * Refusals have a part of their own, so that strangers cannot push out what happened to clients. A
 * verdict that only repeats the one before it on the same key is counted there.
 *
 * An event costs a lock and some hundred bytes to write: it may be noted by any thread, for each
 * login or end of a session, and never for each packet. Texts hold nothing of packets. */
#pragma once

#include "detour-key.h"

G_BEGIN_DECLS

typedef enum {
  DETOUR_EVENT_JOIN,      /* a client was registered */
  DETOUR_EVENT_GONE,      /* its connection ended; the text says why */
  DETOUR_EVENT_ADMITTED,  /* a verdict: it may come in, or stay */
  DETOUR_EVENT_REFUSED,   /* a verdict: it may not, or nobody can say */
  DETOUR_EVENT_DUPLICATE, /* its key is in use already, or not any more */
  DETOUR_EVENT_DROPS,     /* packets for it were dropped */
  DETOUR_EVENT_SLOWED,    /* it is read more slowly */
  DETOUR_EVENT_SUSPECT,   /* what it is sent disappears, or not any more */
  DETOUR_EVENT_KICK,      /* the operator closed its connections */
  DETOUR_EVENT_BAN,
  DETOUR_EVENT_UNBAN,
  DETOUR_EVENT_CLASS,  /* it has another class; without a key: a class has other terms */
  DETOUR_EVENT_TENANT, /* a tenant has other terms, or came or went by a reload */
  DETOUR_EVENT_BUDGET, /* of a class, a tenant or the relay: used up, reset */
  DETOUR_EVENT_SAY,    /* the operator told clients something */
  DETOUR_EVENT_SOURCE, /* a source of verdicts is down, or up again */
  DETOUR_EVENT_RELOAD, /* the configuration was read again */
  DETOUR_EVENT_DRAIN,  /* the relay is taken out of service, or back */
  DETOUR_EVENT_LINK,   /* to a peer of the mesh: up, down, or not to be made; the text says why */
  DETOUR_EVENT_N_KINDS,
} DetourEventKind;

typedef struct {
  DetourEventKind kind;
  /* All but `kind` may be missing; texts are valid UTF-8 and copied, long ones cut. */
  const DetourKey *key;
  const char *address; /* of the client, or of the peer */
  const char *source;  /* "transport/https", "auth/friends": where it happened, or who said so */
  const char *label;   /* of the client, and its class, as a verdict has them */
  const char *class_;
  const char *tenant;
  const char *text;  /* a clause for people: why */
  guint8 result;     /* of verdicts: DetourAuthResult */
  guint8 flags;      /* of verdicts: DetourVerdictFlags */
  guint8 minor;      /* of these flags, the ones that make no other event */
  guint64 number;    /* set when it is read: counts from 1; a repeated one gets another */
  gint64 first_us;   /* Unix time in microseconds: it happened the first time; 0: now */
  gint64 last_us;    /* and the last time */
  guint32 count;     /* how often; 0: once */
  gboolean is_quiet; /* only repeats what is known: counted, and no event of its own unless
                        label or class are others */
} DetourEvent;

/* Bytes that the memory may take; 0: none is kept. Main thread, before other
 * threads note anything. Without it the first event makes a small one. */
void detour_events_init (gsize n_bytes);
/* Forgets all. */
void detour_events_clear (void);

/* Any thread. */
void detour_events_add (const DetourEvent *event);
/* The same in short; @address and @source as in DetourEvent. */
void detour_events_note (DetourEventKind kind, const DetourKey *key, const char *address,
                         const char *source, const char *format, ...) G_GNUC_PRINTF (5, 6);

/**
 * detour_events_read:
 * @after: number; only later ones
 * @key: (nullable): only those of that key
 *
 * Any thread.
 *
 * Returns: (transfer full): of DetourEvent, in the order of their numbers.
 */
GPtrArray *detour_events_read (guint64 after, const DetourKey *key);
/* Number of the latest event. Any thread. */
guint64 detour_events_last (void);

/* Waits until there are events behind @after, detour_events_wake() is called with the same flag, or
 * @until_us has come, which is monotonic; 0: for ever. */
void detour_events_wait (guint64 after, const gboolean *stop, gint64 until_us);
void detour_events_wake (gboolean *stop);

/* Returns: (transfer full): all of it in one piece, for g_free(). */
DetourEvent *detour_event_copy (const DetourEvent *event);

/* "join" */
const char *detour_event_kind_name (DetourEventKind kind);
gboolean detour_event_kind_from_name (const char *name, DetourEventKind *kind);

G_END_DECLS
