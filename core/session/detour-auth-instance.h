/* detour-auth-instance.h: one auth instance as the chain asks it: with a limit, a queue, a cache of
 * verdicts, and numbers.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-auth-memory.h"
#include "detour-auth-request.h"

G_BEGIN_DECLS

/* Requests an instance has at a time; the others wait, the one that came first goes first. */
#define DETOUR_AUTH_INSTANCE_ASKING_MAX 64u
/* Keys remembered. */
#define DETOUR_AUTH_INSTANCE_ALLOWED_MAX 65536u
#define DETOUR_AUTH_INSTANCE_DENIED_MAX  16384u
/* How long an ALLOW holds when the instance does not say, and the longest that is believed. */
#define DETOUR_AUTH_INSTANCE_TTL_US     (5 * G_TIME_SPAN_SECOND)
#define DETOUR_AUTH_INSTANCE_TTL_MAX_US G_TIME_SPAN_HOUR

/* What lies outside of the admission. Main thread. */
typedef struct {
  /* Asks "auth/NAME"; @done is called exactly once on the main thread, never from inside. */
  void (*verify) (gpointer user, const char *instance, DetourAuthRequest *request,
                  DetourVerdictFunc done, gpointer data);
  /* FALSE: an operator or the configuration stopped it, so the chain leaves it out. An instance
   * that failed takes part, and is unavailable. */
  gboolean (*takes_part) (gpointer user, const char *instance);
  /* The instance itself says, in the log as well, that something is wrong with it. */
  gboolean (*tells_trouble) (gpointer user, const char *instance);
  /* A client that was let in by grace a moment ago must go: its key, where its tenant is. */
  void (*revoke) (gpointer user, const DetourAuthRequest *request);
  /* Monotonic clock; NULL: the real one. */
  gint64 (*now_us) (gpointer user);
  /* Wall clock; NULL: the real one. */
  gint64 (*real_us) (gpointer user);
  /* Whom the instance asks, as a text that is another one when it asks somebody else; (nullable):
   * that is not known now. NULL: always the same. */
  char *(*dup_source) (gpointer user, const char *instance);
} DetourAuthPort;

/* Main thread. */
typedef struct _DetourAuthInstance DetourAuthInstance;
/* A request that the instance was asked, or that waits in its queue; gone once it was answered or
 * withdrawn. */
typedef struct _DetourAuthQuery DetourAuthQuery;

/* @port outlives the instance, or detour_auth_instance_close(). */
DetourAuthInstance *detour_auth_instance_new (const char *id, const DetourAuthPort *port,
                                              gpointer user);
DetourAuthInstance *detour_auth_instance_ref (DetourAuthInstance *self);
void detour_auth_instance_unref (DetourAuthInstance *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourAuthInstance, detour_auth_instance_unref)
/* Asks nothing any more; answers may still come. Forgets everything. */
void detour_auth_instance_close (DetourAuthInstance *self);

void detour_auth_instance_set_negative_ttl (DetourAuthInstance *self, gint64 ttl_us);

const char *detour_auth_instance_id (const DetourAuthInstance *self); /* "auth/friends" */
gboolean detour_auth_instance_takes_part (const DetourAuthInstance *self);
/* Writes to the log when it was stopped, or started after that. @n_others: of the chain that take
 * part. */
void detour_auth_instance_log_part (DetourAuthInstance *self, guint n_others);
/* The last request got no verdict: the answer was UNAVAILABLE, or took too long. */
gboolean detour_auth_instance_is_down (const DetourAuthInstance *self);

/* @done is called once, never from inside, unless the query is withdrawn. */
DetourAuthQuery *detour_auth_instance_ask (DetourAuthInstance *self, DetourAuthRequest *request,
                                           DetourVerdictFunc done, gpointer data);
/* The answer is not waited for any more; @in_vain: because it took too long. When it comes it is
 * remembered all the same. */
void detour_auth_instance_withdraw (DetourAuthInstance *self, DetourAuthQuery *query,
                                    gboolean in_vain);

/* (nullable): a verdict that holds, borrowed until the next call; there is no need to ask. */
DetourVerdict *detour_auth_instance_recall (DetourAuthInstance *self,
                                            const DetourAuthRequest *request);
/* (nullable): the verdict by which the key was allowed, not longer ago than @grace_us; borrowed
 * until the next call. */
DetourVerdict *detour_auth_instance_allowed_lately (DetourAuthInstance *self, const DetourKey *key,
                                                    gint64 grace_us);

/* Where it keeps what is to outlast a restart, and finds what has; NULL: nowhere. */
void detour_auth_instance_set_store (DetourAuthInstance *self, DetourVerdictStore *store);
void detour_auth_instance_collect (const DetourAuthInstance *self, DetourVerdictDraft *draft);
/* Nothing is known of the key any more, for grace either, until the instance says something of it.
 * Answers to what was asked before are not remembered, whatever key they are about. */
void detour_auth_instance_revoke (DetourAuthInstance *self, const DetourKey *key);

/* No verdict holds any more, nor those that are on their way. Keys that were allowed count for
 * grace still. */
void detour_auth_instance_forget (DetourAuthInstance *self);

/* Of how long answers took. */
#define DETOUR_AUTH_INSTANCE_N_BOUNDS 14
extern const guint64 detour_auth_instance_bounds_us[DETOUR_AUTH_INSTANCE_N_BOUNDS];

/* For status and metrics. */
typedef struct {
  const char *instance; /* "auth/friends" */
  gboolean takes_part;
  gboolean is_down;
  guint n_asking;     /* requests that the plugin has */
  guint n_waiting;    /* requests in the queue */
  guint n_remembered; /* keys */
  guint64 asked;
  guint64 allowed, denied, unavailable; /* answers */
  guint64 timeouts;                     /* requests whose answer took too long */
  guint64 cached;                       /* requests that the cache answered */
  guint64 by_grace;                     /* clients that grace let in */
  gint64 latency_mean_us;               /* of the last answers; 0: none yet */
  /* Answers, by how long they took; those that nobody waited for any more included. */
  guint64 latency_counts[DETOUR_AUTH_INSTANCE_N_BOUNDS + 1];
  guint64 latency_sum_us;
  const char *trouble; /* (nullable) reason of the last UNAVAILABLE, while it is down */
} DetourAuthInstanceInfo;

typedef void (*DetourAuthInstanceFunc) (const DetourAuthInstanceInfo *info, gpointer data);

/* Borrowed until the next call. */
void detour_auth_instance_info (const DetourAuthInstance *self, DetourAuthInstanceInfo *info);
/* A client was let in by grace of this instance. */
void detour_auth_instance_count_grace (DetourAuthInstance *self);

G_END_DECLS
