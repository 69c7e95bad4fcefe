/* bench-packet.c: a packet that says whose it is, how many came before it and whether it arrived
 * unharmed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-packet.h"

#include <string.h>
#include <time.h>

#define BENCH_PACKET_PRIME G_GUINT64_CONSTANT (0x9e3779b97f4a7c15)

/* In front of every packet, in the order of this machine. */
typedef struct {
  guint64 sum; /* of all that follows */
  guint64 sequence;
  guint64 sent_ns;
  guint64 left_ns;
  guint32 from, to;
} BenchPacketHead;

G_STATIC_ASSERT (sizeof (BenchPacketHead) <= BENCH_PACKET_MIN);

/* Four lanes, because one multiplication waits for the one before; fast enough to leave the time to
 * the relay. */
static guint64
bench_packet_sum (const guint8 *data, gsize len)
{
  guint64 lane[4] = { len, 1, 2, 3 };
  guint64 word;
  gsize i = 0;

  for (; len - i >= 32; i += 32)
    for (guint j = 0; j < 4; j++)
      {
        memcpy (&word, data + i + 8 * j, 8);
        lane[j] = (lane[j] ^ word) * BENCH_PACKET_PRIME;
        lane[j] ^= lane[j] >> 29;
      }
  for (; i < len; i += 8)
    {
      word = 0;
      memcpy (&word, data + i, MIN (len - i, 8));
      lane[0] = (lane[0] ^ word) * BENCH_PACKET_PRIME;
      lane[0] ^= lane[0] >> 29;
    }
  return ((lane[0] * 3 + lane[1]) * 5 + lane[2]) * 7 + lane[3];
}

void
bench_packet_write (const BenchPacket *self, guint8 *out, gsize len)
{
  BenchPacketHead head = { .sequence = self->sequence,
                           .sent_ns = self->sent_ns,
                           .left_ns = self->left_ns,
                           .from = self->from,
                           .to = self->to };
  guint64 word = (self->sequence + 1) * BENCH_PACKET_PRIME ^ self->from;

  g_assert (len >= BENCH_PACKET_MIN);
  memcpy (out, &head, sizeof head);
  for (gsize i = sizeof head; i < len; i += 8, word += BENCH_PACKET_PRIME)
    memcpy (out + i, &word, MIN (len - i, 8));
  head.sum = bench_packet_sum (out + sizeof head.sum, len - sizeof head.sum);
  memcpy (out, &head.sum, sizeof head.sum);
}

gboolean
bench_packet_read (BenchPacket *self, const guint8 *in, gsize len)
{
  BenchPacketHead head;

  if (len < BENCH_PACKET_MIN)
    return FALSE;
  memcpy (&head, in, sizeof head);
  *self = (BenchPacket) { .sequence = head.sequence,
                          .sent_ns = head.sent_ns,
                          .left_ns = head.left_ns,
                          .from = head.from,
                          .to = head.to };
  return head.sum == bench_packet_sum (in + sizeof head.sum, len - sizeof head.sum);
}

guint64
bench_packet_now_ns (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (guint64) now.tv_sec * 1000000000u + (guint64) now.tv_nsec;
}
