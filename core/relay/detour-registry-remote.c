/* detour-registry-remote.c: keys that are known behind links to other relays of the mesh.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The links behind which a key is known are kept in the order in which they told of it, and the
 * first one gets its packets, so that they do not go now this way and now that. */
#include "config.h"

#include "detour-registry.h"

#include "detour-registry-private.h"

/* Places of the table that are looked at in one piece when a link ends. */
#define DROP_LOOKS 4096u

DetourPeer *
detour_registry_remote_of (DetourRegistry *self, const DetourKey *key)
{
  gsize place;

  return detour_peer_table_find (&self->remotes, key, &place);
}

DetourPeer *
detour_registry_find_remote (DetourRegistry *self, const DetourKey *key)
{
  if (atomic_load_explicit (&self->n_remotes, memory_order_relaxed) == 0)
    return NULL;
  return detour_registry_remote_of (self, key);
}

DetourPeer *
detour_registry_find_anywhere (DetourSpace *space, const DetourKey *key)
{
  DetourPeer *peer = detour_registry_find (space, key);

  if (peer == NULL && detour_registry_is_common (space))
    peer = detour_registry_find_remote (space->registry, key);
  return peer;
}

/* ---- links of a key, under the mutex --------------------------------------------------------- */

/* Its place among the links, or how many there are. */
static guint32
registry_remote_index (const DetourPeer *peer, DetourHandle link)
{
  guint32 n = detour_registry_peer_n_conns (peer);

  if (n == 1)
    return detour_registry_peer_active (peer) == link ? 0 : 1;
  for (guint32 i = 0; i < n; i++)
    if (peer->forwarders[i] == link)
      return i;
  return n;
}

static void
registry_remote_append (DetourRegistry *self, DetourPeer *peer, DetourHandle link)
{
  guint32 n = detour_registry_peer_n_conns (peer);
  DetourHandle first = detour_registry_peer_active (peer);
  DetourHandle *links = realloc (n == 1 ? NULL : peer->forwarders, (n + 1) * sizeof *links);

  detour_registry_insist (links != NULL);
  if (n == 1)
    {
      links[0] = first;
      self->stats.total_multi_created++;
    }
  links[n] = link;
  peer->forwarders = links;
  detour_registry_peer_set_n_conns (peer, n + 1);
}

/* One of several. */
static void
registry_remote_take (DetourRegistry *self, DetourPeer *peer, guint32 i)
{
  guint32 n = detour_registry_peer_n_conns (peer) - 1;

  memmove (&peer->forwarders[i], &peer->forwarders[i + 1], (n - i) * sizeof peer->forwarders[0]);
  atomic_store (&peer->active, peer->forwarders[0]);
  if (n == 1)
    {
      free (peer->forwarders);
      peer->forwarders = NULL;
      self->stats.total_multi_deleted++;
    }
  detour_registry_peer_set_n_conns (peer, n);
}

/* TRUE: it is not here either. */
static bool
registry_remote_left (DetourRegistry *self, DetourPeer *peer)
{
  detour_peer_table_remove (&self->remotes, peer, self->qsbr);
  atomic_fetch_sub_explicit (&self->n_remotes, 1, memory_order_relaxed);
  detour_registry_retire (self, peer);
  if (detour_registry_find (self->common, &peer->key) != NULL)
    return false;
  self->stats.n_remote_only--;
  return true;
}

static void
registry_remote_tell (DetourRegistry *self, const DetourGone *gone, guint n)
{
  if (n > 0 && self->observer.gone != NULL)
    self->observer.gone (self->common, gone, n, DETOUR_GONE_FROM_REGION, self->observer.user);
}

static void
registry_remote_new (DetourRegistry *self, const DetourKey *key, DetourHandle link)
{
  const DetourPeer *local = detour_registry_find (self->common, key);
  DetourPeer *peer = detour_slab_alloc (self->peers);

  detour_registry_insist (peer != NULL);
  peer->key = *key;
  if (local == NULL)
    self->stats.n_remote_only++;
  peer->id = local != NULL ? local->id : self->next_id++;
  peer->forwarders = NULL;
  detour_registry_peer_set_n_conns (peer, 1);
  atomic_store (&peer->active, link);
  detour_peer_table_insert (&self->remotes, peer, self->qsbr);
  atomic_fetch_add_explicit (&self->n_remotes, 1, memory_order_relaxed);
}

/* ---- calls ----------------------------------------------------------------------------------- */

bool
detour_registry_add_forwarder (DetourRegistry *self, const DetourKey *key, DetourHandle link)
{
  DetourPeer *peer;
  bool is_new = true;

  detour_registry_insist (link != DETOUR_HANDLE_NONE);
  pthread_mutex_lock (&self->mutex);
  detour_qsbr_reclaim (self->qsbr);
  peer = detour_registry_remote_of (self, key);
  if (peer == NULL)
    registry_remote_new (self, key, link);
  else if (registry_remote_index (peer, link) < detour_registry_peer_n_conns (peer))
    is_new = false;
  else
    registry_remote_append (self, peer, link);
  pthread_mutex_unlock (&self->mutex);
  return is_new;
}

bool
detour_registry_remove_forwarder (DetourRegistry *self, const DetourKey *key, DetourHandle link)
{
  DetourPeer *peer;
  bool was_there = false;

  pthread_mutex_lock (&self->mutex);
  detour_qsbr_reclaim (self->qsbr);
  peer = detour_registry_remote_of (self, key);
  if (peer != NULL)
    {
      guint32 n = detour_registry_peer_n_conns (peer), i = registry_remote_index (peer, link);

      was_there = i < n;
      if (was_there && n > 1)
        registry_remote_take (self, peer, i);
      else if (was_there)
        {
          const DetourGone gone = { peer->id, peer->key };

          registry_remote_tell (self, &gone, registry_remote_left (self, peer) ? 1 : 0);
        }
      else if (n == 1)
        self->stats.total_other_deleted++;
    }
  else if (detour_registry_find (self->common, key) != NULL)
    self->stats.total_other_deleted++;
  pthread_mutex_unlock (&self->mutex);
  return was_there;
}

void
detour_registry_prefer_forwarder (DetourRegistry *self, const DetourKey *key, DetourHandle link)
{
  DetourPeer *peer;

  pthread_mutex_lock (&self->mutex);
  peer = detour_registry_remote_of (self, key);
  if (peer != NULL && detour_registry_peer_n_conns (peer) > 1)
    {
      guint32 i = registry_remote_index (peer, link);

      if (i < detour_registry_peer_n_conns (peer))
        {
          memmove (&peer->forwarders[1], &peer->forwarders[0], i * sizeof peer->forwarders[0]);
          peer->forwarders[0] = link;
          atomic_store (&peer->active, link);
        }
    }
  pthread_mutex_unlock (&self->mutex);
}

/* Where a walk through all remote keys has come to. */
typedef struct {
  DetourHandle link;
  bool tells;
  DetourRegistryKeyFunc func;
  gpointer user;
  guint64 n_arrays; /* of the table, when the walk was there */
  gsize at;
  gsize n_dropped;
} Drop;

static bool
registry_remote_drop_one (DetourRegistry *self, DetourPeer *peer, Drop *drop)
{
  guint32 n = detour_registry_peer_n_conns (peer), i = registry_remote_index (peer, drop->link);

  if (i == n)
    return false;
  drop->n_dropped++;
  if (drop->func != NULL)
    drop->func (&peer->key, drop->user);
  if (n == 1)
    return registry_remote_left (self, peer);
  registry_remote_take (self, peer, i);
  return false;
}

/* One piece, under the mutex. FALSE: it was the last one. Whoever removes a key may replace the
 * table, now or between two pieces; then the walk begins again, in one that is smaller mostly. */
static bool
registry_remote_drop_some (DetourRegistry *self, Drop *drop)
{
  DetourGone gone[DETOUR_REGISTRY_GONE_MAX];
  gsize end;
  guint n = 0;

  if (drop->n_arrays != self->remotes.n_arrays)
    drop->at = 0;
  drop->n_arrays = self->remotes.n_arrays;
  end = MIN (drop->at + DROP_LOOKS, detour_peer_table_last (&self->remotes) + 1);
  for (; drop->at < end && n < G_N_ELEMENTS (gone) && drop->n_arrays == self->remotes.n_arrays;
       drop->at++)
    {
      DetourPeer *peer = detour_peer_table_at (&self->remotes, drop->at);

      if (peer == NULL)
        continue;
      gone[n] = (DetourGone) { peer->id, peer->key };
      if (registry_remote_drop_one (self, peer, drop))
        n++;
    }
  if (drop->tells)
    registry_remote_tell (self, gone, n);
  return drop->n_arrays != self->remotes.n_arrays
      || drop->at <= detour_peer_table_last (&self->remotes);
}

gsize
detour_registry_drop_forwarder (DetourRegistry *self, DetourHandle link, bool tells,
                                DetourRegistryKeyFunc func, gpointer user)
{
  Drop drop = { .link = link, .tells = tells, .func = func, .user = user };
  bool goes_on;

  do
    {
      pthread_mutex_lock (&self->mutex);
      detour_qsbr_reclaim (self->qsbr);
      goes_on = registry_remote_drop_some (self, &drop);
      pthread_mutex_unlock (&self->mutex);
    }
  while (goes_on);
  return drop.n_dropped;
}

void
detour_registry_each_remote (DetourRegistry *self, DetourRegistryRemoteFunc func, gpointer user)
{
  pthread_mutex_lock (&self->mutex);
  for (gsize i = 0; i <= detour_peer_table_last (&self->remotes); i++)
    {
      const DetourPeer *peer = detour_peer_table_at (&self->remotes, i);

      if (peer != NULL)
        func (peer, user);
    }
  pthread_mutex_unlock (&self->mutex);
}

void
detour_registry_clear_remotes (DetourRegistry *self)
{
  for (gsize i = 0; i <= detour_peer_table_last (&self->remotes); i++)
    {
      DetourPeer *peer = detour_peer_table_at (&self->remotes, i);

      if (peer == NULL)
        continue;
      if (detour_registry_peer_n_conns (peer) > 1)
        free (peer->forwarders);
      detour_slab_release (self->peers, peer);
    }
  detour_peer_table_clear (&self->remotes);
}
