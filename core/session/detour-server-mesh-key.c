/* detour-server-mesh-key.c: the mesh key in force, and the end of connections that have shown
 * another one.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rights of the mesh are given at the login, and last as long as the key does. An instance that is
 * started anew gives its key back and sets it again at once, so a key that is gone is looked for
 * once more from the main loop before anything is closed. */
#include "config.h"

#include "detour-server-private.h"

#include <sodium.h>

#include "detour-handover.h"
#include "detour-log.h"

static DetourMeshKeyId
server_mesh_key_id (const guint8 *key)
{
  static const char purpose[] = "detour mesh key id";
  DetourMeshKeyId id = { { 0 } };

  if (key != NULL && !sodium_is_zero (key, DETOUR_KEY_SIZE))
    crypto_generichash (id.bytes, sizeof id.bytes, key, DETOUR_KEY_SIZE, (const guint8 *) purpose,
                        sizeof purpose);
  return id;
}

static gboolean
server_mesh_key_is_none (const DetourMeshKeyId *id)
{
  return sodium_is_zero (id->bytes, sizeof id->bytes) != 0;
}

static gboolean
server_mesh_key_is_same (const DetourMeshKeyId *a, const DetourMeshKeyId *b)
{
  return sodium_memcmp (a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* Those on their way to a worker are there before it is asked: whoever takes the key from the pool
 * waits until that is done. */
static void
server_mesh_key_close (DetourServer *self, const char *why)
{
  guint n = 0;

  for (guint i = 0; i < self->n_workers; i++)
    n += detour_worker_close_mesh (self->workers[i]);
  if (n > 0)
    detour_log_event (G_LOG_LEVEL_MESSAGE, "mesh-connections-closed",
                      "closed the connections of other servers and of probers that had shown the "
                      "mesh key (%u): %s",
                      n, why);
}

static gboolean
server_mesh_key_on_idle (gpointer data)
{
  DetourServer *self = data;

  self->mesh_key_idle = 0;
  self->mesh_key = (DetourMeshKeyId) { { 0 } };
  server_mesh_key_close (self, "no mesh key is in force any more");
  return G_SOURCE_REMOVE;
}

void
detour_server_set_mesh_key (gpointer data, const guint8 *key)
{
  DetourServer *self = data;
  DetourMeshKeyId id = server_mesh_key_id (key);

  if (self->is_stopped)
    return;
  if (server_mesh_key_is_none (&id))
    {
      detour_handshake_pool_set_mesh_key (self->pool, NULL);
      if (self->mesh_key_idle == 0 && !server_mesh_key_is_none (&self->mesh_key))
        self->mesh_key_idle = g_idle_add_full (G_PRIORITY_HIGH, server_mesh_key_on_idle, self,
                                               NULL);
      return;
    }
  g_clear_handle_id (&self->mesh_key_idle, g_source_remove);
  if (!server_mesh_key_is_none (&self->mesh_key) && !server_mesh_key_is_same (&self->mesh_key, &id))
    {
      /* Nobody logs in by the one key or the other until it is done. */
      detour_handshake_pool_set_mesh_key (self->pool, NULL);
      server_mesh_key_close (self, "the mesh key is another one now");
    }
  self->mesh_key = id;
  detour_handshake_pool_set_mesh_key (self->pool, key);
}

void
detour_server_stop_mesh_key (DetourServer *self)
{
  g_clear_handle_id (&self->mesh_key_idle, g_source_remove);
}

/* The record ---------------------------------------------------------------------------------- */

void
detour_server_write_mesh_key (const DetourServer *self, DetourRecord *out)
{
  if (!server_mesh_key_is_none (&self->mesh_key))
    detour_record_put (out, DETOUR_HANDOVER_MESH_KEY, self->mesh_key.bytes,
                       sizeof self->mesh_key.bytes);
}

void
detour_server_expect_mesh_key (DetourServer *self, const DetourRecordItem *item)
{
  if (item->len == sizeof self->carried_mesh_key.bytes)
    memcpy (self->carried_mesh_key.bytes, item->data, item->len);
}

void
detour_server_judge_mesh (DetourServer *self)
{
  if (server_mesh_key_is_none (&self->mesh_key))
    server_mesh_key_close (self, "no mesh key is in force any more");
  else if (!server_mesh_key_is_same (&self->mesh_key, &self->carried_mesh_key))
    server_mesh_key_close (self, "the mesh key is another one than in the program before");
}
