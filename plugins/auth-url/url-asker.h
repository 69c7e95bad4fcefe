/* url-asker.h: asks admission servers about keys, one after the other until one gives a verdict.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Servers that were not heard of for a while are looked at with HEAD, so that trouble shows before
 * a client meets it. One that left a question without a verdict is asked that again until it gives
 * one. When no server answers at all, one question a second is still tried, and the others get no
 * verdict at once, so that a server that hangs does not make a queue. Main thread. */
#pragma once

#include "url-answer.h"
#include "web-client.h"

G_BEGIN_DECLS

typedef struct _UrlAsker UrlAsker;

typedef struct {
  /* The answer to a question; exactly once for each. */
  void (*answer) (gpointer user, gpointer call, const UrlAnswer *answer);
  /* How it is going; @trouble is NULL when all is well. */
  void (*state) (gpointer user, const char *summary, const char *trouble);
  /* For a second there was no question without a verdict, after there were some; at most every ten
   * seconds. */
  void (*recovered) (gpointer user);
} UrlAskerFuncs;

/* No more servers than that. */
#define URL_ASKER_SERVERS_MAX 16u

/* @urls: ends with NULL; @client: taken over */
UrlAsker *url_asker_new (const char *const *urls, guint timeout_ms, WebClient *client,
                         const UrlAskerFuncs *funcs, gpointer user);
/* Answers what is open. */
void url_asker_free (UrlAsker *self);

void url_asker_ask (UrlAsker *self, const guint8 *key, const char *address, gpointer call);

/* What was wrong may be mended: servers in trouble are asked as if they were not, and looked at. */
void url_asker_begin_anew (UrlAsker *self);

G_END_DECLS
