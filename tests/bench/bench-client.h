/* bench-client.h: one DERP client: connects, logs in, gives the frames that come.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Belongs to one thread. Its memory must not move while it is connected. */
#pragma once

#include "bench-websocket.h"
#include "bench-wire.h"
#include "detour-frame.h"

G_BEGIN_DECLS

typedef enum {
  BENCH_CLIENT_CLOSED, /* and before the first connection */
  BENCH_CLIENT_CONNECTING,
  BENCH_CLIENT_HANDSHAKE, /* TLS */
  BENCH_CLIENT_UPGRADE,   /* waits for the 101 */
  BENCH_CLIENT_GREETING,  /* waits for ServerKey */
  BENCH_CLIENT_LOGIN,     /* waits for ServerInfo */
  BENCH_CLIENT_OPEN,
} BenchClientState;

typedef struct _BenchClient BenchClient;

/* Called from bench_loop_turn(). All may close the client, none may start one. */
typedef struct {
  void (*opened) (BenchClient *client, gpointer user);
  /* @payload is lent for the call. */
  void (*frame) (BenchClient *client, guint8 type, guint8 *payload, guint32 len, gpointer user);
  /* Not by bench_client_close(). @why is static; @before: the state it was in. */
  void (*closed) (BenchClient *client, BenchClientState before, const char *why, gpointer user);
} BenchClientFuncs;

/* What clients of one thread share. */
typedef struct {
  int epoll_fd;
  BenchTarget *target;
  const BenchClientFuncs *funcs;
  gpointer user;
  BenchRoom room;
  GByteArray *message; /* of a WebSocket, on its way */
  guint32 mask;
} BenchLoop;

struct _BenchClient {
  BenchWire wire;
  BenchLoop *loop;
  BenchWebsocket websocket;
  GByteArray *partial; /* the beginning of a frame whose end has not come; NULL: none */
  BenchClientState state;
  guint32 events; /* of epoll */
  guint index;
  gint64 started_us, opened_us;
  DetourKey key;
  guint8 secret[DETOUR_KEY_SIZE];
  guint8 shared[DETOUR_KEY_SIZE]; /* with the server */
  gboolean has_shared;
  gboolean is_fast; /* logged in without waiting for the greeting */
};

gboolean bench_loop_init (BenchLoop *self, BenchTarget *target, const BenchClientFuncs *funcs,
                          gpointer user, GError **error);
/* All its clients are closed. */
void bench_loop_clear (BenchLoop *self);
/* Waits for events, no longer than @timeout_ns, and handles one batch of them. */
void bench_loop_turn (BenchLoop *self, gint64 timeout_ns);

/* All zero before. Makes a new key pair. */
void bench_client_init (BenchClient *self, BenchLoop *loop, guint index);
/* A closed one becomes another client. */
void bench_client_renew (BenchClient *self);
void bench_client_clear (BenchClient *self);

/* Only a closed one. Calls opened() or closed() later. */
gboolean bench_client_start (BenchClient *self, GError **error);
void bench_client_close (BenchClient *self, gboolean reset);

/* Whole frames in one record. FALSE: the connection broke, and closed() was called. */
gboolean bench_client_send (BenchClient *self, const guint8 *frames, gsize len);

/* Nothing is read any more until it is closed: what a client that hangs looks like. */
void bench_client_stall (BenchClient *self);
/* Reads again. */
void bench_client_resume (BenchClient *self);

G_END_DECLS
