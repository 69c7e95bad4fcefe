/* detour-snapshot.c: what all connections were like at one moment, copied while packets go on.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-snapshot.h"

#include "detour-worker-private.h"
#include "detour-mailbox.h"

/* Connections looked at between two rounds of a worker: some 50 µs. */
#define SLICE 256u

/* What one worker copies; its thread's until it is done. */
typedef struct {
  DetourSnapshot *snapshot;
  DetourWorker *worker;
  guint next;   /* slot */
  GArray *rows; /* of DetourSnapshotRow */
  GStringChunk *texts;
} Part;

struct _DetourSnapshot {
  DetourSnapshotFilter filter;
  DetourSnapshotDone done;
  gpointer user;
  guint n_parts;
  Part *parts;
  gint n_missing; /* parts that are not done; atomic */
  GPtrArray *rows;
};

static gboolean
snapshot_key_fits (const DetourKey *key, const DetourSnapshotFilter *filter)
{
  guint n_bytes = filter->n_digits / 2;

  if (memcmp (key->bytes, filter->key.bytes, n_bytes) != 0)
    return FALSE;
  return filter->n_digits % 2 == 0
      || (key->bytes[n_bytes] & 0xf0) == (filter->key.bytes[n_bytes] & 0xf0);
}

/* (nullable) */
static const char *
snapshot_keep_text (Part *part, const char *text)
{
  return text != NULL ? g_string_chunk_insert_const (part->texts, text) : NULL;
}

static void
snapshot_copy_conn (Part *part, const DetourConn *conn)
{
  const DetourClient *client = conn->client;
  const DetourVerdict *verdict = client->verdict;
  DetourSnapshotRow row = {
    .key = client->peer->key,
    .handle = client->handle,
    .presence = client->presence,
    .number = conn->number,
    .login_us = client->login_us,
    .rx_packets = client->rx_packets,
    .rx_bytes = client->rx_bytes,
    .tx_packets = client->tx_packets,
    .tx_bytes = client->tx_bytes,
    .dropped_packets = client->dropped_packets,
    .waiting_bytes = detour_relay_waiting_bytes (client)
                   + (conn->rest != NULL ? conn->rest->len - conn->rest->at : 0),
    .listener = conn->listener != NULL ? conn->listener : "",
    .is_home = client->is_preferred,
    .is_mesh = client->is_mesh,
    .is_watcher = client->is_watcher,
    .is_prober = (client->presence.flags & DETOUR_FRAME_PRESENT_PROBER) != 0,
    .is_blocked = conn->rest != NULL,
  };

  if (verdict != NULL)
    {
      row.label = snapshot_keep_text (part, verdict->label);
      row.class_ = snapshot_keep_text (part, verdict->class_);
    }
  g_array_append_val (part->rows, row);
}

static void
snapshot_on_all_done (gpointer data)
{
  DetourSnapshot *self = data;

  self->rows = g_ptr_array_new ();
  for (guint i = 0; i < self->n_parts; i++)
    for (guint k = 0; k < self->parts[i].rows->len; k++)
      g_ptr_array_add (self->rows, &g_array_index (self->parts[i].rows, DetourSnapshotRow, k));
  self->done (self, self->user);
}

static void
snapshot_on_slice (DetourLoop *loop, gpointer data)
{
  Part *part = data;
  DetourWorker *worker = part->worker;
  guint end = MIN (part->next + SLICE, detour_worker_n_slots (worker));

  for (; part->next < end; part->next++)
    {
      const DetourConn *conn = detour_worker_conn_at (worker, part->next);

      if (conn != NULL && snapshot_key_fits (&conn->client->peer->key, &part->snapshot->filter))
        snapshot_copy_conn (part, conn);
    }
  if (part->next < detour_worker_n_slots (worker))
    detour_loop_post (loop, snapshot_on_slice, part);
  else if (g_atomic_int_dec_and_test (&part->snapshot->n_missing))
    detour_mailbox_post (NULL, snapshot_on_all_done, part->snapshot, NULL);
}

void
detour_snapshot_take (DetourServer *server, const DetourSnapshotFilter *filter,
                      DetourSnapshotDone done, gpointer user)
{
  DetourSnapshot *self = g_new0 (DetourSnapshot, 1);

  if (filter != NULL)
    self->filter = *filter;
  self->done = done;
  self->user = user;
  self->n_parts = detour_server_n_carriers (server);
  self->parts = g_new0 (Part, self->n_parts);
  self->n_missing = (gint) self->n_parts;
  for (guint i = 0; i < self->n_parts; i++)
    {
      Part *part = &self->parts[i];
      DetourWorker *worker = detour_server_carrier (server, i);
      guint n_expected = self->filter.n_digits > 0 ? 1 : detour_worker_n_conns (worker);

      *part = (Part) { self, worker, 0,
                       g_array_sized_new (FALSE, FALSE, sizeof (DetourSnapshotRow), n_expected),
                       g_string_chunk_new (1024) };
    }
  for (guint i = 0; i < self->n_parts; i++)
    detour_loop_post (detour_worker_loop (self->parts[i].worker), snapshot_on_slice,
                      &self->parts[i]);
}

void
detour_snapshot_free (DetourSnapshot *self)
{
  for (guint i = 0; i < self->n_parts; i++)
    {
      g_array_unref (self->parts[i].rows);
      g_string_chunk_free (self->parts[i].texts);
    }
  g_clear_pointer (&self->rows, g_ptr_array_unref);
  g_free (self->parts);
  g_free (self);
}

GPtrArray *
detour_snapshot_rows (DetourSnapshot *self)
{
  return self->rows;
}
