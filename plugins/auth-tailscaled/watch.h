/* watch.h: what one tailscaled tells by itself of the nodes that it has vouched for.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything happens on one thread, the one that drives the multi handle. */
#pragma once

#include "whois-answer.h"

#include <curl/curl.h>

G_BEGIN_DECLS

typedef struct _Watch Watch;

typedef struct {
  /* A node that it has vouched for went, expired or has another key; or nobody knows whether.
   * @is_known: FALSE: a node went, of which only an answer that is on its way may say that it is
   * there. */
  void (*changed) (gpointer user, gboolean is_known);
  /* A node has another key than before. */
  void (*rekeyed) (gpointer user, const guint8 *before, const guint8 *after);
  /* There is a node with this key, which it was not asked about, or did not know. */
  void (*appeared) (gpointer user, const guint8 *key);
  /* It should be asked how it is. */
  void (*look) (gpointer user, guint number);
  /* Whether it tells of changes. */
  void (*watches) (gpointer user, guint number, gboolean is_open);
} WatchFuncs;

/**
 * watch_new:
 * @socket: as it is configured
 * @path: where the nodes are kept over a restart
 * @number: given back
 */
Watch *watch_new (CURLM *multi, guint timeout_ms, const char *socket, const char *path,
                  const WatchFuncs *funcs, gpointer user, guint number);
/* What was not written yet is written. */
void watch_free (Watch *self);

/* It has vouched for the node with that key. FALSE: it is not the same node that had another key
 * before, which is in @before then. */
gboolean watch_note (Watch *self, const guint8 *key, const WhoisAnswer *answer, guint8 *before);

/* Like those of the bus. */
gint64 watch_look_after (Watch *self, const char *socket, gint64 now_us);
void watch_hurry (Watch *self);
gboolean watch_done (Watch *self, CURL *easy);

G_END_DECLS
