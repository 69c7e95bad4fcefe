/* detour-scan.c: looks at the connections of workers, a few at a time while packets go on.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-scan.h"

#include "detour-address.h"
#include "detour-channel-stack.h"
#include "detour-mailbox.h"
#include "detour-tcp-state.h"
#include "detour-worker-private.h"

/* Connections that are copied between two rounds of a worker: some 50 µs. */
#define SLICE 256u
/* Those of whom the kernel is asked, likewise. */
#define SLICE_IDLE 64u
/* Slots that a worker looks at for one page. */
#define PAGE_SLOTS_MAX 1024u

/* What one worker copies; its thread's until it is done. */
typedef struct {
  DetourScan *scan;
  DetourWorker *worker;
  guint32 next; /* slot */
  gint64 now_us;
  GArray *rows; /* of DetourScanRow */
  GStringChunk *texts;
} Part;

struct _DetourScan {
  DetourScanFilter filter;
  guint max; /* of a page */
  DetourScanDone done;
  DetourScanPageDone page_done; /* main thread; NULL: cancelled */
  gpointer user;
  guint n_parts;
  Part *parts;
  gint n_missing; /* parts that are not done; atomic */
  GPtrArray *rows;
};

static void
scan_clear_row (gpointer data)
{
  DetourScanRow *row = data;

  g_clear_pointer (&row->request, detour_auth_request_unref);
  g_clear_pointer (&row->tenant, detour_tenant_unref);
}

static DetourScan *
scan_new (guint n_parts)
{
  DetourScan *self = g_new0 (DetourScan, 1);

  self->n_parts = n_parts;
  self->parts = g_new0 (Part, n_parts);
  self->n_missing = (gint) n_parts;
  return self;
}

static void
scan_init_part (DetourScan *self, guint i, DetourWorker *worker, guint n_expected)
{
  self->parts[i] = (Part) {
    .scan = self,
    .worker = worker,
    .rows = g_array_sized_new (FALSE, FALSE, sizeof (DetourScanRow), n_expected),
    .texts = g_string_chunk_new (1024),
  };
  g_array_set_clear_func (self->parts[i].rows, scan_clear_row);
}

void
detour_scan_free (DetourScan *self)
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
detour_scan_rows (DetourScan *self)
{
  return self->rows;
}

/* On the worker's thread ----------------------------------------------------------------------- */

gboolean
detour_scan_key_fits (const DetourKey *key, const DetourScanFilter *filter)
{
  guint n_bytes = filter->n_digits / 2;

  if (memcmp (key->bytes, filter->key.bytes, n_bytes) != 0)
    return FALSE;
  return filter->n_digits % 2 == 0
      || (key->bytes[n_bytes] & 0xf0) == (filter->key.bytes[n_bytes] & 0xf0);
}

static gboolean
scan_fits (const DetourClient *client, const DetourScanFilter *filter)
{
  return detour_scan_key_fits (&client->peer->key, filter)
      && (filter->networks == NULL
          || detour_net_set_has_bytes (filter->networks, client->presence.ip));
}

/* (nullable) */
static const char *
scan_keep_text (Part *part, const char *text)
{
  return text != NULL ? g_string_chunk_insert_const (part->texts, text) : NULL;
}

static DetourScanRow *
scan_copy_conn (Part *part, const DetourConn *conn)
{
  const DetourClient *client = conn->client;
  const DetourVerdict *verdict = client->verdict;
  const DetourTenantVisit *visit = detour_conn_visit (conn);
  const DetourTerms *terms = detour_conn_terms (conn);
  DetourChannelInfo info = { NULL };
  DetourScanRow row = {
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
    .dropped_long = client->dropped_long,
    .kind = client->kind,
    .health = detour_relay_health (part->worker->shared.relay, client) & 0xf,
    .waiting_bytes = detour_conn_waiting_bytes (conn),
    .listener = conn->listener != NULL ? conn->listener : "",
    .way = detour_channel_stack_way (&conn->channel),
    .tenant = visit != NULL ? detour_tenant_ref (visit->tenant) : NULL,
    .is_home = client->is_preferred,
    .is_mesh = client->is_mesh,
    .is_watcher = client->is_watcher,
    .is_prober = (client->presence.flags & DETOUR_FRAME_PRESENT_PROBER) != 0,
    .is_blocked = conn->rest != NULL,
    .is_suspect = conn->is_suspect,
    .was_slowed = conn->was_slowed,
    .is_over_quota = detour_conn_is_over_quota (conn),
    .seen_us = part->now_us,
    .idle_us = part->scan->filter.wants_idle ? detour_tcp_state_idle_us (conn->io.fd) : -1,
  };

  detour_channel_info (&conn->channel, &info);
  row.tls = scan_keep_text (part, info.version);
  if (verdict != NULL)
    {
      row.label = scan_keep_text (part, verdict->label);
      row.class_ = scan_keep_text (part, verdict->class_);
    }
  if (terms != NULL)
    row.class_ = terms->class_; /* in force; interned */
  g_array_append_val (part->rows, row);
  return &g_array_index (part->rows, DetourScanRow, part->rows->len - 1);
}

/* "" when the address is not known. */
static const char *
scan_format_address (const DetourPresence *presence, char *out)
{
  struct sockaddr_in6 address = { .sin6_family = AF_INET6 };

  memcpy (&address.sin6_addr, presence->ip, sizeof presence->ip);
  if (IN6_IS_ADDR_UNSPECIFIED (&address.sin6_addr))
    return "";
  return detour_address_format_host ((const struct sockaddr *) &address, out);
}

/* The connection does not keep the request of its login, because an idle connection is to be small;
 * what it keeps makes an equal one. */
static DetourAuthRequest *
scan_make_request (const DetourConn *conn)
{
  const DetourPresence *presence = &conn->client->presence;
  const DetourTenantVisit *visit = detour_conn_visit (conn);
  DetourAuthRequest fields = { .listener = conn->listener };
  char app_name[DETOUR_FRAME_APP_NAME_MAX + 1] = "";
  char address[DETOUR_ADDRESS_TEXT_MAX];
  DetourChannelInfo info;

  detour_channel_info (&conn->channel, &info);
  memcpy (fields.key, conn->client->peer->key.bytes, DETOUR_KEY_SIZE);
  memcpy (app_name, presence->name, MIN (presence->name_len, sizeof app_name - 1));
  fields.address = scan_format_address (presence, address);
  fields.sni = info.sni;
  fields.app_name = app_name;
  fields.tenant = visit != NULL ? detour_tenant_name (visit->tenant) : NULL;
  fields.prober = (presence->flags & DETOUR_FRAME_PRESENT_PROBER) != 0;
  return detour_auth_request_new (&fields);
}

/* All connections ------------------------------------------------------------------------------ */

static void
scan_on_all_done (gpointer data)
{
  DetourScan *self = data;

  self->rows = g_ptr_array_new ();
  for (guint i = 0; i < self->n_parts; i++)
    for (guint k = 0; k < self->parts[i].rows->len; k++)
      g_ptr_array_add (self->rows, &g_array_index (self->parts[i].rows, DetourScanRow, k));
  self->done (self, self->user);
}

static void
scan_on_slice (DetourLoop *loop, gpointer data)
{
  Part *part = data;
  guint n_slots = detour_worker_n_slots (part->worker);
  guint end = MIN (part->next + (part->scan->filter.wants_idle ? SLICE_IDLE : SLICE), n_slots);

  part->now_us = g_get_monotonic_time ();
  for (; part->next < end; part->next++)
    {
      const DetourConn *conn = detour_worker_conn_at (part->worker, part->next);

      /* A link is no client. */
      if (conn != NULL && !conn->client->is_link && scan_fits (conn->client, &part->scan->filter))
        scan_copy_conn (part, conn);
    }
  if (part->next < n_slots)
    detour_loop_post (loop, scan_on_slice, part);
  else if (g_atomic_int_dec_and_test (&part->scan->n_missing))
    detour_mailbox_post (NULL, scan_on_all_done, part->scan, NULL);
}

void
detour_scan_all (DetourServer *server, const DetourScanFilter *filter, DetourScanDone done,
                 gpointer user)
{
  DetourScan *self = scan_new (detour_server_n_workers (server));

  if (filter != NULL)
    self->filter = *filter;
  self->done = done;
  self->user = user;
  for (guint i = 0; i < self->n_parts; i++)
    {
      DetourWorker *worker = detour_server_worker (server, i);

      scan_init_part (self, i, worker,
                      self->filter.n_digits > 0 ? 1 : detour_worker_n_conns (worker));
    }
  for (guint i = 0; i < self->n_parts; i++)
    detour_loop_post (detour_worker_loop (self->parts[i].worker), scan_on_slice, &self->parts[i]);
}

/* A page --------------------------------------------------------------------------------------- */

static void
scan_on_page_done (gpointer data)
{
  DetourScan *self = data;
  const Part *part = &self->parts[0];

  if (self->page_done != NULL)
    self->page_done ((const DetourScanRow *) (gpointer) part->rows->data, part->rows->len,
                     part->next, self->user);
  detour_scan_free (self);
}

static void
scan_on_page (DetourLoop *loop, gpointer data)
{
  Part *part = data;
  guint32 n_slots = detour_worker_n_slots (part->worker);
  guint32 slot = part->next;
  guint32 end = slot < n_slots ? MIN (n_slots - slot, PAGE_SLOTS_MAX) + slot : slot;

  for (; slot < end && part->rows->len < part->scan->max; slot++)
    {
      const DetourConn *conn = detour_worker_conn_at (part->worker, slot);

      if (conn != NULL && !conn->client->is_mesh)
        scan_copy_conn (part, conn)->request = scan_make_request (conn);
    }
  part->next = slot < n_slots ? slot : DETOUR_SCAN_END;
  detour_mailbox_post (NULL, scan_on_page_done, part->scan, NULL);
}

DetourScan *
detour_scan_page (DetourWorker *worker, guint32 first, guint max, DetourScanPageDone done,
                  gpointer user)
{
  DetourScan *self = scan_new (1);

  self->max = max;
  self->page_done = done;
  self->user = user;
  scan_init_part (self, 0, worker, max);
  self->parts[0].next = first;
  detour_loop_post (detour_worker_loop (worker), scan_on_page, &self->parts[0]);
  return self;
}

void
detour_scan_cancel (DetourScan *self)
{
  self->page_done = NULL;
}
