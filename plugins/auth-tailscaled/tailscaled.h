/* tailscaled.h: one tailscaled as its LocalAPI shows it: which keys it knows, and its status.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything happens on one thread, the one that drives the multi handle. */
#pragma once

#include "whois-answer.h"

#include <curl/curl.h>

G_BEGIN_DECLS

typedef struct _Tailscaled Tailscaled;
typedef struct _TailscaledAsk TailscaledAsk;

/* Never called from inside tailscaled_ask(). @answer: may be taken over. */
typedef void (*TailscaledAnswer) (WhoisAnswer *answer, gpointer data);

/**
 * tailscaled_new:
 * @alternatives: (nullable): static; places to look at while there is nothing at @socket
 * @recovered: called when it answers again after trouble
 */
Tailscaled *tailscaled_new (CURLM *multi, const char *socket, const char *const *alternatives,
                            guint timeout_ms, void (*recovered) (gpointer user), gpointer user);
/* All that was asked is answered or cancelled. */
void tailscaled_free (Tailscaled *self);

/* Asks for the node with that key; @done is called once unless the ask is cancelled. */
TailscaledAsk *tailscaled_ask (Tailscaled *self, const guint8 *key, TailscaledAnswer done,
                               gpointer data);
/* Returns the data. */
gpointer tailscaled_cancel (TailscaledAsk *ask);

/* A transfer of the multi handle is over. */
void tailscaled_done (CURL *easy, CURLcode code);

/* Asks for its status if that is due; returns when it will be. Monotonic microseconds. */
gint64 tailscaled_look_after (Tailscaled *self, gint64 now_us);

/* The next look need not wait. */
void tailscaled_look_soon (Tailscaled *self);
/* Where it is asked. */
const char *tailscaled_socket (const Tailscaled *self);

/* (nullable): what is wrong and since when; free with g_free(). */
char *tailscaled_trouble (const Tailscaled *self);
/* Mean over its last answers; 0: none yet. */
gint64 tailscaled_latency_us (const Tailscaled *self);

G_END_DECLS
