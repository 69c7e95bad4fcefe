/* detour-worker-carry.c: takes the connections of a worker apart into sessions, and back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-channel-table.h"
#include "detour-worker-private.h"

/* A client that was taken over, and the keys that it was sent packets by. */
typedef struct {
  DetourHandle handle;
  GArray *contacts; /* of DetourKey */
} Unresolved;

/* One that is behind several links. */
typedef struct {
  DetourHandle link; /* that gets its packets */
  DetourKey key;
} Preferred;

static void
worker_carry_clear_unresolved (gpointer data)
{
  g_array_unref (((Unresolved *) data)->contacts);
}

void
detour_worker_carry_init (DetourWorkerCarry *self)
{
  self->unresolved = g_array_new (FALSE, FALSE, sizeof (Unresolved));
  g_array_set_clear_func (self->unresolved, worker_carry_clear_unresolved);
  self->gone = g_array_new (FALSE, FALSE, sizeof (DetourKey));
  self->preferred = g_array_new (FALSE, FALSE, sizeof (Preferred));
}

void
detour_worker_carry_clear (DetourWorkerCarry *self)
{
  g_array_unref (self->unresolved);
  g_array_unref (self->gone);
  g_array_unref (self->preferred);
  g_clear_pointer (&self->keys, g_hash_table_unref);
}

static void
worker_carry_add_contacts (DetourWorker *self, DetourClient *client, const GArray *contacts)
{
  for (guint i = 0; i < contacts->len; i++)
    detour_relay_add_contact (self->shared.relay, client, &g_array_index (contacts, DetourKey, i));
}

void
detour_worker_resolve (DetourWorker *self, DetourClient *client, GArray *contacts)
{
  Unresolved unresolved = { client->handle, contacts };

  if (self->carry.is_frozen)
    {
      g_array_append_val (self->carry.unresolved, unresolved);
      return;
    }
  worker_carry_add_contacts (self, client, contacts);
  g_array_unref (contacts);
}

static void
worker_carry_note_key (const DetourPeer *peer, DetourHandle handle, const DetourPresence *presence,
                       gpointer user)
{
  g_hash_table_insert (user, g_memdup2 (&peer->id, sizeof peer->id),
                       g_memdup2 (&peer->key, sizeof peer->key));
}

static void
worker_carry_note_remote (const DetourPeer *peer, gpointer user)
{
  DetourWorkerCarry *self = user;
  Preferred preferred = { atomic_load_explicit (&peer->active, memory_order_relaxed), peer->key };

  worker_carry_note_key (peer, DETOUR_HANDLE_NONE, NULL, self->keys);
  if (atomic_load_explicit (&peer->n_conns, memory_order_relaxed) > 1)
    g_array_append_val (self->preferred, preferred);
}

GArray *
detour_worker_carry_preferred (const DetourWorkerCarry *self, DetourHandle link)
{
  GArray *keys = NULL;

  for (guint i = 0; i < self->preferred->len; i++)
    {
      const Preferred *preferred = &g_array_index (self->preferred, Preferred, i);

      if (preferred->link != link)
        continue;
      if (keys == NULL)
        keys = g_array_new (FALSE, FALSE, sizeof (DetourKey));
      g_array_append_val (keys, preferred->key);
    }
  return keys;
}

static void
worker_carry_on_freeze (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);

  self->carry.is_frozen = TRUE;
  detour_loop_hold (loop, TRUE);
  g_clear_pointer (&self->carry.keys, g_hash_table_unref);
  self->carry.keys = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  detour_registry_each_key_of_all (self->registry, worker_carry_note_key, self->carry.keys);
  g_array_set_size (self->carry.preferred, 0);
  detour_registry_each_remote (self->registry, worker_carry_note_remote, &self->carry);
  for (guint i = 0; i < self->conns->len; i++)
    {
      DetourConn *conn = g_ptr_array_index (self->conns, i);

      if (conn != NULL)
        conn->is_frozen = TRUE;
    }
  detour_worker_flush (self);
  detour_worker_rings_publish (self->rings, self->index);
}

void
detour_worker_freeze (DetourWorker *self)
{
  detour_loop_call (self->shared.loop, worker_carry_on_freeze, NULL);
}

static void
worker_carry_on_thaw (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);

  self->carry.is_frozen = FALSE;
  detour_loop_hold (loop, FALSE);
  g_clear_pointer (&self->carry.keys, g_hash_table_unref);
  for (guint i = 0; i < self->carry.unresolved->len; i++)
    {
      const Unresolved *unresolved = &g_array_index (self->carry.unresolved, Unresolved, i);
      DetourClient *client = detour_relay_find (self->shared.relay, unresolved->handle);

      if (client != NULL)
        worker_carry_add_contacts (self, client, unresolved->contacts);
    }
  g_array_set_size (self->carry.unresolved, 0);
  for (guint i = 0; i < self->carry.gone->len; i++)
    {
      const DetourKey *key = &g_array_index (self->carry.gone, DetourKey, i);

      if (detour_registry_find (detour_registry_common (self->registry), key) == NULL)
        detour_worker_tell_watchers_gone (self, key);
    }
  g_array_set_size (self->carry.gone, 0);
  for (guint i = 0; i < self->conns->len; i++)
    {
      DetourConn *conn = g_ptr_array_index (self->conns, i);

      if (conn == NULL || !conn->is_frozen)
        continue;
      if (!detour_conn_shared_has_room (&self->shared))
        detour_worker_flush (self);
      if (!conn->is_closed)
        detour_worker_judge (self, conn, detour_conn_thaw (&self->shared, conn));
    }
}

static void
worker_carry_on_wait (DetourLoop *loop, gpointer data)
{
}

void
detour_worker_wait (DetourWorker *self)
{
  detour_loop_call (self->shared.loop, worker_carry_on_wait, NULL);
}

void
detour_worker_thaw (DetourWorker *self)
{
  detour_loop_post (self->shared.loop, worker_carry_on_thaw, NULL);
}

typedef struct {
  int fd;
  gboolean good;
} Inheritance;

static void
worker_carry_on_inherit (DetourLoop *loop, gpointer data)
{
  Inheritance *inheritance = data;

  inheritance->good = detour_loop_inherit (loop, inheritance->fd);
}

gboolean
detour_worker_inherit (DetourWorker *self, int watch_fd)
{
  Inheritance inheritance = { watch_fd, FALSE };

  detour_loop_call (self->shared.loop, worker_carry_on_inherit, &inheritance);
  return inheritance.good;
}

static void
worker_carry_sample_conn (const DetourConn *conn, DetourWorkerSample *sample)
{
  g_autofree char *names = NULL;
  GBytes *saved;

  if (!detour_channel_is_saved (&conn->channel))
    {
      sample->n_lost++;
      return;
    }
  if (conn->client->is_mesh)
    sample->n_links++;
  else
    sample->n_kept++;
  names = detour_channel_dup_names (&conn->channel);
  if (g_hash_table_contains (sample->seen, names))
    return;
  g_hash_table_add (sample->seen, g_steal_pointer (&names));
  saved = detour_channel_save (&conn->channel);
  if (saved == NULL)
    return;
  detour_record_put (sample->out, sample->tag, g_bytes_get_data (saved, NULL),
                     g_bytes_get_size (saved));
  g_bytes_unref (saved);
}

static void
worker_carry_on_sample (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);

  for (guint i = 0; i < self->conns->len; i++)
    {
      const DetourConn *conn = g_ptr_array_index (self->conns, i);

      if (conn != NULL)
        worker_carry_sample_conn (conn, data);
    }
}

void
detour_worker_sample (DetourWorker *self, DetourWorkerSample *sample)
{
  detour_loop_call (self->shared.loop, worker_carry_on_sample, sample);
}

static DetourSession *
worker_carry_detach_conn (DetourWorker *self, DetourConn *conn)
{
  DetourSession *session = g_new0 (DetourSession, 1);
  DetourClient *client = conn->client;

  session->key = client->peer->key;
  session->presence = client->presence;
  session->is_mesh = client->is_mesh;
  session->traits = (DetourClientTraits) {
    .kind = (DetourClientKind) client->kind,
    .takes_extra = client->takes_extra,
    .ends_on_long = client->ends_on_long,
  };
  session->verdict = g_steal_pointer (&client->verdict);
  if (client->is_link)
    detour_worker_detach_link (self, conn, session);
  detour_worker_untie (conn, session);
  detour_worker_forget_conn (self, conn);
  detour_relay_detach (self->shared.relay, client, self->carry.keys, &session->client);
  detour_conn_detach (&self->shared, conn, session);
  session->watched_by = self->index + 1;
  return session;
}

static void
worker_carry_on_detach_all (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  GPtrArray *sessions = data;

  g_assert (self->carry.is_frozen);
  detour_worker_rings_receive (self->rings, self->index, self->shared.relay);
  detour_worker_flush (self);
  for (guint i = 0; i < self->conns->len; i++)
    {
      DetourConn *conn = g_ptr_array_index (self->conns, i);

      if (conn != NULL)
        g_ptr_array_add (sessions, worker_carry_detach_conn (self, conn));
    }
}

void
detour_worker_detach_all (DetourWorker *self, GPtrArray *sessions)
{
  detour_loop_call (self->shared.loop, worker_carry_on_detach_all, sessions);
}
