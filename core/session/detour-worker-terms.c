/* detour-worker-terms.c: the terms of a worker's connections, and their changes.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-worker-private.h"

#include "detour-address.h"
#include "detour-events.h"

/* Connections that are looked at between two rounds of the worker. */
#define SLICE 256u

static void
worker_terms_count_visit (DetourTenantVisit *visit, const DetourClient *client)
{
  detour_tenant_count (visit, &(DetourTenantTraffic) {
                                  .rx_packets = client->rx_packets,
                                  .rx_bytes = client->rx_bytes,
                                  .tx_packets = client->tx_packets,
                                  .tx_bytes = client->tx_bytes,
                                  .dropped_packets = client->dropped_packets,
                              });
}

void
detour_worker_charge (DetourConn *conn)
{
  DetourConnTies *ties = conn->ties;
  guint64 sent = conn->client->rx_bytes;

  if (ties == NULL)
    return;
  if (ties->visit != NULL)
    worker_terms_count_visit (ties->visit, conn->client);
  if (sent == ties->charged_bytes)
    return;
  if (ties->terms != NULL)
    detour_terms_charge (ties->terms, sent - ties->charged_bytes);
  ties->charged_bytes = sent;
}

/* @terms: (transfer full) (nullable) */
static void
worker_terms_set (DetourConn *conn, DetourTenantVisit *visit, DetourTerms *terms,
                  guint64 charged_bytes)
{
  if (visit == NULL && terms == NULL)
    {
      g_clear_pointer (&conn->ties, g_free);
      return;
    }
  if (conn->ties == NULL)
    conn->ties = g_new (DetourConnTies, 1);
  *conn->ties = (DetourConnTies) { visit, terms, charged_bytes };
}

void
detour_worker_tie (DetourConn *conn, DetourSession *session)
{
  DetourTenantVisit *visit = g_steal_pointer (&session->visit);

  conn->client->space = visit != NULL ? detour_tenant_space (visit->tenant) : NULL;
  worker_terms_set (conn, visit, g_steal_pointer (&session->terms), session->client.rx_bytes);
}

void
detour_worker_untie (DetourConn *conn, DetourSession *session)
{
  detour_worker_charge (conn);
  session->visit = detour_conn_visit (conn);
  session->terms = detour_conn_terms (conn);
  worker_terms_set (conn, NULL, NULL, 0);
}

void
detour_worker_drop_terms (DetourConn *conn)
{
  g_autoptr (DetourTerms) terms = detour_conn_terms (conn);
  DetourTenantVisit *visit = detour_conn_visit (conn);

  detour_worker_charge (conn);
  worker_terms_set (conn, NULL, NULL, 0);
  if (terms != NULL)
    detour_terms_leave (terms);
  /* The space of the tenant stays until the connection has left it. */
  if (visit != NULL)
    detour_tenant_leave (visit);
}

const char *
detour_worker_tenant_name (const DetourConn *conn)
{
  const DetourTenantVisit *visit = detour_conn_visit (conn);

  return visit != NULL ? detour_tenant_name (visit->tenant) : NULL;
}

static void
worker_terms_set_rate (DetourWorker *self, DetourConn *conn)
{
  const DetourRelayLimits *limits = &self->shared.limits.relay;
  const DetourTerms *terms = detour_conn_terms (conn);
  DetourClient *client = conn->client;
  gboolean has_rate = terms != NULL && terms->has_rate;
  guint64 rate = has_rate ? terms->receive_rate : limits->receive_rate;
  guint64 burst = has_rate ? terms->receive_burst : limits->receive_burst;

  if (terms != NULL && terms->slow_rate > 0 && (rate == 0 || rate > terms->slow_rate))
    {
      has_rate = TRUE;
      rate = burst = terms->slow_rate;
    }
  if (has_rate)
    detour_relay_set_own_rate (self->shared.relay, client, rate, burst);
  else if (client->has_own_rate)
    detour_relay_clear_own_rate (self->shared.relay, client);
}

/* A client that is going to be closed is told nothing: its user would be shown that for good. */
static void
worker_terms_tell_user (DetourWorker *self, DetourConn *conn)
{
  const DetourTerms *terms = detour_conn_terms (conn);
  gboolean is_over = terms != NULL && !terms->closes
                  && (terms->slow_rate > 0 || terms->denial != NULL);

  detour_relay_set_health (self->shared.relay, conn->client, DETOUR_HEALTH_OVER_BUDGET, is_over);
}

void
detour_worker_choose_terms (DetourWorker *self, DetourConn *conn)
{
  const DetourClient *client = conn->client;
  const DetourVerdict *verdict = client->verdict;
  g_autoptr (DetourTerms) old = NULL;
  DetourTerms *terms;

  if (client->is_mesh)
    return;
  detour_worker_charge (conn);
  old = detour_conn_terms (conn);
  terms = detour_terms_table_choose (self->terms, verdict != NULL ? verdict->class_ : NULL,
                                     detour_worker_tenant_name (conn));
  worker_terms_set (conn, detour_conn_visit (conn), terms, client->rx_bytes);
  if (terms != NULL)
    detour_terms_move_in (terms);
  if (old != NULL)
    detour_terms_leave (old);
  worker_terms_set_rate (self, conn);
  worker_terms_tell_user (self, conn);
  /* Being slowed by a quota is another thing than by a rate, and is told anew. */
  if (terms != NULL && terms->slow_rate > 0 && (old == NULL || old->slow_rate == 0))
    conn->was_slowed = FALSE;
}

static gboolean
worker_terms_closes (const DetourConn *conn)
{
  const DetourTerms *terms = detour_conn_terms (conn);

  return terms != NULL && terms->closes;
}

/* Carries out what terms say about a connection as such. It may be gone afterwards. */
static void
worker_terms_judge (DetourWorker *self, DetourConn *conn)
{
  if (worker_terms_closes (conn))
    detour_worker_judge (self, conn, DETOUR_CLOSE_QUOTA);
  else if (conn->resume_us != 0) /* its wait was reckoned at an old rate */
    detour_worker_judge (self, conn, detour_conn_retry (&self->shared, conn));
}

static void
worker_terms_choose_all (DetourWorker *self)
{
  for (guint i = 0; i < self->conns->len; i++)
    {
      DetourConn *conn = g_ptr_array_index (self->conns, i);

      if (conn == NULL)
        continue;
      detour_worker_choose_terms (self, conn);
      worker_terms_judge (self, conn);
    }
}

void
detour_worker_judge_terms (DetourWorker *self, DetourConn *conn)
{
  if (worker_terms_closes (conn))
    detour_worker_judge (self, conn, DETOUR_CLOSE_QUOTA);
}

static void
worker_terms_on_set_limits (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  g_autofree DetourWorkerLimits *limits = data;

  self->shared.limits = *limits;
  detour_relay_set_limits (self->shared.relay, &limits->relay);
  worker_terms_choose_all (self);
}

void
detour_worker_set_limits (DetourWorker *self, const DetourWorkerLimits *limits)
{
  detour_loop_post (self->shared.loop, worker_terms_on_set_limits,
                    g_memdup2 (limits, sizeof *limits));
}

static void
worker_terms_on_changed (DetourLoop *loop, gpointer data)
{
  worker_terms_choose_all (detour_loop_user (loop));
}

void
detour_worker_terms_changed (DetourWorker *self)
{
  detour_loop_post (self->shared.loop, worker_terms_on_changed, NULL);
}

typedef struct {
  DetourHandle handle;
  DetourVerdict *verdict;
} VerdictMessage;

static const char *
worker_terms_class (const DetourConn *conn)
{
  const DetourTerms *terms = detour_conn_terms (conn);

  return terms != NULL ? terms->class_ : NULL;
}

/* "class fast instead of slow" */
static void
worker_terms_note_class (const DetourConn *conn, const char *before)
{
  const DetourClient *client = conn->client;
  const DetourVerdict *verdict = client->verdict;
  const char *now = worker_terms_class (conn);
  char address[DETOUR_ADDRESS_TEXT_MAX];
  g_autofree char *text = NULL;

  if (g_strcmp0 (before, now) == 0)
    return;
  text = now == NULL    ? g_strdup_printf ("no class any more instead of %s", before)
       : before == NULL ? g_strdup_printf ("class %s instead of none", now)
                        : g_strdup_printf ("class %s instead of %s", now, before);
  detour_address_format_bytes (client->presence.ip, client->presence.port, address);
  detour_events_add (&(DetourEvent) {
      .kind = DETOUR_EVENT_CLASS,
      .key = &client->peer->key,
      .address = address,
      .source = verdict->instance,
      .label = verdict->label,
      .class_ = now,
      .text = text,
  });
}

static void
worker_terms_on_verdict (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  g_autofree VerdictMessage *message = data;
  DetourClient *client = detour_relay_find (self->shared.relay, message->handle);
  DetourConn *conn;
  const char *before; /* interned */

  if (client == NULL)
    {
      detour_verdict_unref (message->verdict);
      return;
    }
  conn = detour_conn_of_client (client);
  g_clear_pointer (&client->verdict, detour_verdict_unref);
  client->verdict = message->verdict;
  before = worker_terms_class (conn);
  detour_worker_choose_terms (self, conn);
  worker_terms_note_class (conn, before);
  worker_terms_judge (self, conn);
}

void
detour_worker_set_verdict (DetourWorker *self, DetourHandle handle, DetourVerdict *verdict)
{
  VerdictMessage *message = g_new (VerdictMessage, 1);

  *message = (VerdictMessage) { handle, detour_verdict_ref (verdict) };
  detour_loop_post (self->shared.loop, worker_terms_on_verdict, message);
}

/* Some at a time, so that packets do not wait for it. */
static void
worker_terms_on_collect (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  guint first = GPOINTER_TO_UINT (data);
  guint end = MIN (first + SLICE, self->conns->len);

  /* The round before is not finished yet. */
  if (first == 0 && self->is_collecting)
    return;
  for (guint i = first; i < end; i++)
    {
      DetourConn *conn = g_ptr_array_index (self->conns, i);

      if (conn != NULL)
        detour_worker_charge (conn);
    }
  self->is_collecting = end < self->conns->len;
  if (self->is_collecting)
    detour_loop_post (loop, worker_terms_on_collect, GUINT_TO_POINTER (end));
}

void
detour_worker_collect (DetourWorker *self)
{
  detour_loop_post (self->shared.loop, worker_terms_on_collect, GUINT_TO_POINTER (0));
}
