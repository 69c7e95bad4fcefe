/* test-registry-threads.c: runs readers and writers of the registry against each other, under
 * ThreadSanitizer.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Plain threads and no function of GLib, whose locks the sanitizer cannot see. */
#include "config.h"

#include "detour-registry.h"
#include "test-insist.h"

#include <pthread.h>
#include <stdio.h>

#define N_WORKERS 3
#define N_KEYS    300
#define N_ROUNDS  12000

static DetourRegistry *registry;
static DetourPresence presence;
static DetourKey keys[N_KEYS];
static _Atomic unsigned n_found, n_told;

static void
note_gone (const DetourPeer *peer, gpointer user)
{
  n_told++;
}

static void
check_key (const DetourPeer *peer, DetourHandle handle, const DetourPresence *its_presence,
           gpointer user)
{
  INSIST (handle != DETOUR_HANDLE_NONE && its_presence == &presence);
}

/* What a worker does: joins, speaks, leaves, looks up, is quiet, and sleeps. The keys of workers
 * overlap, so there are duplicates. */
static void *
worker (void *data)
{
  unsigned self = (unsigned) (gsize) data, found = 0;
  unsigned random = 12345 + self;
  DetourPeer *peers[N_KEYS] = { NULL };
  DetourHandle handles[N_KEYS] = { 0 };

  detour_registry_online (registry, self);
  for (unsigned round = 1; round <= N_ROUNDS; round++)
    {
      /* The number of keys in use swings, so that the table grows and shrinks. */
      unsigned range = round / 500 % 2 ? N_KEYS : N_KEYS / 20;

      for (unsigned i = 0; i < 8; i++)
        {
          unsigned n = (random = random * 1103515245 + 12345) / 65536 % N_KEYS;
          DetourPeer *peer = detour_registry_find (registry, &keys[n]);

          if (peer != NULL)
            {
              DetourHandle active = detour_peer_active (peer);

              INSIST (detour_key_equal (&peer->key, &keys[n]));
              INSIST (active == DETOUR_HANDLE_NONE || DETOUR_HANDLE_SLOT (active) == n);
              found++;
            }
          n = (random = random * 1103515245 + 12345) / 65536 % N_KEYS;
          if (peers[n] != NULL && (n >= range || i % 2))
            {
              detour_registry_leave (registry, peers[n], handles[n]);
              peers[n] = NULL;
            }
          else if (peers[n] != NULL)
            {
              /* A joined peer is found, by whoever joined it. */
              INSIST (detour_registry_find (registry, &keys[n]) == peers[n]);
              detour_registry_note_speech (registry, peers[n], handles[n]);
            }
          else if (n < range)
            {
              handles[n] = DETOUR_HANDLE_MAKE (self, n, round);
              peers[n] = detour_registry_join (registry, &keys[n], handles[n], &presence);
            }
        }
      detour_registry_quiescent (registry, self);
      if (round % 64 == 0)
        {
          detour_registry_offline (registry, self);
          detour_registry_each_key (registry, check_key, NULL);
          detour_registry_online (registry, self);
        }
    }
  for (unsigned n = 0; n < N_KEYS; n++)
    if (peers[n] != NULL)
      detour_registry_leave (registry, peers[n], handles[n]);
  detour_registry_offline (registry, self);
  n_found += found;
  return NULL;
}

int
main (void)
{
  pthread_t threads[N_WORKERS];
  DetourRegistryStats stats;

  for (unsigned n = 0; n < N_KEYS; n++)
    {
      keys[n].bytes[0] = (guint8) n;
      keys[n].bytes[31] = (guint8) (n >> 8);
    }
  registry = detour_registry_new (N_WORKERS, &(DetourRegistryObserver) { NULL, note_gone, NULL });
  for (unsigned i = 0; i < N_WORKERS; i++)
    INSIST (pthread_create (&threads[i], NULL, worker, (void *) (gsize) i) == 0);
  for (unsigned i = 0; i < N_WORKERS; i++)
    INSIST (pthread_join (threads[i], NULL) == 0);
  detour_registry_stats (registry, &stats);
  INSIST (stats.n_keys == 0 && stats.n_conns == 0 && stats.n_dup_keys == 0
          && stats.n_dup_conns == 0);
  INSIST (n_found > 0 && n_told > 0 && stats.total_dups > 0);
  detour_registry_free (registry);
  printf ("1..1\nok 1 - /registry/readers-and-writers-at-once\n");
  return 0;
}
