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
#include <time.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "detour-budgets.h"
#include "detour-channel-stack.h"
#include "detour-classes.h"
#include "detour-config.h"
#include "detour-schema.h"
#include "detour-terms-table.h"
#include "tls-channel-export.h"
#include "websocket-channel.h"
#include "websocket-frame.h"
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
  gboolean is_websocket;
  gboolean has_class; /* all clients have one, with a rate and a quota that they do not reach */
  gboolean is_link;   /* receivers are behind links to other relays */
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
  { "websocket-small", 1, TRUE, 1, 1, 8, 100, FALSE, TRUE },
  { "websocket-large", 1, TRUE, 1, 1, 8, 1400, FALSE, TRUE },
  { "class-small", 1, TRUE, 1, 1, 8, 100, FALSE, FALSE, TRUE },
  { "class-large", 1, TRUE, 1, 1, 8, 1400, FALSE, FALSE, TRUE },
  { "class-single", 1, TRUE, 1, 1, 1, 1400, FALSE, FALSE, TRUE },
  { "link-small", 1, TRUE, 1, 1, 8, 100, FALSE, FALSE, FALSE, TRUE },
  { "link-large", 1, TRUE, 1, 1, 8, 1400, FALSE, FALSE, FALSE, TRUE },
  { "link-single", 1, TRUE, 1, 1, 1, 1400, FALSE, FALSE, FALSE, TRUE },
  { "link-crossing", 2, TRUE, 1, 1, 8, 1400, FALSE, FALSE, FALSE, TRUE },
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
  gboolean is_websocket;
  gsize left; /* of the message that comes */
  guint n_head;
  guint8 head[WEBSOCKET_HEAD_SENT_MAX];
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

/* One message. Its mask is zero, which is as dear to take off as any other. */
static gsize
line_put_message (guint8 *to, const guint8 *frames, gsize len)
{
  gsize n = websocket_head_put (to, WEBSOCKET_BINARY, len);

  to[1] |= 0x80;
  memset (to + n, 0, WEBSOCKET_MASK_SIZE);
  memcpy (to + n + WEBSOCKET_MASK_SIZE, frames, len);
  return n + WEBSOCKET_MASK_SIZE + len;
}

static void
line_send (Line *self, const guint8 *frames, gsize len)
{
  guint8 room[DETOUR_CHANNEL_SEAL_BOUND (65536)];
  guint8 message[65536 + WEBSOCKET_HEAD_MAX];
  DetourBuffer out = { room, 0, sizeof room };

  if (self->is_websocket)
    {
      len = line_put_message (message, frames, len);
      frames = message;
    }
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

/* How many of the bytes are no heads of messages; messages are short ones. */
static gsize
line_count_payload (Line *self, const guint8 *data, gsize len)
{
  gsize payload = 0;

  for (gsize at = 0; at < len;)
    {
      gsize n = MIN (self->left, len - at);

      payload += n;
      self->left -= n;
      at += n;
      if (self->left > 0 || at == len)
        continue;
      self->head[self->n_head++] = data[at++];
      if (self->n_head < 2 || (self->head[1] == 126 && self->n_head < 4))
        continue;
      self->left = self->head[1] == 126 ? (gsize) self->head[2] << 8 | self->head[3]
                                        : self->head[1];
      self->n_head = 0;
    }
  return payload;
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
      self->n_extra += self->is_websocket ? line_count_payload (self, plain.data, plain.len)
                                          : plain.len;
    }
  self->n_extra -= len;
}

/* Workers in step ------------------------------------------------------------------------------ */

enum { COMMAND_GO, COMMAND_DUMP, COMMAND_CLOCK };

typedef struct {
  const char *scenario;
  int entered[2], go[2];
  gint64 cpu_ns; /* that the thread had taken at the last COMMAND_CLOCK */
} Hold;

typedef struct {
  const Scenario *scenario;
  WorkerBench *bench;
  DetourConfig *config; /* NULL: there is no class */
  DetourBudgets *budgets;
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
      if (byte == COMMAND_CLOCK)
        {
          struct timespec now;

          g_assert_cmpint (clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now), ==, 0);
          hold->cpu_ns = now.tv_sec * G_GINT64_CONSTANT (1000000000) + now.tv_nsec;
        }
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

/* A held worker writes down what its thread has cost since the last time, or looks at its clock. */
static void
run_ask (Run *self, guint worker, guint8 byte)
{

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
  gsize size = (scenario->is_link ? DETOUR_FRAME_FORWARD_HEAD_SIZE : DETOUR_FRAME_RECV_HEAD_SIZE)
             + scenario->len;

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

/* The far end of a link says who is behind it, and waits until that is known. */
static void
line_tell_present (Line *self, guint letter)
{
  guint8 frames[DETOUR_FRAME_HEADER_SIZE + DETOUR_KEY_SIZE + DETOUR_FRAME_PONG_SIZE] = { 0 };
  guint8 *ping = frames + DETOUR_FRAME_HEADER_SIZE + DETOUR_KEY_SIZE;

  detour_frame_put_header (frames, DETOUR_FRAME_PEER_PRESENT, DETOUR_KEY_SIZE);
  memset (frames + DETOUR_FRAME_HEADER_SIZE, (int) letter, DETOUR_KEY_SIZE);
  detour_frame_put_header (ping, DETOUR_FRAME_PING, DETOUR_FRAME_PING_SIZE);
  line_send (self, frames, sizeof frames);
  line_expect (self, DETOUR_FRAME_PONG_SIZE);
}

static Line
run_join_as (Run *self, guint worker, guint letter, gboolean is_link)
{
  Line line = { 0 };
  DetourSession *session = worker_bench_session ((guint8) letter, FALSE, &line.fd);
  gsize greeting;

  if (self->scenario->is_sealed)
    {
      line.channel = line_new_channel (letter, TRUE);
      session->channel = (DetourChannel) { sealed, line_new_channel (letter, FALSE) };
    }
  line.is_websocket = self->scenario->is_websocket;
  if (line.is_websocket)
    detour_channel_stack_push (
        &session->channel, (DetourChannel) { &websocket_channel_class, websocket_channel_new (0) });
  greeting = session->client.output->len;
  if (is_link)
    {
      memset (session->key.bytes, 0xfe, DETOUR_KEY_SIZE);
      session->link = detour_link_tie_new (&session->key, NULL);
    }
  detour_worker_adopt (self->bench->workers[worker], session);
  line_expect (&line, greeting);
  if (is_link)
    line_tell_present (&line, letter);
  return line;
}

/* No clock of budgets runs here. */
static void
run_on_budget (gpointer user)
{
}

static guint64
run_relayed (gpointer user)
{
  return 0;
}

/* All clients have it. */
static void
run_add_class (Run *self)
{
  static const DetourBudgetsPort port = { run_on_budget, run_relayed, run_on_budget };
  DetourConfig *config = self->config = detour_config_new ();
  DetourSettings *settings = detour_settings_new ("all", detour_schema_class, "f", 1);

  config->options.admission.class_ = "all";
  g_assert_true (detour_settings_set (settings, "receive-rate", "10G", "f", 2, NULL));
  g_assert_true (detour_settings_set (settings, "quota", "100000G", "f", 3, NULL));
  g_ptr_array_add (config->classes, detour_class_new ("all", settings));
  self->budgets = detour_budgets_new (&port, self);
  config->options.limits.quota.day = 1;
  detour_budgets_apply (self->budgets, config);
  detour_terms_table_apply (self->bench->terms, config, self->budgets);
}

static void
run_begin (Run *self)
{
  const Scenario *scenario = self->scenario;

  self->bench = worker_bench_new (scenario->n_workers, NULL);
  if (scenario->has_class)
    run_add_class (self);
  for (guint i = 0; i < scenario->n_senders; i++)
    self->senders[i] = run_join_as (self, 0, 1 + i, FALSE);
  for (guint i = 0; i < scenario->n_senders * scenario->n_receivers; i++)
    self->receivers[i] = run_join_as (self, scenario->n_workers - 1, 128 + i, scenario->is_link);
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
  g_clear_pointer (&self->budgets, detour_budgets_free);
  g_clear_pointer (&self->config, detour_config_unref);
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

static gint64
run_cpu_ns (Run *self)
{
  gint64 sum = 0;

  for (guint i = 0; i < self->scenario->n_workers; i++)
    {
      run_ask (self, i, COMMAND_CLOCK);
      sum += self->holds[i].cpu_ns;
    }
  return sum;
}

/* Nanoseconds of the workers for a packet, if @cpu_ns is there for them. */
static void
measure (const Scenario *scenario, double *cpu_ns)
{
  g_autofree Run *run = g_new0 (Run, 1);
  guint a_step = scenario->n_senders * scenario->n_frames;
  /* A step for a packet would be most of the time; a fifth of them shows as much. */
  guint steps = a_step > 1 ? PACKETS / a_step : PACKETS / 5;

  run->scenario = scenario;
  run_begin (run);
  for (guint i = 0; i < WARM_UP; i++)
    run_step (run);

  if (cpu_ns != NULL)
    {
      gint64 begin_ns = run_cpu_ns (run);

      for (guint i = 0; i < steps; i++)
        run_step (run);
      *cpu_ns = (double) (run_cpu_ns (run) - begin_ns) / (steps * a_step);
      run_end (run);
      return;
    }
  CALLGRIND_START_INSTRUMENTATION;
  for (guint i = 0; i < steps; i++)
    run_step (run);
  for (guint i = 0; i < scenario->n_workers; i++)
    run_ask (run, i, COMMAND_DUMP);
  CALLGRIND_STOP_INSTRUMENTATION;

  run_end (run);
  printf ("%s %u\n", scenario->name, steps * a_step);
  fflush (stdout);
}

#ifdef COST_CLOCK
static const Scenario *
find (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (scenarios); i++)
    if (g_str_equal (scenarios[i].name, name))
      return &scenarios[i];
  g_error ("there is no scenario %s", name);
}

static int
compare_doubles (gconstpointer a, gconstpointer b)
{
  const double *x = a, *y = b;

  return (*x > *y) - (*x < *y);
}

#define TURNS 7u

/* Two scenarios in turns, so that what else the machine does meets both; medians. */
static void
compare (const char *first, const char *second)
{
  const Scenario *sides[2] = { find (first), find (second) };
  double ns[2][TURNS];

  for (guint turn = 0; turn < TURNS; turn++)
    for (guint side = 0; side < 2; side++)
      measure (sides[side], &ns[side][turn]);
  for (guint side = 0; side < 2; side++)
    qsort (ns[side], TURNS, sizeof ns[side][0], compare_doubles);
  printf ("%s %.0f ns, %s %.0f ns a packet: %.3f\n", first, ns[0][TURNS / 2], second,
          ns[1][TURNS / 2], ns[1][TURNS / 2] / ns[0][TURNS / 2]);
  fflush (stdout);
}

/* `cost-clock SCENARIO SCENARIO...`: processor time of each pair, with the ciphers that the relay
 * has. */
int
main (int argc, char **argv)
{
  g_assert_cmpint (sodium_init (), >=, 0);
  for (int i = 1; i + 1 < argc; i += 2)
    compare (argv[i], argv[i + 1]);
  return 0;
}
#else
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
      measure (&scenarios[i], NULL);
  return 0;
}
#endif
