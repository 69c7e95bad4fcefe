/* bench-packet.h: a packet that says whose it is, how many came before it and whether it arrived
 * unharmed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define BENCH_PACKET_MIN 40u

typedef struct {
  guint64 sequence; /* of this sender towards this receiver, from 0 */
  guint64 sent_ns;
  guint64 left_ns;  /* just before it was given to the kernel; 0: nobody asked */
  guint32 from, to; /* numbers of clients */
} BenchPacket;

/* Fills @out, at least BENCH_PACKET_MIN bytes: every byte depends on the sequence number. */
void bench_packet_write (const BenchPacket *self, guint8 *out, gsize len);

/* FALSE: bytes were changed, added or lost. */
gboolean bench_packet_read (BenchPacket *self, const guint8 *in, gsize len)
    G_GNUC_WARN_UNUSED_RESULT;

guint64 bench_packet_now_ns (void);

G_END_DECLS
