/* detour-registry.c: the tables of connected peers that all workers share.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-registry.h"

#include "detour-registry-private.h"

typedef struct {
  DetourHandle handle;
  const DetourPresence *presence;
} DupConn;

/* All connections of a key that has several: first those in the history, least recent speaker
 * first, then the others. The one that logged in second is among the others until it first speaks.
 */
typedef struct _DetourRegistryDup {
  guint32 cap;
  bool is_contested; /* one took over from another that had logged in after it */
  DupConn conns[];
} Dup;

DetourPeer *
detour_registry_find (DetourSpace *space, const DetourKey *key)
{
  gsize place;

  return detour_peer_table_find (&space->table, key, &place);
}

/* ---- quiescent states ------------------------------------------------------------------------ */

static void
registry_try_reclaim (DetourRegistry *self)
{
  /* The thread that holds the mutex does it itself; the rest waits for the next chance. */
  if (pthread_mutex_trylock (&self->mutex) == 0)
    {
      detour_qsbr_reclaim (self->qsbr);
      pthread_mutex_unlock (&self->mutex);
    }
}

void
detour_registry_quiescent (DetourRegistry *self, guint worker)
{
  if (detour_qsbr_point (self->qsbr, worker))
    registry_try_reclaim (self);
}

void
detour_registry_offline (DetourRegistry *self, guint worker)
{
  if (detour_qsbr_offline (self->qsbr, worker))
    registry_try_reclaim (self);
}

void
detour_registry_online (DetourRegistry *self, guint worker)
{
  detour_qsbr_online (self->qsbr, worker);
}

static void
registry_free_peer (void *owner, void *peer)
{
  detour_slab_release (owner, peer);
}

/* ---- peers and their connections, under the mutex -------------------------------------------- */

void
detour_registry_retire (DetourRegistry *self, DetourPeer *peer)
{
  atomic_store (&peer->active, DETOUR_HANDLE_NONE);
  detour_qsbr_retire (self->qsbr, registry_free_peer, self->peers, peer);
}

/* A key that another relay of the mesh has as well has not left the region. */
static void
registry_peer_left (DetourSpace *space, DetourPeer *peer)
{
  DetourRegistry *self = space->registry;
  const DetourGone gone = { peer->id, peer->key };
  guint from = DETOUR_GONE_FROM_HERE;

  detour_peer_table_remove (&space->table, peer, self->qsbr);
  self->stats.n_keys--;
  if (space != self->common || detour_registry_remote_of (self, &peer->key) == NULL)
    from |= DETOUR_GONE_FROM_REGION;
  else
    self->stats.n_remote_only++;
  detour_registry_retire (self, peer);
  if (self->observer.gone != NULL)
    self->observer.gone (space, &gone, 1, from, self->observer.user);
}

/* A key that is here and behind a link has one id, so that whoever heard from it over one way hears
 * of its leaving over the other. */
static guint64
registry_take_id (DetourSpace *space, const DetourKey *key)
{
  DetourRegistry *self = space->registry;
  const DetourPeer *remote = space == self->common ? detour_registry_remote_of (self, key) : NULL;

  if (remote == NULL)
    return self->next_id++;
  self->stats.n_remote_only--;
  return remote->id;
}

static guint32
registry_peer_n_history (const DetourPeer *peer)
{
  return atomic_load_explicit (&peer->n_history, memory_order_relaxed);
}

static void
registry_peer_set_n_history (DetourPeer *peer, guint32 n_history)
{
  atomic_store_explicit (&peer->n_history, n_history, memory_order_relaxed);
}

static guint32
registry_dup_index (const Dup *dup, guint32 n_conns, DetourHandle handle)
{
  for (guint32 i = 0; i < n_conns; i++)
    if (dup->conns[i].handle == handle)
      return i;
  abort (); /* not joined, or left already */
}

static Dup *
registry_dup_resize (Dup *dup, guint32 cap)
{
  dup = realloc (dup, sizeof *dup + cap * sizeof dup->conns[0]);
  detour_registry_insist (dup != NULL);
  dup->cap = cap;
  return dup;
}

/* Puts @conn at the end of the history. It is not in the record, which has @n_conns. */
static void
registry_dup_append_history (DetourPeer *peer, guint32 n_conns, DupConn conn)
{
  DupConn *end = &peer->dup->conns[registry_peer_n_history (peer)];

  memmove (end + 1, end, (n_conns - registry_peer_n_history (peer)) * sizeof conn);
  *end = conn;
  registry_peer_set_n_history (peer, registry_peer_n_history (peer) + 1);
}

/* Takes the connection at @i out of the record, which has @n_conns. */
static DupConn
registry_dup_take (DetourPeer *peer, guint32 n_conns, guint32 i)
{
  DupConn conn = peer->dup->conns[i];

  memmove (&peer->dup->conns[i], &peer->dup->conns[i + 1], (n_conns - i - 1) * sizeof conn);
  if (i < registry_peer_n_history (peer))
    registry_peer_set_n_history (peer, registry_peer_n_history (peer) - 1);
  return conn;
}

static void
registry_peer_add_dup (DetourRegistry *self, DetourPeer *peer, DupConn conn)
{
  guint32 n_conns = detour_registry_peer_n_conns (peer);

  if (n_conns == 1)
    {
      DupConn first = { detour_registry_peer_active (peer), peer->presence };

      /* The second one is not in the history: only those that logged in later, or spoke, are. */
      peer->dup = registry_dup_resize (NULL, 4);
      peer->dup->is_contested = false;
      peer->dup->conns[0] = first;
      peer->dup->conns[1] = conn;
      registry_peer_set_n_history (peer, 1);
      self->stats.n_dup_keys++;
      self->stats.n_dup_conns++;
    }
  else
    {
      if (n_conns == peer->dup->cap)
        peer->dup = registry_dup_resize (peer->dup, 2 * n_conns);
      registry_dup_append_history (peer, n_conns, conn);
      if (peer->dup->is_contested)
        self->observer.contested (conn.handle, true, self->observer.user);
    }
  self->stats.n_dup_conns++;
  self->stats.total_dups++;
  detour_registry_peer_set_n_conns (peer, n_conns + 1);
}

/* The active connection is also the last one that logged in or spoke, so that one is not kept
 * apart. */
static void
registry_peer_remove_dup (DetourRegistry *self, DetourPeer *peer, DetourHandle handle)
{
  guint32 n_conns = detour_registry_peer_n_conns (peer);

  registry_dup_take (peer, n_conns, registry_dup_index (peer->dup, n_conns, handle));
  n_conns--;
  self->stats.n_dup_conns--;
  if (n_conns == 1)
    {
      Dup *dup = peer->dup;

      peer->presence = dup->conns[0].presence;
      atomic_store (&peer->active, dup->conns[0].handle);
      if (dup->is_contested && self->observer.contested != NULL)
        self->observer.contested (dup->conns[0].handle, false, self->observer.user);
      free (dup);
      self->stats.n_dup_conns--;
      self->stats.n_dup_keys--;
    }
  else if (detour_registry_peer_active (peer) == handle)
    {
      /* All but one of two or more are in the history. */
      detour_registry_insist (registry_peer_n_history (peer) > 0);
      atomic_store (&peer->active, peer->dup->conns[registry_peer_n_history (peer) - 1].handle);
    }
  detour_registry_peer_set_n_conns (peer, n_conns);
}

static void
registry_peer_each_conn (const DetourPeer *peer, DetourRegistryFunc func, gpointer user)
{
  guint32 n_conns = detour_registry_peer_n_conns (peer);

  if (n_conns == 1)
    func (peer, detour_registry_peer_active (peer), peer->presence, user);
  else
    for (guint32 i = 0; i < n_conns; i++)
      func (peer, peer->dup->conns[i].handle, peer->dup->conns[i].presence, user);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static DetourSpace *
registry_space_new (DetourRegistry *self)
{
  DetourSpace *space = aligned_alloc (64, (sizeof *space + 63) / 64 * 64);

  detour_registry_insist (space != NULL);
  memset (space, 0, sizeof *space);
  detour_peer_table_init (&space->table);
  space->registry = self;
  space->next = self->spaces;
  self->spaces = space;
  self->stats.n_spaces++;
  return space;
}

static void
registry_free_space (void *owner, void *space)
{
  detour_peer_table_clear (&((DetourSpace *) space)->table);
  free (space);
}

/* A worker may still hold it: it has just found out that its last connection there has left. */
static void
registry_drop_space_if_empty (DetourSpace *space)
{
  DetourRegistry *self = space->registry;
  DetourSpace **at = &self->spaces;

  if (!space->is_closed || space->n_conns > 0)
    return;
  while (*at != space)
    at = &(*at)->next;
  *at = space->next;
  self->stats.n_spaces--;
  detour_qsbr_retire (self->qsbr, registry_free_space, NULL, space);
}

DetourRegistry *
detour_registry_new (guint n_workers, const DetourRegistryObserver *observer)
{
  DetourRegistry *self = aligned_alloc (64, (sizeof *self + 63) / 64 * 64);

  detour_registry_insist (self != NULL && n_workers >= 1
                          && n_workers <= DETOUR_REGISTRY_WORKERS_MAX);
  memset (self, 0, sizeof *self);
  self->qsbr = detour_qsbr_new (n_workers);
  detour_registry_insist (pthread_mutex_init (&self->mutex, NULL) == 0);
  if (observer != NULL)
    self->observer = *observer;
  self->peers = detour_slab_new (sizeof (DetourPeer));
  self->next_id = 1;
  self->common = registry_space_new (self);
  detour_peer_table_init (&self->remotes);
  return self;
}

void
detour_registry_free (DetourRegistry *self)
{
  detour_registry_insist (self->stats.n_conns == 0);
  while (self->spaces != NULL)
    {
      DetourSpace *space = self->spaces;

      self->spaces = space->next;
      registry_free_space (NULL, space);
    }
  detour_registry_clear_remotes (self);
  detour_qsbr_free (self->qsbr);
  detour_slab_free (self->peers);
  pthread_mutex_destroy (&self->mutex);
  free (self);
}

DetourSpace *
detour_registry_common (DetourRegistry *self)
{
  return self->common;
}

bool
detour_registry_is_common (const DetourSpace *space)
{
  return space == space->registry->common;
}

DetourSpace *
detour_registry_open_space (DetourRegistry *self)
{
  DetourSpace *space;

  pthread_mutex_lock (&self->mutex);
  space = registry_space_new (self);
  pthread_mutex_unlock (&self->mutex);
  return space;
}

void
detour_registry_close_space (DetourSpace *space)
{
  DetourRegistry *self = space->registry;

  detour_registry_insist (!detour_registry_is_common (space));
  pthread_mutex_lock (&self->mutex);
  detour_registry_insist (!space->is_closed);
  space->is_closed = true;
  registry_drop_space_if_empty (space);
  pthread_mutex_unlock (&self->mutex);
}

DetourPeer *
detour_registry_join (DetourSpace *space, const DetourKey *key, DetourHandle handle,
                      const DetourPresence *presence)
{
  DetourRegistry *self = space->registry;
  DetourPeer *peer;
  gsize place;

  detour_registry_insist (handle != DETOUR_HANDLE_NONE);
  pthread_mutex_lock (&self->mutex);
  detour_qsbr_reclaim (self->qsbr);
  peer = detour_peer_table_find (&space->table, key, &place);
  if (peer != NULL)
    {
      registry_peer_add_dup (self, peer, (DupConn) { handle, presence });
      atomic_store (&peer->active, handle);
    }
  else
    {
      peer = detour_slab_alloc (self->peers);
      detour_registry_insist (peer != NULL);
      peer->key = *key;
      peer->id = registry_take_id (space, key);
      peer->presence = presence;
      detour_registry_peer_set_n_conns (peer, 1);
      atomic_store (&peer->active, handle);
      detour_peer_table_insert (&space->table, peer, self->qsbr);
      self->stats.n_keys++;
    }
  space->n_conns++;
  self->stats.n_conns++;
  if (self->observer.joined != NULL)
    self->observer.joined (space, peer, handle, presence, self->observer.user);
  pthread_mutex_unlock (&self->mutex);
  return peer;
}

void
detour_registry_leave (DetourSpace *space, DetourPeer *peer, DetourHandle handle)
{
  DetourRegistry *self = space->registry;

  pthread_mutex_lock (&self->mutex);
  detour_qsbr_reclaim (self->qsbr);
  self->stats.n_conns--;
  if (detour_registry_peer_n_conns (peer) > 1)
    {
      registry_peer_remove_dup (self, peer, handle);
    }
  else
    {
      detour_registry_insist (detour_registry_peer_active (peer) == handle);
      registry_peer_left (space, peer);
    }
  space->n_conns--;
  registry_drop_space_if_empty (space);
  pthread_mutex_unlock (&self->mutex);
}

/* A client that has dialled again leaves a connection behind that says nothing any more. Only where
 * that goes on to speak there are two clients. */
static void
registry_contest (DetourRegistry *self, DetourPeer *peer)
{
  Dup *dup = peer->dup;

  if (dup->is_contested || self->observer.contested == NULL)
    return;
  dup->is_contested = true;
  for (guint32 i = 0; i < detour_registry_peer_n_conns (peer); i++)
    self->observer.contested (dup->conns[i].handle, true, self->observer.user);
}

void
detour_registry_speak (DetourRegistry *self, DetourPeer *peer, DetourHandle handle)
{
  guint32 n_conns;

  pthread_mutex_lock (&self->mutex);
  n_conns = detour_registry_peer_n_conns (peer);
  if (n_conns > 1)
    {
      DupConn conn = registry_dup_take (peer, n_conns,
                                        registry_dup_index (peer->dup, n_conns, handle));

      registry_dup_append_history (peer, n_conns - 1, conn);
      if (detour_registry_peer_active (peer) != handle)
        registry_contest (self, peer);
      atomic_store (&peer->active, handle);
    }
  pthread_mutex_unlock (&self->mutex);
}

static void
registry_space_each_key (DetourSpace *space, DetourRegistryFunc func, gpointer user)
{
  for (gsize i = 0; i <= detour_peer_table_last (&space->table); i++)
    {
      DetourPeer *peer = detour_peer_table_at (&space->table, i);
      DetourHandle active;
      const DetourPresence *presence;

      if (peer == NULL)
        continue;
      active = detour_registry_peer_active (peer);
      if (detour_registry_peer_n_conns (peer) == 1)
        presence = peer->presence;
      else
        presence = peer->dup
                       ->conns[registry_dup_index (peer->dup, detour_registry_peer_n_conns (peer),
                                                   active)]
                       .presence;
      func (peer, active, presence, user);
    }
}

static guint
registry_space_each_conn (DetourSpace *space, const DetourKey *key, DetourRegistryFunc func,
                          gpointer user)
{
  gsize place;
  DetourPeer *peer = detour_peer_table_find (&space->table, key, &place);

  if (peer == NULL)
    return 0;
  registry_peer_each_conn (peer, func, user);
  return detour_registry_peer_n_conns (peer);
}

void
detour_registry_each_key (DetourSpace *space, DetourRegistryFunc func, gpointer user)
{
  pthread_mutex_lock (&space->registry->mutex);
  registry_space_each_key (space, func, user);
  pthread_mutex_unlock (&space->registry->mutex);
}

void
detour_registry_each_key_of_all (DetourRegistry *self, DetourRegistryFunc func, gpointer user)
{
  pthread_mutex_lock (&self->mutex);
  for (DetourSpace *space = self->spaces; space != NULL; space = space->next)
    registry_space_each_key (space, func, user);
  pthread_mutex_unlock (&self->mutex);
}

guint
detour_registry_each_conn (DetourSpace *space, const DetourKey *key, DetourRegistryFunc func,
                           gpointer user)
{
  guint n;

  pthread_mutex_lock (&space->registry->mutex);
  n = registry_space_each_conn (space, key, func, user);
  pthread_mutex_unlock (&space->registry->mutex);
  return n;
}

guint
detour_registry_each_conn_of_all (DetourRegistry *self, const DetourKey *key,
                                  DetourRegistryFunc func, gpointer user)
{
  guint n = 0;

  pthread_mutex_lock (&self->mutex);
  for (DetourSpace *space = self->spaces; space != NULL; space = space->next)
    n += registry_space_each_conn (space, key, func, user);
  pthread_mutex_unlock (&self->mutex);
  return n;
}

void
detour_registry_stats (DetourRegistry *self, DetourRegistryStats *stats)
{
  pthread_mutex_lock (&self->mutex);
  *stats = self->stats;
  stats->n_remote_keys = atomic_load_explicit (&self->n_remotes, memory_order_relaxed);
  stats->n_retired = detour_qsbr_n_retired (self->qsbr);
  pthread_mutex_unlock (&self->mutex);
}

void
detour_registry_set_totals (DetourRegistry *self, const DetourRegistryStats *stats)
{
  pthread_mutex_lock (&self->mutex);
  self->stats.total_dups = stats->total_dups;
  self->stats.total_multi_created = stats->total_multi_created;
  self->stats.total_multi_deleted = stats->total_multi_deleted;
  self->stats.total_other_deleted = stats->total_other_deleted;
  pthread_mutex_unlock (&self->mutex);
}
