/* bench-crowd.c: many clients of one thread: opens them a few at a time, and again when a
 * connection breaks off.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-crowd.h"

/* What Tailscale's client gives a connection attempt. */
#define BENCH_CROWD_PATIENCE_US  (10 * G_USEC_PER_SEC)
#define BENCH_CROWD_CHECK_US     (100 * G_TIME_SPAN_MILLISECOND)
#define BENCH_CROWD_RETRY_MAX_US (5 * G_USEC_PER_SEC)

typedef struct {
  BenchClient *client;
  gint64 due_us;
} BenchCrowdRetry;

static guint
bench_crowd_index (BenchCrowd *self, BenchClient *client)
{
  return (guint) (client - self->clients);
}

static void
bench_crowd_on_opened (BenchClient *client, gpointer user)
{
  BenchCrowd *self = user;

  self->n_opening--;
  self->n_open++;
  self->n_logins++;
  self->opening_us += client->opened_us - client->started_us;
  self->attempts[bench_crowd_index (self, client)] = 0;
  if (self->opened != NULL)
    self->opened (client, self->user);
}

static void
bench_crowd_on_frame (BenchClient *client, guint8 type, guint8 *payload, guint32 len, gpointer user)
{
  BenchCrowd *self = user;

  if (self->frame != NULL)
    self->frame (client, type, payload, len, self->user);
}

/* The back-off of Tailscale's client: n² times 10 ms, up to 5 s, times a factor between a half and
 * one and a half. */
static void
bench_crowd_retry (BenchCrowd *self, BenchClient *client)
{
  guint8 *attempts = &self->attempts[bench_crowd_index (self, client)];
  gint64 wait_us;
  BenchCrowdRetry retry = { .client = client };

  if (*attempts < G_MAXUINT8)
    (*attempts)++;
  wait_us = MIN ((gint64) *attempts * *attempts * 10 * G_TIME_SPAN_MILLISECOND,
                 BENCH_CROWD_RETRY_MAX_US);
  retry.due_us = g_get_monotonic_time ()
               + (gint64) ((double) wait_us * g_random_double_range (0.5, 1.5));
  g_array_append_val (self->retries, retry);
}

static void
bench_crowd_on_closed (BenchClient *client, BenchClientState before, const char *why, gpointer user)
{
  BenchCrowd *self = user;

  self->why = why;
  if (before == BENCH_CLIENT_OPEN)
    {
      self->n_open--;
      self->n_closed++;
      return;
    }
  self->n_opening--;
  self->n_retries++;
  bench_crowd_retry (self, client);
}

static const BenchClientFuncs bench_crowd_client_funcs = {
  .opened = bench_crowd_on_opened,
  .frame = bench_crowd_on_frame,
  .closed = bench_crowd_on_closed,
};

gboolean
bench_crowd_init (BenchCrowd *self, BenchTarget *target, guint first, guint n, guint at_once,
                  GError **error)
{
  *self = (BenchCrowd) { .n = n, .at_once = MAX (at_once, 1) };
  if (!bench_loop_init (&self->loop, target, &bench_crowd_client_funcs, self, error))
    return FALSE;
  g_queue_init (&self->waiting);
  self->retries = g_array_new (FALSE, FALSE, sizeof (BenchCrowdRetry));
  self->attempts = g_new0 (guint8, n);
  self->clients = g_new0 (BenchClient, n);
  for (guint i = 0; i < n; i++)
    bench_client_init (&self->clients[i], &self->loop, first + i);
  return TRUE;
}

void
bench_crowd_clear (BenchCrowd *self)
{
  for (guint i = 0; i < self->n; i++)
    bench_client_clear (&self->clients[i]);
  g_queue_clear (&self->waiting);
  g_clear_pointer (&self->retries, g_array_unref);
  g_clear_pointer (&self->attempts, g_free);
  g_clear_pointer (&self->clients, g_free);
  bench_loop_clear (&self->loop);
}

void
bench_crowd_want (BenchCrowd *self, guint index)
{
  g_queue_push_tail (&self->waiting, &self->clients[index]);
}

static void
bench_crowd_check (BenchCrowd *self, gint64 now_us)
{
  self->checked_us = now_us;
  for (guint i = 0; i < self->n && self->n_opening > 0; i++)
    {
      BenchClient *client = &self->clients[i];

      if (client->state == BENCH_CLIENT_CLOSED || client->state == BENCH_CLIENT_OPEN
          || now_us - client->started_us < BENCH_CROWD_PATIENCE_US)
        continue;
      BenchClientState before = client->state;

      bench_client_close (client, TRUE);
      bench_crowd_on_closed (client, before, "no login within 10 s", self);
    }
}

static void
bench_crowd_start (BenchCrowd *self, BenchClient *client)
{
  g_autoptr (GError) error = NULL;

  self->n_opening++;
  if (bench_client_start (client, &error))
    return;
  bench_crowd_on_closed (client, BENCH_CLIENT_CONNECTING, g_intern_string (error->message), self);
}

void
bench_crowd_turn (BenchCrowd *self, gint64 timeout_ns)
{
  gint64 now_us = 0;

  if (self->n_opening > 0 || self->retries->len > 0)
    {
      now_us = g_get_monotonic_time ();
      timeout_ns = MIN (timeout_ns, 5 * G_GINT64_CONSTANT (1000000));
      if (now_us - self->checked_us >= BENCH_CROWD_CHECK_US)
        bench_crowd_check (self, now_us);
    }
  for (guint i = self->retries->len; i > 0; i--)
    {
      BenchCrowdRetry *retry = &g_array_index (self->retries, BenchCrowdRetry, i - 1);

      if (retry->due_us > now_us)
        continue;
      g_queue_push_tail (&self->waiting, retry->client);
      g_array_remove_index_fast (self->retries, i - 1);
    }
  while (self->n_opening < self->at_once && !g_queue_is_empty (&self->waiting))
    bench_crowd_start (self, g_queue_pop_head (&self->waiting));
  bench_loop_turn (&self->loop, timeout_ns);
}

gboolean
bench_crowd_open (BenchCrowd *self, gint64 timeout_us, GError **error)
{
  gint64 limit_us = g_get_monotonic_time () + timeout_us;
  guint closed_before = self->n_closed;

  for (guint i = 0; i < self->n; i++)
    if (self->clients[i].state == BENCH_CLIENT_CLOSED)
      bench_crowd_want (self, i);
  while (self->n_open < self->n && self->n_closed == closed_before
         && g_get_monotonic_time () < limit_us)
    bench_crowd_turn (self, 100 * G_GINT64_CONSTANT (1000000));
  if (self->n_open == self->n)
    return TRUE;
  g_set_error (error, BENCH_ERROR, BENCH_ERROR_SERVER,
               "%u of %u clients logged in; the last that failed: %s", self->n_open, self->n,
               self->why != NULL ? self->why : "took too long");
  return FALSE;
}

void
bench_crowd_close (BenchCrowd *self, gboolean reset)
{
  for (guint i = 0; i < self->n; i++)
    bench_client_close (&self->clients[i], reset);
  g_queue_clear (&self->waiting);
  g_array_set_size (self->retries, 0);
  self->n_open = self->n_opening = 0;
}

gboolean
bench_crowd_probe (BenchTarget *target, GError **error)
{
  BenchCrowd crowd;
  gboolean opened;

  if (target->kind == BENCH_TARGET_RAW)
    return TRUE;
  if (!bench_crowd_init (&crowd, target, 0, 1, 1, error))
    return FALSE;
  opened = bench_crowd_open (&crowd, 3 * G_USEC_PER_SEC, error);
  bench_crowd_clear (&crowd);
  return opened;
}
