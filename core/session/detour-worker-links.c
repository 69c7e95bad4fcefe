/* detour-worker-links.c: links to other relays of the mesh that a worker carries.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-worker-private.h"

static DetourLinkTie *
worker_links_tie (const DetourConn *conn)
{
  return (DetourLinkTie *) (gpointer) conn->client->peer;
}

void
detour_worker_join_link (DetourWorker *self, DetourConn *conn, DetourSession *session,
                         DetourHandle handle)
{
  DetourLinkTie *tie = g_steal_pointer (&session->link);

  detour_relay_join_link (self->shared.relay, conn->client, &tie->relay, handle);
  g_ptr_array_add (self->links, conn);
  detour_relay_restore (self->shared.relay, conn->client, &session->client);
  detour_relay_restore_link (self->shared.relay, conn->client, session->keys, session->preferred);
  if (detour_link_tie_set_worker (tie, self))
    detour_worker_judge (self, conn, detour_conn_start (&self->shared, conn, session));
  else
    detour_worker_close_link (self, conn, DETOUR_CLOSE_KICKED);
}

void
detour_worker_forget_link (DetourWorker *self, DetourConn *conn)
{
  g_ptr_array_remove_fast (self->links, conn);
  __atomic_fetch_sub (&self->n_links, 1, __ATOMIC_RELAXED);
}

/* Who ended it: the other relay, or the network between them, or else this one. */
static DetourLinkFault
worker_links_fault (DetourClose reason)
{
  return reason == DETOUR_CLOSE_PEER || reason == DETOUR_CLOSE_RESET || reason == DETOUR_CLOSE_WRITE
           ? DETOUR_LINK_FAULT_OTHER
           : DETOUR_LINK_FAULT_ENDED_HERE;
}

void
detour_worker_close_link (DetourWorker *self, DetourConn *conn, DetourClose reason)
{
  g_autoptr (DetourLinkTie) tie = worker_links_tie (conn);

  detour_worker_forget_conn (self, conn);
  detour_relay_leave (self->shared.relay, conn->client);
  detour_conn_clear (&self->shared, conn,
                     reason != DETOUR_CLOSE_WRITE && reason != DETOUR_CLOSE_RESET);
  detour_link_tie_end (tie, worker_links_fault (reason), detour_conn_limit_text (conn, reason));
}

void
detour_worker_detach_link (DetourWorker *self, DetourConn *conn, DetourSession *session)
{
  session->link = worker_links_tie (conn);
  session->preferred = detour_worker_carry_preferred (&self->carry, conn->client->handle);
  session->keys = detour_relay_detach_link (self->shared.relay, conn->client);
  detour_link_tie_set_worker (session->link, NULL);
}

static void
worker_links_on_end (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  g_autoptr (DetourLinkTie) tie = data;

  for (guint i = 0; i < self->links->len; i++)
    {
      DetourConn *conn = g_ptr_array_index (self->links, i);

      if (worker_links_tie (conn) != tie)
        continue;
      detour_worker_close_link (self, conn, DETOUR_CLOSE_KICKED);
      return;
    }
}

void
detour_worker_end_link (DetourWorker *self, DetourLinkTie *tie)
{
  detour_loop_post (self->shared.loop, worker_links_on_end, tie);
}

guint
detour_worker_n_links (const DetourWorker *self)
{
  return __atomic_load_n (&self->n_links, __ATOMIC_RELAXED);
}
