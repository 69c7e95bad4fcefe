/* detour-path-look.c: watches the connection of one client for a while, and those that send to it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * In turn: the client's worker says who has sent to it, every worker finds those among its own
 * connections, and then all that have one read it at the same moments. */
#include "config.h"

#include "detour-path-look.h"

#include "detour-mailbox.h"
#include "detour-thread-time.h"
#include "detour-worker-private.h"

/* Connections that a worker goes through between two rounds. */
#define SLICE 256u
/* Senders that one worker watches. */
#define SENDERS_MAX 64u
/* Looks, and the most time between two of them. */
#define TICKS       20
#define TICK_US_MAX (500 * 1000)

typedef struct {
  DetourKey key;
  DetourHandle handle;
  DetourPathTrack track;
  gboolean is_gone;
} Watched;

/* Of one worker; written by its thread while the main thread waits for it. */
typedef struct {
  DetourPathLook *look;
  DetourWorker *worker;
  guint32 next; /* slot */
  Watched client;
  gboolean has_client;
  GArray *senders; /* of Watched */
  DetourThreadTime begin, end;
  gint64 begin_us, end_us;
  guint64 late_us; /* sum */
  guint n_ticks;
} Part;

struct _DetourPathLook {
  DetourServer *server;
  DetourKey key;
  gint64 time_us;
  DetourPathLookDone done;
  gpointer user;
  DetourHandle handle;     /* the client's */
  DetourPresence presence; /* its address */
  guint64 number;
  GHashTable *ids; /* of the peers that have sent to it */
  guint n_parts;
  Part *parts;
  gint n_missing; /* parts that have not answered; atomic */
  gint64 start_us;
  gint64 step_us;
  guint n_steps, step;
  guint timer;
  gboolean is_stopping;
};

typedef struct {
  Part *part;
  gint64 due_us;
  gboolean is_last;
} Tick;

/* The end ------------------------------------------------------------------------------------- */

static void
path_look_free (DetourPathLook *self)
{
  for (guint i = 0; i < self->n_parts; i++)
    g_array_unref (self->parts[i].senders);
  g_free (self->parts);
  g_hash_table_unref (self->ids);
  g_free (self);
}

static int
path_look_compare (gconstpointer a, gconstpointer b)
{
  const DetourPathSender *one = a, *other = b;

  return one->figures.rx_bytes < other->figures.rx_bytes ? 1
       : one->figures.rx_bytes > other->figures.rx_bytes ? -1
                                                         : 0;
}

static GArray *
path_look_list_senders (DetourPathLook *self)
{
  GArray *senders = g_array_new (FALSE, FALSE, sizeof (DetourPathSender));

  for (guint i = 0; i < self->n_parts; i++)
    for (guint k = 0; k < self->parts[i].senders->len; k++)
      {
        const Watched *watched = &g_array_index (self->parts[i].senders, Watched, k);
        DetourPathSender sender = { .key = watched->key };

        detour_path_track_figures (&watched->track, &sender.figures);
        if (sender.figures.rx_bytes > 0)
          g_array_append_val (senders, sender);
      }
  g_array_sort (senders, path_look_compare);
  return senders;
}

static void
path_look_add_load (const Part *part, DetourPathLoad *load)
{
  guint64 time_us = (guint64) MAX (part->end_us - part->begin_us, 0);

  load->cpu = MAX (load->cpu, detour_path_share (part->end.cpu_us - part->begin.cpu_us, time_us));
  load->wait = MAX (load->wait,
                    detour_path_share (part->end.wait_us - part->begin.wait_us, time_us));
  load->late_us = MAX (load->late_us, part->late_us / MAX (part->n_ticks, 1));
}

static void
path_look_finish (DetourPathLook *self)
{
  DetourPathReport report = { .key = self->key,
                              .presence = self->presence,
                              .number = self->number };
  g_autoptr (GArray) senders = path_look_list_senders (self);
  g_autofree DetourPathFigures *figures = g_new0 (DetourPathFigures, MAX (senders->len, 1));
  const Watched *client = NULL;

  for (guint i = 0; i < self->n_parts; i++)
    {
      const Part *part = &self->parts[i];

      if (part->n_ticks > 0)
        path_look_add_load (part, &report.load);
      if (part->has_client)
        client = &part->client;
    }
  for (guint i = 0; i < senders->len; i++)
    figures[i] = g_array_index (senders, DetourPathSender, i).figures;
  if (self->is_stopping || client == NULL || client->is_gone)
    self->done (NULL, !self->is_stopping && self->handle != DETOUR_HANDLE_NONE, self->user);
  else
    {
      detour_path_track_figures (&client->track, &report.figures);
      report.senders = (const DetourPathSender *) (gpointer) senders->data;
      report.n_senders = senders->len;
      report.cause = detour_path_judge (&report.figures, figures, senders->len, &report.load);
      self->done (&report, FALSE, self->user);
    }
  path_look_free (self);
}

static void
path_look_on_finished (gpointer data)
{
  path_look_finish (data);
}

/* Looks, on a worker's thread ------------------------------------------------------------------ */

static void
path_look_read (Part *part, Watched *watched)
{
  DetourClient *client = detour_relay_find (part->worker->shared.relay, watched->handle);
  DetourPathReading reading;
  const DetourConn *conn;

  watched->is_gone = client == NULL;
  if (client == NULL)
    return;
  conn = detour_conn_of_client (client);
  reading = (DetourPathReading) {
    .now_us = g_get_monotonic_time (),
    .rx_packets = client->rx_packets,
    .rx_bytes = client->rx_bytes,
    .tx_packets = client->tx_packets,
    .tx_bytes = client->tx_bytes,
    .dropped_packets = client->dropped_packets,
    .waiting_bytes = detour_conn_waiting_bytes (conn),
    .is_held_up = conn->resume_us != 0,
  };
  detour_tcp_state_read (conn->io.fd, &reading.tcp);
  detour_path_track_add (&watched->track, &reading);
}

static void path_look_on_left (gpointer data);

static void
path_look_on_tick (DetourLoop *loop, gpointer data)
{
  g_autofree Tick *tick = data;
  Part *part = tick->part;
  gint64 now_us = g_get_monotonic_time ();

  if (part->n_ticks == 0)
    {
      part->begin_us = now_us;
      detour_thread_time_read (&part->begin);
    }
  part->n_ticks++;
  part->late_us += (guint64) MAX (now_us - tick->due_us, 0);
  if (part->has_client && !part->client.is_gone)
    {
      path_look_read (part, &part->client);
      if (part->client.is_gone)
        detour_mailbox_post (NULL, path_look_on_left, part->look, NULL);
    }
  for (guint i = 0; i < part->senders->len; i++)
    path_look_read (part, &g_array_index (part->senders, Watched, i));
  if (!tick->is_last)
    return;
  part->end_us = g_get_monotonic_time ();
  detour_thread_time_read (&part->end);
  if (g_atomic_int_dec_and_test (&part->look->n_missing))
    detour_mailbox_post (NULL, path_look_on_finished, part->look, NULL);
}

/* Main thread. */
static void
path_look_post_ticks (DetourPathLook *self, gint64 due_us, gboolean is_last)
{
  guint n = 0;

  for (guint i = 0; i < self->n_parts; i++)
    n += self->parts[i].has_client || self->parts[i].senders->len > 0;
  if (is_last)
    self->n_missing = (gint) n;
  for (guint i = 0; i < self->n_parts; i++)
    {
      Part *part = &self->parts[i];
      Tick *tick;

      if (!part->has_client && part->senders->len == 0)
        continue;
      tick = g_new (Tick, 1);
      *tick = (Tick) { part, due_us, is_last };
      detour_loop_post (detour_worker_loop (part->worker), path_look_on_tick, tick);
    }
}

/* Main thread. The last look at the workers, before its time. */
static void
path_look_end_now (DetourPathLook *self)
{
  if (self->timer == 0)
    return;
  g_source_remove (self->timer);
  self->timer = 0;
  path_look_post_ticks (self, g_get_monotonic_time (), TRUE);
}

static void
path_look_on_left (gpointer data)
{
  path_look_end_now (data);
}

static gboolean
path_look_on_step (gpointer data)
{
  DetourPathLook *self = data;
  gint64 now_us = g_get_monotonic_time (), due_us = self->start_us + self->step * self->step_us;
  gboolean is_last;
  gint64 next_us;

  /* When this thread is late for several of them at once, they are one. */
  self->step = (guint) ((now_us - self->start_us) / self->step_us);
  is_last = self->step >= self->n_steps;
  path_look_post_ticks (self, due_us, is_last);
  self->step++;
  next_us = self->start_us + self->step * self->step_us - now_us;
  self->timer = is_last
                  ? 0
                  : g_timeout_add ((guint) (MAX (next_us, 0) / 1000) + 1, path_look_on_step, self);
  return G_SOURCE_REMOVE;
}

/* Finding the senders -------------------------------------------------------------------------- */

static void
path_look_on_ready (gpointer data)
{
  DetourPathLook *self = data;

  self->start_us = g_get_monotonic_time ();
  path_look_post_ticks (self, self->start_us, self->is_stopping);
  self->step = 1;
  if (!self->is_stopping)
    self->timer = g_timeout_add ((guint) (self->step_us / 1000), path_look_on_step, self);
}

static void
path_look_on_slice (DetourLoop *loop, gpointer data)
{
  Part *part = data;
  guint n_slots = detour_worker_n_slots (part->worker);
  guint end = MIN (part->next + SLICE, n_slots);

  for (; part->next < end && part->senders->len < SENDERS_MAX; part->next++)
    {
      const DetourConn *conn = detour_worker_conn_at (part->worker, part->next);
      guint64 id = conn != NULL ? conn->client->peer->id : 0;

      if (conn != NULL && g_hash_table_contains (part->look->ids, &id))
        g_array_append_val (part->senders, ((Watched) { .key = conn->client->peer->key,
                                                        .handle = conn->client->handle }));
    }
  if (part->next < n_slots && part->senders->len < SENDERS_MAX)
    detour_loop_post (loop, path_look_on_slice, part);
  else if (g_atomic_int_dec_and_test (&part->look->n_missing))
    detour_mailbox_post (NULL, path_look_on_ready, part->look, NULL);
}

static void
path_look_on_found (gpointer data)
{
  DetourPathLook *self = data;
  gboolean is_found = FALSE;

  for (guint i = 0; i < self->n_parts; i++)
    is_found = is_found || self->parts[i].has_client;
  if (!is_found || self->is_stopping)
    {
      path_look_finish (self);
      return;
    }
  self->n_missing = (gint) self->n_parts;
  for (guint i = 0; i < self->n_parts; i++)
    detour_loop_post (detour_worker_loop (self->parts[i].worker), path_look_on_slice,
                      &self->parts[i]);
}

static void
path_look_add_id (guint64 sender, gpointer user)
{
  g_hash_table_add (((DetourPathLook *) user)->ids, g_memdup2 (&sender, sizeof sender));
}

static void
path_look_on_client (DetourLoop *loop, gpointer data)
{
  Part *part = data;
  DetourPathLook *self = part->look;
  DetourRelay *relay = part->worker->shared.relay;
  DetourClient *client = detour_relay_find (relay, self->handle);

  if (client != NULL)
    {
      part->has_client = TRUE;
      part->client = (Watched) { .key = self->key, .handle = self->handle };
      self->presence = client->presence;
      self->number = detour_conn_of_client (client)->number;
      detour_relay_each_sender (relay, client, path_look_add_id, self);
    }
  detour_mailbox_post (NULL, path_look_on_found, self, NULL);
}

/* ---------------------------------------------------------------------------------------------- */

/* The connection that gets the packets of the key; of several spaces one of them. */
static void
path_look_take_handle (const DetourPeer *peer, DetourHandle handle, const DetourPresence *presence,
                       gpointer user)
{
  DetourPathLook *self = user;

  if (self->handle == DETOUR_HANDLE_NONE || detour_peer_active ((DetourPeer *) peer) == handle)
    self->handle = handle;
}

DetourPathLook *
detour_path_look_start (DetourServer *server, const DetourKey *key, gint64 time_us,
                        DetourPathLookDone done, gpointer user)
{
  DetourPathLook *self = g_new0 (DetourPathLook, 1);

  self->server = server;
  self->key = *key;
  self->time_us = time_us;
  self->n_steps = (guint) MAX (TICKS, (time_us + TICK_US_MAX - 1) / TICK_US_MAX);
  self->step_us = time_us / self->n_steps;
  self->done = done;
  self->user = user;
  self->ids = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  self->n_parts = detour_server_n_workers (server);
  self->parts = g_new0 (Part, self->n_parts);
  for (guint i = 0; i < self->n_parts; i++)
    self->parts[i] = (Part) { .look = self,
                              .worker = detour_server_worker (server, i),
                              .senders = g_array_new (FALSE, TRUE, sizeof (Watched)) };

  detour_registry_each_conn_of_all (detour_server_registry (server), key, path_look_take_handle,
                                    self);
  if (self->handle == DETOUR_HANDLE_NONE)
    detour_mailbox_post (NULL, path_look_on_finished, self, NULL);
  else
    {
      Part *part = &self->parts[DETOUR_HANDLE_WORKER (self->handle)];

      detour_loop_post (detour_worker_loop (part->worker), path_look_on_client, part);
    }
  return self;
}

void
detour_path_look_stop (DetourPathLook *self)
{
  self->is_stopping = TRUE;
  path_look_end_now (self);
}
