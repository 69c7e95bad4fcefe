/* detour-worker-drain.c: closes the connections of a worker one after the other.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-worker-private.h"

#include "detour-tcp-state.h"

/* Connections that are looked at, and closed, between two rounds of the worker. */
#define SLICE      256u
#define CLOSES_MAX 8u

/* Since the peer was sent something; -1: the kernel does not know, as with a Unix socket. */
static gint64
worker_drain_quiet_us (const DetourConn *conn)
{
  return conn->rest != NULL ? 0 : detour_tcp_state_quiet_us (conn->io.fd);
}

/* The kernel is asked only about those that would have to go if they are quiet. */
static gboolean
worker_drain_is_due (const DetourDrainPlan *plan, const DetourConn *conn, gint64 elapsed_us)
{
  const DetourClient *client = conn->client;
  DetourDrainTurn turn = detour_drain_turn (client->kind, client->is_mesh, -1);

  if (elapsed_us >= detour_drain_due_us (plan, turn, conn->number))
    return TRUE;
  if (turn != DETOUR_DRAIN_BUSY
      || elapsed_us < detour_drain_due_us (plan, DETOUR_DRAIN_QUIET, conn->number))
    return FALSE;
  return detour_drain_turn (client->kind, client->is_mesh, worker_drain_quiet_us (conn))
      == DETOUR_DRAIN_QUIET;
}

/* Over connections of the mesh clients of other servers reach those that are still here. TRUE for a
 * client: it is reserved. */
static gboolean
worker_drain_may_close (const DetourDrainPlan *plan, gboolean is_mesh)
{
  return is_mesh ? plan->n_left (plan->user) == 0 : detour_drain_reserve (plan);
}

/* FALSE: it stays, for now at least. */
static gboolean
worker_drain_close (DetourWorker *self, DetourConn *conn)
{
  if (detour_relay_hush (self->shared.relay, conn->client) && self->drain.plan.for_us > 0)
    return FALSE;
  /* It gets what came for it in this round. */
  detour_worker_flush (self);
  if (!conn->is_closed)
    detour_worker_judge (self, conn, DETOUR_CLOSE_DRAINING);
  return TRUE;
}

/* TRUE: the connection is closed. What its user was told is taken back first, which is something
 * sent: the client is looked at again in a later pass. */
static gboolean
worker_drain_look (DetourWorker *self, DetourConn *conn)
{
  const DetourDrainPlan *plan = &self->drain.plan;
  gint64 elapsed_us = detour_loop_now_us (self->shared.loop) - plan->begin_us;
  gboolean is_mesh = conn->client->is_mesh;
  gboolean is_closed;

  if (!worker_drain_is_due (plan, conn, elapsed_us) || !worker_drain_may_close (plan, is_mesh))
    return FALSE;
  is_closed = worker_drain_close (self, conn);
  if (!is_mesh)
    detour_drain_release (plan);
  return is_closed;
}

static void
worker_drain_on_slice (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  DetourWorkerDrain *drain = &self->drain;
  guint end, n_closed = 0;

  if (!drain->is_passing)
    return;
  end = MIN (drain->next + SLICE, self->conns->len);
  while (drain->next < end && n_closed < CLOSES_MAX)
    {
      DetourConn *conn = g_ptr_array_index (self->conns, drain->next++);

      /* Clients that are still here may be talked to over links. */
      if (conn != NULL && !conn->client->is_link && worker_drain_look (self, conn))
        n_closed++;
    }
  drain->is_passing = drain->next < self->conns->len;
  if (drain->is_passing)
    detour_loop_post (loop, worker_drain_on_slice, NULL);
}

static void
worker_drain_on_pass (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);

  /* The pass before is not finished yet. */
  if (!self->drain.is_active || self->drain.is_passing)
    return;
  self->drain.is_passing = TRUE;
  self->drain.next = 0;
  worker_drain_on_slice (loop, NULL);
}

static void
worker_drain_on_begin (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  g_autofree DetourDrainPlan *plan = data;

  self->drain.is_active = TRUE;
  self->drain.plan = *plan;
}

/* Users are told again what they had been told. */
static void
worker_drain_on_end (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);

  self->drain = (DetourWorkerDrain) { FALSE };
  for (guint i = 0; i < self->conns->len; i++)
    {
      DetourConn *conn = g_ptr_array_index (self->conns, i);

      if (conn != NULL && conn->client->is_hushed)
        detour_relay_speak (self->shared.relay, conn->client);
    }
}

void
detour_worker_drain (DetourWorker *self, const DetourDrainPlan *plan)
{
  if (plan != NULL)
    detour_loop_post (self->shared.loop, worker_drain_on_begin, g_memdup2 (plan, sizeof *plan));
  else
    detour_loop_post (self->shared.loop, worker_drain_on_end, NULL);
}

void
detour_worker_drain_pass (DetourWorker *self)
{
  detour_loop_post (self->shared.loop, worker_drain_on_pass, NULL);
}
