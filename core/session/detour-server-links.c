/* detour-server-links.c: links to other relays: who joins which worker, and those that came along
 * from the program before.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-server-private.h"

#include "detour-session-record.h"

/* Within this time after the start a plugin asks for a link that came along. */
#define ASK_S 20u

static void
server_links_release (gpointer owner, gpointer thing)
{
  detour_link_free (thing);
}

DetourLink *
detour_server_dial (gpointer data, DetourInstance *instance, const DetourDialSpec *spec,
                    const DetourLinkFuncs *funcs, gpointer user, GError **error)
{
  DetourServer *self = data;
  DetourLink *link = detour_dialers_dial (self->dialers, spec, funcs, user, error);

  if (link != NULL)
    detour_instance_hold (instance, DETOUR_HOLD_FOR_RUN, server_links_release, self, link);
  return link;
}

void
detour_server_hang_up (gpointer data, DetourInstance *instance, DetourLink *link)
{
  detour_instance_let_go (instance, server_links_release, data, link);
}

void
detour_server_link_stats (gpointer data, DetourLink *link, DetourLinkStats *stats)
{
  detour_link_read_stats (link, stats);
}

void
detour_server_know_peer (gpointer data, const guint8 *server_key)
{
  DetourServer *self = data;
  DetourKey key;

  memcpy (key.bytes, server_key, DETOUR_KEY_SIZE);
  detour_mesh_received_keep (self->received, &key);
}

void
detour_server_read_received (const DetourServer *self, const DetourMeshReport *report,
                             DetourMeshTraffic *now, DetourMeshTraffic *all)
{
  DetourKey key;

  *now = *all = (DetourMeshTraffic) { 0, 0 };
  if (report->server_key == NULL || report->state == DETOUR_MESH_ITSELF)
    return;
  memcpy (key.bytes, report->server_key, DETOUR_KEY_SIZE);
  detour_mesh_received_read (self->received, &key, now, all);
}

/* The worker with the fewest links. */
void
detour_server_join_link (gpointer data, DetourSession *session)
{
  DetourServer *self = data;
  DetourWorker *best = self->workers[0];

  for (guint i = 1; i < self->n_workers; i++)
    if (detour_worker_n_links (self->workers[i]) < detour_worker_n_links (best))
      best = self->workers[i];
  detour_socket_set_connected (session->fd, &self->socket_options);
  detour_worker_adopt (best, session);
}

/* From the program before ---------------------------------------------------------------------- */

DetourLink *
detour_server_find_link (gpointer data, DetourInstance *instance, const char *name,
                         const DetourLinkFuncs *funcs, gpointer user)
{
  DetourServer *self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (DetourLinkTie) tie = NULL;
  DetourLoop *loop;
  DetourLink *link;

  if (self->carried_links == NULL
      || !g_hash_table_steal_extended (self->carried_links, name, NULL, (gpointer *) &tie))
    return NULL;
  loop = detour_dialers_loop (self->dialers, &error);
  if (loop == NULL)
    {
      g_warning ("the link %s is ended: %s", name, error->message);
      detour_link_tie_hang_up (tie);
      return NULL;
    }
  link = detour_link_new_joined (loop, tie, funcs, user);
  if (link != NULL)
    detour_instance_hold (instance, DETOUR_HOLD_FOR_RUN, server_links_release, self, link);
  return link;
}

/* Instances ask for them from their start on, before the sessions can be read, as their record
 * layers come with other instances. */
void
detour_server_expect_link (DetourServer *self, const DetourRecordItem *item)
{
  static const DetourKey unknown;
  char *name = detour_session_record_peek_link (item);

  if (name == NULL)
    return;
  if (self->carried_links == NULL)
    self->carried_links = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                                 (GDestroyNotify) detour_link_tie_unref);
  if (self->expected_links == NULL)
    self->expected_links = g_ptr_array_new_with_free_func ((GDestroyNotify) detour_link_tie_unref);
  g_ptr_array_add (self->expected_links, detour_link_tie_new (&unknown, name));
  if (name[0] != '\0')
    {
      DetourLinkTie *tie = detour_link_tie_ref (
          self->expected_links->pdata[self->expected_links->len - 1]);

      g_hash_table_replace (self->carried_links, tie->name, tie);
    }
  g_free (name);
}

/* What was read of @session goes on with what was expected, whose plugin may hold it. */
void
detour_server_meet_link (DetourServer *self, DetourSession *session)
{
  for (guint i = 0; self->expected_links != NULL && i < self->expected_links->len; i++)
    {
      DetourLinkTie *tie = self->expected_links->pdata[i];

      if (g_strcmp0 (tie->name, session->link->name) != 0)
        continue;
      tie->relay.peer.key = session->key;
      tie->relay.counters = session->link->relay.counters;
      detour_link_tie_unref (session->link);
      session->link = g_ptr_array_steal_index (self->expected_links, i);
      return;
    }
}

static gboolean
server_links_on_unasked (gpointer data)
{
  DetourServer *self = data;
  GHashTableIter iter;
  gpointer tie;

  self->carried_links_timer = 0;
  g_hash_table_iter_init (&iter, self->carried_links);
  while (g_hash_table_iter_next (&iter, NULL, &tie))
    detour_link_tie_hang_up (tie);
  g_clear_pointer (&self->carried_links, g_hash_table_unref);
  return G_SOURCE_REMOVE;
}

void
detour_server_expect_no_more_links (DetourServer *self)
{
  for (guint i = 0; self->expected_links != NULL && i < self->expected_links->len; i++)
    detour_link_tie_end (self->expected_links->pdata[i], DETOUR_LINK_FAULT_ENDED_HERE,
                         "it could not come along");
  g_clear_pointer (&self->expected_links, g_ptr_array_unref);
  if (self->carried_links != NULL)
    self->carried_links_timer = g_timeout_add_seconds (ASK_S, server_links_on_unasked, self);
}

void
detour_server_clear_links (DetourServer *self)
{
  g_clear_handle_id (&self->carried_links_timer, g_source_remove);
  g_clear_pointer (&self->carried_totals, g_free);
  g_clear_pointer (&self->carried_links, g_hash_table_unref);
  g_clear_pointer (&self->expected_links, g_ptr_array_unref);
}
