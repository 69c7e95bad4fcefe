/* worker-bench.h: workers with registered connections over socket pairs, without a server around
 * them, for tests.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-worker.h"

G_BEGIN_DECLS

#define WORKER_BENCH_MAX         3
#define WORKER_BENCH_PATIENCE_MS 20000

/* Main thread. */
typedef struct {
  DetourRegistry *registry;
  DetourAddressCounts *addresses;
  DetourTermsTable *terms;
  DetourWorkerRings *rings;
  DetourWorker *workers[WORKER_BENCH_MAX];
  guint n;
  guint8 buffer[1 << 20]; /* for whatever a test sends */
} WorkerBench;

/* Queues of 32 packets and 256 KiB, a write timeout of 2 s, a keep-alive an hour. */
extern const DetourWorkerLimits worker_bench_limits;

/* @limits: (nullable): NULL: those above */
WorkerBench *worker_bench_new (guint n, const DetourWorkerLimits *limits);
/* Closes every connection and ends the threads. */
void worker_bench_free (WorkerBench *self);

/**
 * worker_bench_session:
 * @letter: the key is this byte 32 times
 * @peer: (out): the client's end of the line
 *
 * A session in plain text over a new socket pair, with a ServerInfo frame to be sent first; the
 * test may change it before it calls worker_bench_adopt().
 */
DetourSession *worker_bench_session (guint8 letter, gboolean is_mesh, int *peer);
/* Hands @session over to a worker and reads ServerInfo, in plain text, at @peer: then the client is
 * registered. */
void worker_bench_adopt (WorkerBench *self, guint worker, DetourSession *session, int peer);
/* Both; returns the client's end of the line. */
int worker_bench_join (WorkerBench *self, guint worker, guint8 letter, gboolean is_mesh);

/* All of @len bytes; fails the test when they take too long. */
void worker_bench_write (int fd, const guint8 *data, gsize len);
void worker_bench_read (int fd, guint8 *data, gsize len);
/* The connection must end, without another byte. */
void worker_bench_expect_end (int fd);

/* A SendPacket frame to the key of @to, its payload @len bytes that begin with @number; returns its
 * length, @len + 37. */
gsize worker_bench_packet (guint8 *out, guint8 to, gsize len, guint32 number);
/* Sends @n packets of @len bytes in one write, and reads them at the other end. */
void worker_bench_burst (WorkerBench *self, int from, guint8 from_letter, int to, guint8 to_letter,
                         guint n, gsize len);

G_END_DECLS
