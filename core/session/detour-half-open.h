/* detour-half-open.h: the half-open backlog of one listener: which connections may log in now,
 * which wait for a place, and which give their place away.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It knows no socket and no clock: it is told what happens to connections and when, and decides
 * through two callbacks. The rules are in doc/architecture.md, "A crowd". Not thread-safe: the
 * owner locks; the callbacks run inside the call that led to them and must not call back.
 *
 * Every connection is on exactly one list for its stage, and on the same list of its client
 * address. All counts are lengths of these lists. */
#pragma once

#include "detour-address-key.h"

G_BEGIN_DECLS

typedef struct _DetourHalfOpen DetourHalfOpen;
typedef struct _DetourHalfOpenAddress DetourHalfOpenAddress;

/* What a connection has done, as far as its place is concerned. The ones from ANSWERED on have a
 * place; the comment says after which rest it may be taken away. A rest is the time since the last
 * progress: bytes that drip into an unfinished message are none. */
typedef enum {
  DETOUR_HALF_OPEN_NONE,     /* not in the backlog: never was, has left, or was evicted */
  DETOUR_HALF_OPEN_UNHEARD,  /* waits, and has sent nothing */
  DETOUR_HALF_OPEN_WAITING,  /* waits, and has sent something */
  DETOUR_HALF_OPEN_ANSWERED, /* its request was answered, and it may send another one: at once */
  DETOUR_HALF_OPEN_SILENT,   /* has sent nothing: 0.25 s, since a client speaks first */
  DETOUR_HALF_OPEN_FIRST,    /* its first message has begun: 1 s, since that comes in one go */
  DETOUR_HALF_OPEN_LATER, /* the relay has answered: 5 s, since the peer has to think, and a crowd
                             of peers may share a processor */
  DETOUR_HALF_OPEN_BUSY,  /* waits for the admission: never, but for a fair share */
  DETOUR_HALF_OPEN_N_STAGES,
} DetourHalfOpenStage;

/* Embedded in a connection; all zero at first. Everything is the backlog's own but for reading. */
typedef struct {
  DetourHalfOpenStage stage;
  gint64 since_us; /* of the last progress, or of the arrival of one that waits */
  DetourHalfOpenAddress *address;
  GList link;         /* of its stage, in all */
  GList address_link; /* of its stage, among those of its address */
} DetourHalfOpenEntry;

/* 0 means no limit. */
typedef struct {
  guint places;             /* connections with a place */
  guint places_per_address; /* the same, of one client address */
  guint waiting;            /* connections that wait; here 0 means none */
} DetourHalfOpenLimits;

typedef struct {
  /* One that waited has a place now; its stage is FIRST. */
  void (*begin) (DetourHalfOpenEntry *entry, gpointer user);
  /* Its place or its waiting is over, and it is in the backlog no more once this returns TRUE.
   * FALSE: it has sent something that nobody has read yet, so the relay is late and not the peer;
   * only when detour_half_open_may_have_unread(). */
  gboolean (*evict) (DetourHalfOpenEntry *entry, gpointer user);
  /* May be NULL. FALSE: there are places, but no memory for one more connection. */
  gboolean (*has_room) (gpointer user);
} DetourHalfOpenFuncs;

/* Whether bytes that were not read are a reason not to evict a connection. They are none where
 * nobody reads, nor where a request was answered. */
static inline gboolean
detour_half_open_may_have_unread (DetourHalfOpenStage stage)
{
  return stage >= DETOUR_HALF_OPEN_SILENT && stage <= DETOUR_HALF_OPEN_LATER;
}

DetourHalfOpen *detour_half_open_new (const DetourHalfOpenFuncs *funcs, gpointer user);
/* Nothing is in it any more. */
void detour_half_open_free (DetourHalfOpen *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourHalfOpen, detour_half_open_free)

/* Connections that fit now begin. Places above the new limits are taken back, from those that rest
 * longest, and those that wait and do not fit any more are evicted. */
void detour_half_open_set_limits (DetourHalfOpen *self, const DetourHalfOpenLimits *limits,
                                  gint64 now_us);

/**
 * detour_half_open_arrive:
 * @entry: all zero
 *
 * A new connection. When too many wait, the one that has waited longest of the address with the
 * most of them is evicted, which may be @entry itself.
 *
 * Returns: TRUE when it has a place at once, in stage SILENT.
 */
gboolean detour_half_open_arrive (DetourHalfOpen *self, DetourHalfOpenEntry *entry,
                                  const DetourAddressKey *key, gint64 now_us);

/**
 * detour_half_open_advance:
 * @stage: WAITING for one that is UNHEARD, or a stage with a place for one that has a place
 *
 * The connection has made progress. Nothing happens to an entry that was evicted, since its owner
 * may not have heard of that yet.
 */
void detour_half_open_advance (DetourHalfOpen *self, DetourHalfOpenEntry *entry,
                               DetourHalfOpenStage stage, gint64 now_us);

/**
 * detour_half_open_rename:
 * @entry: with a place
 * @key: of the client address that it belongs to from now on
 *
 * A proxy has said whose connection it is, which is progress.
 *
 * Returns: FALSE when that address has all the places it may have, and none of them rests.
 */
gboolean detour_half_open_rename (DetourHalfOpen *self, DetourHalfOpenEntry *entry,
                                  const DetourAddressKey *key, gint64 now_us);

/* It has sent something: SILENT becomes FIRST. */
void detour_half_open_heard (DetourHalfOpen *self, DetourHalfOpenEntry *entry, gint64 now_us);
/* It was sent something: SILENT and FIRST become LATER, and LATER begins its rest anew. */
void detour_half_open_told (DetourHalfOpen *self, DetourHalfOpenEntry *entry, gint64 now_us);

/* The connection logged in, was refused, or ended. May have been evicted before. */
void detour_half_open_leave (DetourHalfOpen *self, DetourHalfOpenEntry *entry, gint64 now_us);

/* Time has passed: those that wait look for places that nobody uses. */
void detour_half_open_tick (DetourHalfOpen *self, gint64 now_us);

/* Connections in a stage. */
guint detour_half_open_count (const DetourHalfOpen *self, DetourHalfOpenStage stage);
/* Connections with a place. */
guint detour_half_open_n_places (const DetourHalfOpen *self);
/* Connections without one. */
guint detour_half_open_n_waiting (const DetourHalfOpen *self);

G_END_DECLS
