/* detour-mesh-received.c: what came over the connections that other servers of the mesh made here.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-mesh-received.h"

struct _DetourMeshReceived {
  DetourRegistry *registry;
  GMutex lock;      /* taken before the registry's */
  GHashTable *past; /* DetourKey -> DetourMeshTraffic of connections that ended */
};

static guint
mesh_received_hash (gconstpointer key)
{
  guint hash;

  memcpy (&hash, key, sizeof hash);
  return hash;
}

static gboolean
mesh_received_equal (gconstpointer a, gconstpointer b)
{
  return detour_key_equal (a, b);
}

DetourMeshReceived *
detour_mesh_received_new (DetourRegistry *registry)
{
  DetourMeshReceived *self = g_new0 (DetourMeshReceived, 1);

  self->registry = registry;
  g_mutex_init (&self->lock);
  self->past = g_hash_table_new_full (mesh_received_hash, mesh_received_equal, g_free, g_free);
  return self;
}

void
detour_mesh_received_free (DetourMeshReceived *self)
{
  g_hash_table_unref (self->past);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
detour_mesh_received_keep (DetourMeshReceived *self, const DetourKey *server)
{
  g_mutex_lock (&self->lock);
  if (!g_hash_table_contains (self->past, server))
    g_hash_table_insert (self->past, g_memdup2 (server, sizeof *server),
                         g_new0 (DetourMeshTraffic, 1));
  g_mutex_unlock (&self->lock);
}

static void
mesh_received_add (DetourMeshTraffic *sum, const DetourClient *client)
{
  sum->packets += __atomic_load_n (&client->rx_packets, __ATOMIC_RELAXED);
  sum->bytes += __atomic_load_n (&client->rx_bytes, __ATOMIC_RELAXED);
}

/* The registry holds its mutex, so that the client is not gone. */
static void
mesh_received_see (const DetourPeer *peer, DetourHandle handle, const DetourPresence *presence,
                   gpointer user)
{
  if ((presence->flags & DETOUR_FRAME_PRESENT_MESH) != 0)
    mesh_received_add (user, detour_client_of_presence (presence));
}

void
detour_mesh_received_read (DetourMeshReceived *self, const DetourKey *server,
                           DetourMeshTraffic *now, DetourMeshTraffic *all)
{
  const DetourMeshTraffic *past;

  *now = (DetourMeshTraffic) { 0, 0 };
  g_mutex_lock (&self->lock);
  detour_registry_each_conn (detour_registry_common (self->registry), server, mesh_received_see,
                             now);
  *all = *now;
  past = g_hash_table_lookup (self->past, server);
  if (past != NULL)
    {
      all->packets += past->packets;
      all->bytes += past->bytes;
    }
  g_mutex_unlock (&self->lock);
}

/* Nobody sees it neither here nor among those that were, or in both. */
void
detour_mesh_received_leave (DetourMeshReceived *self, DetourRelay *relay, DetourClient *client)
{
  DetourMeshTraffic *past;

  g_mutex_lock (&self->lock);
  past = g_hash_table_lookup (self->past, &client->peer->key);
  if (past != NULL)
    mesh_received_add (past, client);
  detour_relay_leave (relay, client);
  g_mutex_unlock (&self->lock);
}
