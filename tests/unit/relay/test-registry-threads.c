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
#include <string.h>

#define N_WORKERS 3
#define N_KEYS    300
#define N_ROUNDS  12000
#define N_SPACES  3 /* the first is the common one */

/* Behind links; many enough for the walk of a link that ends to be in several pieces. */
#define N_FAR        8000
#define N_FAR_ROUNDS 8

static DetourRegistry *registry;
static DetourPresence presence;
static DetourKey keys[N_KEYS];

/* The others are closed and opened anew now and then, by any worker. One that was taken from here
 * is joined under the lock, as a space is not closed before whoever may join it has done so. */
static DetourSpace *spaces[N_SPACES];
static pthread_mutex_t spaces_lock = PTHREAD_MUTEX_INITIALIZER;

static _Atomic unsigned n_found, n_told;

static void
note_gone (const DetourSpace *space, const DetourGone *gone, guint n, guint from, gpointer user)
{
  INSIST (n > 0 && n <= DETOUR_REGISTRY_GONE_MAX);
  n_told += n;
}

static void
check_key (const DetourPeer *peer, DetourHandle handle, const DetourPresence *its_presence,
           gpointer user)
{
  INSIST (handle != DETOUR_HANDLE_NONE && its_presence == &presence);
}

static DetourPeer *
join (unsigned n, DetourHandle handle, DetourSpace **joined)
{
  DetourPeer *peer;

  pthread_mutex_lock (&spaces_lock);
  *joined = spaces[n % N_SPACES];
  peer = detour_registry_join (*joined, &keys[n / N_SPACES], handle, &presence);
  pthread_mutex_unlock (&spaces_lock);
  return peer;
}

static void
change_space (unsigned n)
{
  pthread_mutex_lock (&spaces_lock);
  detour_registry_close_space (spaces[n]);
  spaces[n] = detour_registry_open_space (registry);
  pthread_mutex_unlock (&spaces_lock);
}

/* What a worker does: joins, speaks, leaves, looks up, is quiet, and sleeps. The keys of workers
 * overlap, so there are duplicates; the same keys are in several spaces. */
static void *
worker (void *data)
{
  unsigned self = (unsigned) (gsize) data, found = 0;
  unsigned random = 12345 + self;
  DetourPeer *peers[N_KEYS] = { NULL };
  DetourSpace *its_space[N_KEYS] = { NULL };
  DetourHandle handles[N_KEYS] = { 0 };

  detour_registry_online (registry, self);
  for (unsigned round = 1; round <= N_ROUNDS; round++)
    {
      /* The number of keys in use swings, so that the table grows and shrinks. */
      unsigned range = round / 500 % 2 ? N_KEYS : N_KEYS / 20;

      for (unsigned i = 0; i < 8; i++)
        {
          unsigned n = (random = random * 1103515245 + 12345) / 65536 % N_KEYS;
          DetourSpace *space = n % N_SPACES == 0 ? spaces[0] : its_space[n];
          DetourPeer *peer = space != NULL ? detour_registry_find (space, &keys[n / N_SPACES])
                                           : NULL;

          if (peer != NULL)
            {
              DetourHandle active = detour_peer_active (peer);

              INSIST (detour_key_equal (&peer->key, &keys[n / N_SPACES]));
              INSIST (active == DETOUR_HANDLE_NONE || DETOUR_HANDLE_SLOT (active) == n);
              found++;
            }
          n = (random = random * 1103515245 + 12345) / 65536 % N_KEYS;
          if (peers[n] != NULL && (n >= range || i % 2))
            {
              detour_registry_leave (its_space[n], peers[n], handles[n]);
              peers[n] = NULL;
              its_space[n] = NULL;
            }
          else if (peers[n] != NULL)
            {
              /* A joined peer is found, by whoever joined it. */
              INSIST (detour_registry_find (its_space[n], &keys[n / N_SPACES]) == peers[n]);
              detour_registry_note_speech (registry, peers[n], handles[n]);
            }
          else if (n < range)
            {
              handles[n] = DETOUR_HANDLE_MAKE (self, n, round);
              peers[n] = join (n, handles[n], &its_space[n]);
            }
        }
      detour_registry_quiescent (registry, self);
      if (round % 200 == 0)
        change_space (1 + round / 200 % (N_SPACES - 1));
      if (round % 64 == 0)
        {
          detour_registry_offline (registry, self);
          detour_registry_each_key_of_all (registry, check_key, NULL);
          detour_registry_online (registry, self);
        }
    }
  for (unsigned n = 0; n < N_KEYS; n++)
    if (peers[n] != NULL)
      detour_registry_leave (its_space[n], peers[n], handles[n]);
  detour_registry_offline (registry, self);
  n_found += found;
  return NULL;
}

static DetourKey
far_key (unsigned n)
{
  DetourKey key = { { 'f' } };

  memcpy (key.bytes + 4, &n, sizeof n);
  return key;
}

/* Links that come and end at once, behind which some of the same keys are, while the table of all
 * grows and shrinks. A link that ends finds each of its keys, however they are moved meanwhile. */
static void *
link_worker (void *data)
{
  unsigned self = (unsigned) (gsize) data;

  detour_registry_online (registry, self);
  for (unsigned round = 1; round <= N_FAR_ROUNDS; round++)
    {
      DetourHandle link = DETOUR_HANDLE_MAKE (self, 1, round);
      unsigned n_added = 0;

      for (unsigned n = self; n < N_FAR / (1 + round % 3); n += 1 + (n + self) % 2)
        {
          DetourKey key = far_key (n);

          INSIST (detour_registry_add_forwarder (registry, &key, link));
          n_added++;
          if (n % 64 == 0)
            detour_registry_quiescent (registry, self);
        }
      INSIST (detour_registry_drop_forwarder (registry, link, true, NULL, NULL) == n_added);
      INSIST (detour_registry_drop_forwarder (registry, link, true, NULL, NULL) == 0);
      detour_registry_quiescent (registry, self);
    }
  detour_registry_offline (registry, self);
  return NULL;
}

static void
run_all (void *(*func) (void *) )
{
  pthread_t threads[N_WORKERS];

  for (unsigned i = 0; i < N_WORKERS; i++)
    INSIST (pthread_create (&threads[i], NULL, func, (void *) (gsize) i) == 0);
  for (unsigned i = 0; i < N_WORKERS; i++)
    INSIST (pthread_join (threads[i], NULL) == 0);
}

int
main (void)
{
  DetourRegistryStats stats;
  unsigned n_told_here;

  for (unsigned n = 0; n < N_KEYS; n++)
    {
      keys[n].bytes[0] = (guint8) n;
      keys[n].bytes[31] = (guint8) (n >> 8);
    }
  registry = detour_registry_new (N_WORKERS, &(DetourRegistryObserver) { NULL, note_gone, NULL });
  spaces[0] = detour_registry_common (registry);
  for (unsigned i = 1; i < N_SPACES; i++)
    spaces[i] = detour_registry_open_space (registry);
  run_all (worker);
  n_told_here = n_told;
  run_all (link_worker);
  for (unsigned i = 1; i < N_SPACES; i++)
    detour_registry_close_space (spaces[i]);
  detour_registry_stats (registry, &stats);
  INSIST (stats.n_keys == 0 && stats.n_conns == 0 && stats.n_dup_keys == 0 && stats.n_dup_conns == 0
          && stats.n_spaces == 1 && stats.n_remote_keys == 0 && stats.n_remote_only == 0);
  INSIST (n_found > 0 && n_told_here > 0 && stats.total_dups > 0);
  INSIST (n_told > n_told_here && stats.total_multi_created == stats.total_multi_deleted);
  detour_registry_free (registry);
  printf ("1..2\nok 1 - /registry/readers-and-writers-at-once\n");
  printf ("ok 2 - /registry/links-that-end-at-once\n");
  return 0;
}
