/* detour-auth-source.h: one auth instance as the admission asks it: a limit, a queue, a memory,
 * and numbers.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-question.h"
#include "detour-verdict-cache.h"

G_BEGIN_DECLS

/* Questions an instance has at a time; the others wait, the one that came first goes first. */
#define DETOUR_AUTH_SOURCE_ASKING_MAX 64u
/* Keys remembered. */
#define DETOUR_AUTH_SOURCE_ALLOWED_MAX 65536u
#define DETOUR_AUTH_SOURCE_DENIED_MAX  16384u
/* How long an ALLOW without a time to live holds, and the longest that is believed. */
#define DETOUR_AUTH_SOURCE_TTL_US     (5 * G_TIME_SPAN_SECOND)
#define DETOUR_AUTH_SOURCE_TTL_MAX_US G_TIME_SPAN_HOUR

/* What lies outside of the admission. Main thread. */
typedef struct {
  /* Asks "auth/NAME"; @done is called exactly once on the main thread, never from inside. */
  void (*verify) (gpointer user, const char *instance, const DetourAuthQuestion *question,
                  void (*done) (const DetourAuthVerdict *verdict, gpointer data), gpointer data);
  /* FALSE: somebody stopped it, so it is left out. One that failed takes part, and is unavailable.
   */
  gboolean (*takes_part) (gpointer user, const char *instance);
  /* It says itself, in the log as well, that something is wrong with it. */
  gboolean (*tells_trouble) (gpointer user, const char *instance);
  /* A client that was let in by grace a moment ago must go. */
  void (*revoke) (gpointer user, const DetourKey *key);
  /* Monotonic clock; NULL: the real one. */
  gint64 (*now_us) (gpointer user);
} DetourAuthPort;

/* Main thread. */
typedef struct _DetourAuthSource DetourAuthSource;
/* A question that was asked, or waits for its turn; gone once it was answered or withdrawn. */
typedef struct _DetourAuthAsk DetourAuthAsk;

/* @verdict: borrowed for the call; its texts are one line of valid UTF-8 each. */
typedef void (*DetourAuthAskDone) (const DetourAuthVerdict *verdict, gpointer data);

/* @port outlives the source, or detour_auth_source_close(). */
DetourAuthSource *detour_auth_source_new (const char *instance, const DetourAuthPort *port,
                                          gpointer user);
DetourAuthSource *detour_auth_source_ref (DetourAuthSource *self);
void detour_auth_source_unref (DetourAuthSource *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourAuthSource, detour_auth_source_unref)
/* Asks nobody any more; answers may still come. */
void detour_auth_source_close (DetourAuthSource *self);

void detour_auth_source_set_negative_ttl (DetourAuthSource *self, gint64 ttl_us);

const char *detour_auth_source_instance (const DetourAuthSource *self);
gboolean detour_auth_source_takes_part (const DetourAuthSource *self);
/* The last question had no verdict: it was UNAVAILABLE, or took too long. */
gboolean detour_auth_source_is_down (const DetourAuthSource *self);

/**
 * detour_auth_source_ask:
 * @question: copied
 *
 * @done is called once, never from inside, unless the question is withdrawn.
 */
DetourAuthAsk *detour_auth_source_ask (DetourAuthSource *self, const DetourQuestion *question,
                                       DetourAuthAskDone done, gpointer data);
/* Nobody waits for it any more; @in_vain: because it took too long. An answer is remembered all the
 * same. */
void detour_auth_source_withdraw (DetourAuthSource *self, DetourAuthAsk *ask, gboolean in_vain);

/* A verdict that holds; the question need not be asked. */
gboolean detour_auth_source_recall (DetourAuthSource *self, const DetourQuestion *question,
                                    DetourRemembered *out);
/* The key was allowed not longer ago than @grace_us. */
gboolean detour_auth_source_allowed_lately (DetourAuthSource *self, const DetourKey *key,
                                            gint64 grace_us, DetourRemembered *out);

/* No verdict holds any more, nor those that are on their way. Whom it allowed counts for grace
 * still. */
void detour_auth_source_forget (DetourAuthSource *self);

/* For status. */
typedef struct {
  const char *instance; /* "auth/friends" */
  gboolean takes_part;
  gboolean is_down;
  guint n_asking;     /* questions that are out */
  guint n_waiting;    /* for their turn */
  guint n_remembered; /* keys */
  guint64 asked;
  guint64 allowed, denied, unavailable; /* answers */
  guint64 timeouts;                     /* questions nobody waited for any longer */
  guint64 cached;                       /* questions that memory answered */
  guint64 by_grace;                     /* clients that grace let in */
  gint64 latency_mean_us;               /* of the last answers; 0: none yet */
  const char *trouble; /* (nullable) reason of the last UNAVAILABLE, while it is down */
} DetourAuthSourceInfo;

typedef void (*DetourAuthSourceFunc) (const DetourAuthSourceInfo *info, gpointer data);

/* Borrowed until the next call. */
void detour_auth_source_info (const DetourAuthSource *self, DetourAuthSourceInfo *info);
/* A client was let in by grace of this source. */
void detour_auth_source_count_grace (DetourAuthSource *self);

G_END_DECLS
