/* bench-crowd.h: many clients of one thread: opens them a few at a time, and again when a
 * connection breaks off.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bench-client.h"

G_BEGIN_DECLS

typedef struct {
  BenchLoop loop;
  BenchClient *clients; /* (array length=n) */
  guint n;
  guint n_open;
  guint n_opening;   /* on their way */
  guint n_retries;   /* connections that ended before the login was through */
  guint n_closed;    /* open ones that the server closed */
  const char *why;   /* of the last of these; static */
  gint64 opening_us; /* sum over all logins, from connect() on */
  guint n_logins;

  /* Frames of open clients. */
  void (*frame) (BenchClient *client, guint8 type, guint8 *payload, guint32 len, gpointer user);
  void (*opened) (BenchClient *client, gpointer user); /* (nullable) */
  gpointer user;

  guint at_once;
  GQueue waiting;   /* of BenchClient: to be started */
  GArray *retries;  /* of BenchCrowdRetry */
  guint8 *attempts; /* (array length=n) */
  gint64 checked_us;
} BenchCrowd;

/**
 * bench_crowd_init:
 * @first: number of the first client; decides about its source address
 * @at_once: so many are on their way at a time
 */
gboolean bench_crowd_init (BenchCrowd *self, BenchTarget *target, guint first, guint n,
                           guint at_once, GError **error);
void bench_crowd_clear (BenchCrowd *self);

/* Clients that are closed are to be opened. */
void bench_crowd_want (BenchCrowd *self, guint index);
/* Starts those whose time has come, handles events for at most @timeout_ns. */
void bench_crowd_turn (BenchCrowd *self, gint64 timeout_ns);
/* Opens all; FALSE when not all are open in time. */
gboolean bench_crowd_open (BenchCrowd *self, gint64 timeout_us, GError **error);
/* Closes all, and asks for none. */
void bench_crowd_close (BenchCrowd *self, gboolean reset);

/* One client logs in, tells @target what it learned of the server, and leaves. */
gboolean bench_crowd_probe (BenchTarget *target, GError **error);

G_END_DECLS
