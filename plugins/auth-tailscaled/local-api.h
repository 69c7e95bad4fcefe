/* local-api.h: asks one or several tailscaled over their sockets, in a thread of its own.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Several are asked at once: one that knows the key is enough, all must agree that nobody does.
 * "Not known" counts only from a tailscaled that is connected to its network, because one that has
 * just started knows nobody. Keys that were denied lately are asked about again now and then, so
 * that somebody who was added is noticed; and every tailscaled is looked after, so that trouble
 * shows before the first client does. */
#pragma once

#include "whois-answer.h"

G_BEGIN_DECLS

typedef struct _LocalApi LocalApi;

/* All are called on the thread of the LocalApi, and must not call back. */
typedef struct {
  /* Once for each question. */
  void (*answer) (gpointer user, gpointer question, const WhoisAnswer *answer);
  /* How it is going, when that has changed; @trouble: NULL when all is well. */
  void (*state) (gpointer user, const char *summary, const char *trouble);
  /* Verdicts may be different now. */
  void (*changed) (gpointer user);
} LocalApiFuncs;

/**
 * local_api_new:
 * @sockets: (array zero-terminated=1): paths, one or more; copied
 * @alternatives: (array zero-terminated=1) (nullable): static; where to look instead when the first
 * of @sockets is not there
 * @timeout_ms: for each answer
 */
LocalApi *local_api_new (const char *const *sockets, const char *const *alternatives,
                         guint timeout_ms, const LocalApiFuncs *funcs, gpointer user);
/* Answers what is open with UNAVAILABLE and ends the thread; waits for nobody else. */
void local_api_free (LocalApi *self);

/* Any thread. */
void local_api_ask (LocalApi *self, const guint8 *key, gpointer question);

G_END_DECLS
