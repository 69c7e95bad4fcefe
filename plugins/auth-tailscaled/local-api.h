/* local-api.h: asks one or several tailscaled over their sockets, in a thread of its own.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Several are asked at once: the key is allowed when one of them knows it, and denied when all say
 * that they do not. "Not known" counts only from a tailscaled that is connected to its network,
 * because one that has just started knows no node. Keys that were denied lately are looked up again
 * now and then, so that a node that was added is noticed. The status of each tailscaled is asked
 * for regularly, so that trouble shows before a client meets it. One that tells by itself of nodes
 * that change is listened to. */
#pragma once

#include "whois-answer.h"

G_BEGIN_DECLS

typedef struct _LocalApi LocalApi;

/* All are called on the thread of the LocalApi, and must not call back. */
typedef struct {
  /* Once for each call of local_api_ask(). @key: of the node; NULL when nobody was asked. @before:
   * (nullable) (array fixed-size=32): of an allow, the key that the same node had before */
  void (*answer) (gpointer user, gpointer call, const WhoisAnswer *answer, const guint8 *key,
                  const guint8 *before);
  /* When the state has changed; @trouble: NULL when all is well. */
  void (*state) (gpointer user, const char *summary, const char *trouble);
  /* Verdicts may be different now. */
  void (*changed) (gpointer user);
  /* A node has another key than before. */
  void (*rekeyed) (gpointer user, const guint8 *before, const guint8 *after);
  /* How many of them tell of changes by themselves. */
  void (*watched) (gpointer user, guint n);
} LocalApiFuncs;

/**
 * local_api_new:
 * @sockets: (array zero-terminated=1): paths, one or more; copied
 * @alternatives: (array zero-terminated=1) (nullable): static; where to look instead when the first
 * of @sockets is not there
 * @timeout_ms: for each answer
 * @state: path of files that are kept over a restart, without their ends
 */
LocalApi *local_api_new (const char *const *sockets, const char *const *alternatives,
                         guint timeout_ms, const char *state, const LocalApiFuncs *funcs,
                         gpointer user);
/* Answers open calls with UNAVAILABLE and ends the thread; does not wait for a tailscaled. */
void local_api_free (LocalApi *self);

/* Any thread. @call: given to the answer */
void local_api_ask (LocalApi *self, const guint8 *key, gpointer call);

G_END_DECLS
