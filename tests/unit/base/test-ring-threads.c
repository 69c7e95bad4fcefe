/* test-ring-threads.c: runs both sides of a ring at once, with the sleep and the wake-up of a
 * worker, under ThreadSanitizer.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Plain threads and no function of GLib, whose locks the sanitizer cannot see. */
#include "config.h"

#include "detour-ring.h"
#include "test-insist.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define N_MESSAGES 200000u

static DetourRing *ring;
static atomic_bool sleeps;
static int event_fd;

static unsigned
length_of (unsigned n)
{
  return 4 + n * 2654435761u % (n % 61 == 0 ? 1500 : 90);
}

static void *
produce (void *data)
{
  uint64_t one = 1;
  unsigned n = 0, n_woken = 0;

  while (n < N_MESSAGES)
    {
      for (unsigned batch = 1 + n % 13; batch > 0 && n < N_MESSAGES; batch--)
        {
          unsigned char *message = detour_ring_reserve (ring, length_of (n));

          if (message == NULL)
            {
              sched_yield ();
              break;
            }
          memcpy (message, &n, sizeof n);
          memset (message + 4, (int) n & 0xff, length_of (n) - 4);
          n++;
        }
      if (detour_ring_publish (ring) && atomic_exchange (&sleeps, false))
        {
          INSIST (write (event_fd, &one, sizeof one) == sizeof one);
          n_woken++;
        }
    }
  printf ("# woken %u times, full %u times\n", n_woken, (unsigned) detour_ring_n_refused (ring));
  return NULL;
}

static void *
consume (void *data)
{
  unsigned expected = 0;
  uint64_t count;
  size_t len;

  while (expected < N_MESSAGES)
    {
      unsigned char *message;
      unsigned n, batch = 0;

      while (batch++ < 32 && (message = detour_ring_next (ring, &len)) != NULL)
        {
          memcpy (&n, message, sizeof n);
          INSIST (n == expected && len == length_of (n));
          INSIST (len == 4 || (message[4] == (n & 0xff) && message[len - 1] == (n & 0xff)));
          message[0] = 0; /* it is ours */
          expected++;
        }
      detour_ring_release (ring);
      if (expected == N_MESSAGES || !detour_ring_is_empty (ring))
        continue;
      /* A lost wake-up would end the test by its time limit. */
      atomic_store (&sleeps, true);
      if (!detour_ring_is_empty (ring) && atomic_exchange (&sleeps, false))
        continue;
      INSIST (read (event_fd, &count, sizeof count) == sizeof count);
    }
  return NULL;
}

int
main (void)
{
  pthread_t producer, consumer;

  ring = detour_ring_new (8192);
  event_fd = eventfd (0, EFD_CLOEXEC);
  INSIST (ring != NULL && event_fd >= 0);
  INSIST (pthread_create (&producer, NULL, produce, NULL) == 0);
  INSIST (pthread_create (&consumer, NULL, consume, NULL) == 0);
  INSIST (pthread_join (producer, NULL) == 0);
  INSIST (pthread_join (consumer, NULL) == 0);
  close (event_fd);
  detour_ring_free (ring);
  printf ("1..1\nok 1 - /ring/both-sides-at-once\n");
  return 0;
}
