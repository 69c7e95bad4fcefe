/* cost.c: the same packets through worker, engine and record layer in one process, for callgrind
 * to count what they cost.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Counts must not depend on chance. So the clock and the random numbers are replaced; the cipher is
 * one that only copies; and workers advance in steps: each is held in a message while all input of
 * a step is written, so that it finds the same events in the same round every time. `check` runs
 * this under callgrind and compares; README.md tells how. */
#include "config.h"

#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "tls-channel-export.h"
#include "worker-bench.h"

#define PACKETS   100000u
#define WARM_UP   64u /* steps: tables grow to their size, keys come into the cache */
#define LINES_MAX 128u
#define STEP_US   100

typedef struct {
  const char *name;
  guint n_workers; /* senders are on the first, receivers on the last */
  gboolean is_sealed;
  guint n_senders;
  guint n_receivers; /* of each sender, in turns */
  guint n_frames;    /* that a sender writes at a time */
  guint len;         /* of a packet */
  gboolean is_blocked;
} Scenario;

static const Scenario scenarios[] = {
  { "plain-small", 1, FALSE, 1, 1, 8, 100, FALSE },
  { "plain-large", 1, FALSE, 1, 1, 8, 1400, FALSE },
  { "sealed-small", 1, TRUE, 1, 1, 8, 100, FALSE },
  { "sealed-large", 1, TRUE, 1, 1, 8, 1400, FALSE },
  { "sealed-single", 1, TRUE, 1, 1, 1, 1400, FALSE },
  { "sealed-many", 1, TRUE, 64, 1, 8, 1400, FALSE },
  { "sealed-spread", 1, TRUE, 1, 64, 32, 1400, FALSE },
  { "sealed-blocked", 1, TRUE, 1, 1, 8, 1400, TRUE },
  { "sealed-crossing", 2, TRUE, 1, 1, 8, 1400, FALSE },
};

/* Chance --------------------------------------------------------------------------------------- */

static gint64 clock_us = G_USEC_PER_SEC;

/* In the place of GLib's. */
gint64
g_get_monotonic_time (void)
{
  return __atomic_load_n (&clock_us, __ATOMIC_RELAXED);
}

/* In the place of the C library's: seeds of hash tables and of libsodium. */
ssize_t
getrandom (void *buffer, size_t len, unsigned int flags)
{
  memset (buffer, 0x5a, len);
  return (ssize_t) len;
}

/* A client's end of a connection --------------------------------------------------------------- */

typedef struct {
  int fd;
  gpointer channel; /* NULL: plain */
  gsize n_extra;    /* opened bytes that were not asked for yet */
} Line;

static const DetourChannelClass *const sealed = &tls_channel_export_class;

static gpointer
line_new_channel (guint letter, gboolean is_client)
{
  guint8 secrets[2][TLS_SECRET_MAX];
  TlsExportStart start = { .cipher = TLS_CIPHER_AES_128_GCM, .is_client = is_client };
  gpointer channel;

  memset (secrets[0], (int) letter, TLS_SECRET_MAX);
  memset (secrets[1], (int) ~letter, TLS_SECRET_MAX);
  start.read_secret = secrets[is_client ? 1 : 0];
  start.write_secret = secrets[is_client ? 0 : 1];
  channel = tls_channel_export_new (&start);
  g_assert_nonnull (channel);
  return channel;
}

static void
line_send (Line *self, const guint8 *frames, gsize len)
{
  guint8 room[DETOUR_CHANNEL_SEAL_BOUND (65536)];
  DetourBuffer out = { room, 0, sizeof room };

  if (self->channel == NULL)
    {
      worker_bench_write (self->fd, frames, len);
      return;
    }
  for (gsize at = 0; at < len; at += DETOUR_CHANNEL_RECORD_MAX)
    {
      struct iovec span = { (void *) (frames + at), MIN (len - at, DETOUR_CHANNEL_RECORD_MAX) };

      g_assert_true (sealed->seal (self->channel, &span, 1, &out));
    }
  worker_bench_write (self->fd, out.data, out.len);
}

/* Waits for @len bytes of plain text. */
static void
line_expect (Line *self, gsize len)
{
  while (self->n_extra < len)
    {
      guint8 cipher[65536], room[65536 + DETOUR_CHANNEL_FEED_SLACK];
      DetourBuffer plain = { room, 0, sizeof room };
      struct pollfd waiting = { self->fd, POLLIN, 0 };
      gboolean reply = FALSE;
      gssize n;

      g_assert_cmpint (poll (&waiting, 1, 10 * WORKER_BENCH_PATIENCE_MS), ==, 1);
      n = recv (self->fd, cipher, sizeof cipher, 0);
      g_assert_cmpint (n, >, 0);
      if (self->channel == NULL)
        plain.len = (gsize) n;
      else
        g_assert_cmpint (sealed->feed (self->channel, cipher, (gsize) n, &plain, &reply), ==,
                         DETOUR_CHANNEL_OK);
      self->n_extra += plain.len;
    }
  self->n_extra -= len;
}

/* Workers in step ------------------------------------------------------------------------------ */

enum { COMMAND_GO, COMMAND_DUMP };

typedef struct {
  const char *scenario;
  int entered[2], go[2];
} Hold;

typedef struct {
  const Scenario *scenario;
  WorkerBench *bench;
  Hold holds[WORKER_BENCH_MAX];
  Line senders[LINES_MAX], receivers[LINES_MAX];
  guint n_sent[LINES_MAX];
  guint8 frames[65536];
} Run;

static void
cost_hold (DetourLoop *loop, gpointer data)
{
  Hold *hold = data;
  guint8 byte = 0;

  do
    {
      g_assert_cmpint (write (hold->entered[1], &byte, 1), ==, 1);
      g_assert_cmpint (read (hold->go[0], &byte, 1), ==, 1);
      /* A dump is of the thread that asks for it. */
      if (byte == COMMAND_DUMP)
        CALLGRIND_DUMP_STATS_AT (hold->scenario);
    }
  while (byte != COMMAND_GO);
}

/* The worker does nothing from now on. */
static void
run_hold (Run *self, guint worker)
{
  guint8 byte;

  detour_loop_post (detour_worker_loop (self->bench->workers[worker]), cost_hold,
                    &self->holds[worker]);
  g_assert_cmpint (read (self->holds[worker].entered[0], &byte, 1), ==, 1);
}

static void
run_release (Run *self, guint worker)
{
  guint8 byte = COMMAND_GO;

  g_assert_cmpint (write (self->holds[worker].go[1], &byte, 1), ==, 1);
}

/* A held worker writes down what its thread has cost since the last time. */
static void
run_dump (Run *self, guint worker)
{
  guint8 byte = COMMAND_DUMP;

  g_assert_cmpint (write (self->holds[worker].go[1], &byte, 1), ==, 1);
  g_assert_cmpint (read (self->holds[worker].entered[0], &byte, 1), ==, 1);
}

/* Where nothing of a step can be read, or not from the sender's worker, a pong says that it is
 * over. */
static gboolean
run_needs_ping (const Run *self)
{
  return self->scenario->is_blocked || self->scenario->n_workers > 1;
}

static void
run_write (Run *self, guint sender)
{
  const Scenario *scenario = self->scenario;
  gsize len = 0;

  for (guint i = 0; i < scenario->n_frames; i++)
    {
      guint receiver = sender * scenario->n_receivers
                     + self->n_sent[sender] % scenario->n_receivers;

      len += worker_bench_packet (self->frames + len, (guint8) (128 + receiver), scenario->len,
                                  self->n_sent[sender]++);
    }
  if (run_needs_ping (self))
    {
      detour_frame_put_header (self->frames + len, DETOUR_FRAME_PING, DETOUR_FRAME_PING_SIZE);
      memset (self->frames + len + DETOUR_FRAME_HEADER_SIZE, 1, DETOUR_FRAME_PING_SIZE);
      len += DETOUR_FRAME_HEADER_SIZE + DETOUR_FRAME_PING_SIZE;
    }
  line_send (&self->senders[sender], self->frames, len);
}

/* Workers are held before and after. */
static void
run_step (Run *self)
{
  const Scenario *scenario = self->scenario;
  guint last = scenario->n_workers - 1;
  gsize size = DETOUR_FRAME_RECV_HEAD_SIZE + scenario->len;

  for (guint i = 0; i < scenario->n_senders; i++)
    run_write (self, i);
  __atomic_fetch_add (&clock_us, STEP_US, __ATOMIC_RELAXED);

  run_release (self, 0);
  for (guint i = 0; i < scenario->n_senders && run_needs_ping (self); i++)
    line_expect (&self->senders[i], DETOUR_FRAME_PONG_SIZE);
  if (last > 0)
    {
      run_hold (self, 0);
      run_release (self, last);
    }
  if (!scenario->is_blocked)
    for (guint i = 0; i < scenario->n_senders * scenario->n_frames; i++)
      {
        guint sender = i / scenario->n_frames;
        guint number = self->n_sent[sender] - scenario->n_frames + i % scenario->n_frames;

        line_expect (
            &self->receivers[sender * scenario->n_receivers + number % scenario->n_receivers],
            size);
      }
  run_hold (self, last);
}

static Line
run_join (Run *self, guint worker, guint letter)
{
  Line line = { 0 };
  DetourSession *session = worker_bench_session ((guint8) letter, FALSE, &line.fd);
  gsize greeting;

  if (self->scenario->is_sealed)
    {
      line.channel = line_new_channel (letter, TRUE);
      session->channel = (DetourChannel) { sealed, line_new_channel (letter, FALSE) };
    }
  greeting = session->client.output->len;
  detour_worker_adopt (self->bench->workers[worker], session);
  line_expect (&line, greeting);
  return line;
}

static void
run_begin (Run *self)
{
  const Scenario *scenario = self->scenario;

  self->bench = worker_bench_new (scenario->n_workers, NULL);
  for (guint i = 0; i < scenario->n_senders; i++)
    self->senders[i] = run_join (self, 0, 1 + i);
  for (guint i = 0; i < scenario->n_senders * scenario->n_receivers; i++)
    self->receivers[i] = run_join (self, scenario->n_workers - 1, 128 + i);
  for (guint i = 0; i < scenario->n_workers; i++)
    {
      self->holds[i].scenario = scenario->name;
      g_assert_cmpint (pipe (self->holds[i].entered), ==, 0);
      g_assert_cmpint (pipe (self->holds[i].go), ==, 0);
      run_hold (self, i);
    }
}

static void
line_clear (Line *self)
{
  close (self->fd);
  if (self->channel != NULL)
    sealed->free (self->channel);
}

static void
run_end (Run *self)
{
  const Scenario *scenario = self->scenario;

  for (guint i = 0; i < scenario->n_workers; i++)
    run_release (self, i);
  worker_bench_free (self->bench);
  for (guint i = 0; i < scenario->n_workers; i++)
    for (guint end = 0; end < 2; end++)
      {
        close (self->holds[i].entered[end]);
        close (self->holds[i].go[end]);
      }
  for (guint i = 0; i < scenario->n_senders; i++)
    line_clear (&self->senders[i]);
  for (guint i = 0; i < scenario->n_senders * scenario->n_receivers; i++)
    line_clear (&self->receivers[i]);
}

static void
measure (const Scenario *scenario)
{
  g_autofree Run *run = g_new0 (Run, 1);
  guint a_step = scenario->n_senders * scenario->n_frames;
  /* A step for a packet would be most of the time; a fifth of them shows as much. */
  guint steps = a_step > 1 ? PACKETS / a_step : PACKETS / 5;

  run->scenario = scenario;
  run_begin (run);
  for (guint i = 0; i < WARM_UP; i++)
    run_step (run);

  CALLGRIND_START_INSTRUMENTATION;
  for (guint i = 0; i < steps; i++)
    run_step (run);
  for (guint i = 0; i < scenario->n_workers; i++)
    run_dump (run, i);
  CALLGRIND_STOP_INSTRUMENTATION;

  run_end (run);
  printf ("%s %u\n", scenario->name, steps * a_step);
  fflush (stdout);
}

int
main (int argc, char **argv)
{
  g_assert_cmpint (sodium_init (), >=, 0);
#if defined __clang__
  printf ("compiler clang %d %s\n", __clang_major__, DETOUR_COST_MACHINE);
#else
  printf ("compiler gcc %d %s\n", __GNUC__, DETOUR_COST_MACHINE);
#endif
  for (guint i = 0; i < G_N_ELEMENTS (scenarios); i++)
    if (argc < 2 || g_strv_contains ((const char *const *) argv + 1, scenarios[i].name))
      measure (&scenarios[i]);
  return 0;
}
