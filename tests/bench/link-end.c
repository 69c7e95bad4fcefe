/* link-end.c: what local clients notice when a link that told of many keys ends.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two workers without a server around them. The link is on the first one. Beside it go packets of a
 * client on each worker to itself, and a thread that joins and leaves the registry, which is what a
 * login takes. */
#include "config.h"

#include "worker-bench.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "detour-contacts.h"
#include "detour-link-tie.h"

#define N_WORKERS      2u
#define LETTER(worker) ((guint8) ('A' + (worker)))

/* What one thread does again and again, and how long it took at most. */
typedef struct {
  WorkerBench *bench;
  guint worker;
  GThread *thread;
  gint is_over, n_done;
  gint64 longest_us;
} Probe;

static void
probe_note (Probe *self, gint64 begin_us)
{
  self->longest_us = MAX (self->longest_us, g_get_monotonic_time () - begin_us);
  g_atomic_int_inc (&self->n_done);
}

/* A packet comes round in the worker. */
static gpointer
probe_packets (gpointer data)
{
  Probe *self = data;
  guint8 letter = LETTER (self->worker);
  int fd = worker_bench_join (self->bench, self->worker, letter, FALSE);
  guint8 frame[DETOUR_FRAME_RECV_HEAD_SIZE + 100];

  while (!g_atomic_int_get (&self->is_over))
    {
      gint64 begin_us = g_get_monotonic_time ();

      worker_bench_write (fd, frame, worker_bench_packet (frame, letter, 100, 1));
      worker_bench_read (fd, frame, DETOUR_FRAME_RECV_HEAD_SIZE + 100);
      probe_note (self, begin_us);
      g_usleep (200);
    }
  close (fd);
  return NULL;
}

/* The registry is changed. */
static gpointer
probe_registry (gpointer data)
{
  static const DetourPresence presence;
  Probe *self = data;
  DetourSpace *space = detour_registry_common (self->bench->registry);
  DetourHandle handle = DETOUR_HANDLE_MAKE (0, DETOUR_CONTACTS_SLOT_MAX, 1);
  DetourKey key = { { 'Z' } };

  while (!g_atomic_int_get (&self->is_over))
    {
      gint64 begin_us = g_get_monotonic_time ();
      DetourPeer *peer = detour_registry_join (space, &key, handle, &presence);

      probe_note (self, begin_us);
      detour_registry_leave (space, peer, handle);
      g_usleep (200);
    }
  return NULL;
}

static void
probe_start (Probe *self, WorkerBench *bench, guint worker, GThreadFunc func)
{
  *self = (Probe) { .bench = bench, .worker = worker };
  self->thread = g_thread_new ("probe", func, self);
  while (g_atomic_int_get (&self->n_done) < 3)
    g_usleep (1000);
  self->longest_us = 0;
}

static double
probe_stop (Probe *self)
{
  gint n_done = g_atomic_int_get (&self->n_done);

  /* What was under way is over. */
  while (g_atomic_int_get (&self->n_done) < n_done + 2)
    g_usleep (1000);
  g_atomic_int_set (&self->is_over, TRUE);
  g_thread_join (self->thread);
  return (double) self->longest_us / 1000;
}

/* The far end of a link behind which @n_keys keys are. */
static int
open_link (WorkerBench *bench, guint32 n_keys, DetourLinkTie **tie)
{
  static const guint8 watch[] = { DETOUR_FRAME_WATCH_CONNS, 0, 0, 0, 0 };
  guint8 frame[DETOUR_FRAME_HEADER_SIZE + DETOUR_KEY_SIZE] = { 0 };
  g_autoptr (GByteArray) frames = g_byte_array_new ();
  guint8 pong[DETOUR_FRAME_PONG_SIZE] = { 0 };
  int fd;
  DetourSession *session = worker_bench_session ('R', TRUE, &fd);

  g_byte_array_set_size (session->client.output, 0);
  g_byte_array_append (session->client.output, watch, sizeof watch);
  *tie = detour_link_tie_new (&session->key, "other");
  session->link = detour_link_tie_ref (*tie);
  detour_worker_adopt (bench->workers[0], session);
  worker_bench_read (fd, pong, sizeof watch);
  for (guint32 i = 0; i < n_keys; i++)
    {
      detour_frame_put_header (frame, DETOUR_FRAME_PEER_PRESENT, DETOUR_KEY_SIZE);
      frame[DETOUR_FRAME_HEADER_SIZE] = 'k';
      memcpy (frame + DETOUR_FRAME_HEADER_SIZE + 4, &i, sizeof i);
      g_byte_array_append (frames, frame, sizeof frame);
    }
  detour_frame_put_header (pong, DETOUR_FRAME_PING, DETOUR_FRAME_PING_SIZE);
  g_byte_array_append (frames, pong, sizeof pong);
  worker_bench_write (fd, frames->data, frames->len);
  worker_bench_read (fd, pong, sizeof pong);
  return fd;
}

/* All that a link's end leads to is done. */
static void
wait_until_over (WorkerBench *bench, DetourLinkTie *tie)
{
  gboolean is_over = FALSE;

  while (!is_over)
    {
      g_usleep (200);
      g_mutex_lock (&tie->lock);
      is_over = tie->is_over;
      g_mutex_unlock (&tie->lock);
    }
  for (guint i = 0; i < bench->n; i++)
    detour_worker_wait (bench->workers[i]);
}

static double
cpu_ms (void)
{
  struct timespec now;

  g_assert (clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
  return (double) now.tv_sec * 1e3 + (double) now.tv_nsec / 1e6;
}

enum { CPU, PACKETS_LINK, PACKETS_OTHER, REGISTRY, N_RESULTS };

static void
run (guint32 n_keys, double results[N_RESULTS])
{
  WorkerBench *bench = worker_bench_new (N_WORKERS, NULL);
  DetourLinkTie *tie;
  Probe probes[N_WORKERS], registry;
  int fd = open_link (bench, n_keys, &tie);
  double begin_ms = cpu_ms ();

  close (fd);
  wait_until_over (bench, tie);
  results[CPU] = cpu_ms () - begin_ms;
  detour_link_tie_unref (tie);

  fd = open_link (bench, n_keys, &tie);
  for (guint i = 0; i < N_WORKERS; i++)
    probe_start (&probes[i], bench, i, probe_packets);
  probe_start (&registry, bench, 0, probe_registry);
  close (fd);
  wait_until_over (bench, tie);
  results[PACKETS_LINK] = probe_stop (&probes[0]);
  results[PACKETS_OTHER] = probe_stop (&probes[1]);
  results[REGISTRY] = probe_stop (&registry);
  detour_link_tie_unref (tie);
  worker_bench_free (bench);
}

static int
compare (gconstpointer a, gconstpointer b)
{
  double one = *(const double *) a, other = *(const double *) b;

  return (one > other) - (one < other);
}

int
main (int argc, char **argv)
{
  static const char *const names[N_RESULTS] = { "cpu_ms", "packet_at_the_link_longest_ms",
                                                "packet_elsewhere_longest_ms", "login_longest_ms" };
  guint32 n_keys = argc > 1 ? (guint32) atoi (argv[1]) : 100000;
  guint n_runs = argc > 2 ? (guint) atoi (argv[2]) : 11;
  g_autoptr (GArray) all[N_RESULTS];

  for (guint i = 0; i < N_RESULTS; i++)
    all[i] = g_array_new (FALSE, FALSE, sizeof (double));
  for (guint i = 0; i < n_runs; i++)
    {
      double results[N_RESULTS];

      run (n_keys, results);
      for (guint k = 0; k < N_RESULTS; k++)
        g_array_append_val (all[k], results[k]);
    }
  for (guint i = 0; i < N_RESULTS; i++)
    {
      g_array_sort (all[i], compare);
      printf ("%s %.2f (%.2f to %.2f)\n", names[i], g_array_index (all[i], double, n_runs / 2),
              g_array_index (all[i], double, 0), g_array_index (all[i], double, n_runs - 1));
    }
  return 0;
}
