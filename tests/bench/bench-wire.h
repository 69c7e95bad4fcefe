/* bench-wire.h: a client's connection as bytes, plain or through TLS; never blocks.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An idle one holds no buffer of its own: one read and one send at a time use the room that a
 * thread has for all. */
#pragma once

#include "bench-target.h"

G_BEGIN_DECLS

/* Of one thread. */
typedef struct {
  guint8 *in;         /* one read */
  guint8 *plain;      /* the same, opened */
  GByteArray *sealed; /* one send */
  gboolean stamps;    /* the kernel says when bytes came; set before the first connection */
  guint64 arrived_ns; /* with stamps: when the last bytes of one read came; 0: not said */
} BenchRoom;

void bench_room_init (BenchRoom *self);
void bench_room_clear (BenchRoom *self);

typedef struct {
  BenchRoom *room;
  gnutls_session_t tls; /* NULL: plain */
  guint8 *out;          /* what the socket did not take; NULL: nothing */
  guint32 out_len, out_at;
  guint32 in_len, in_at; /* of room->in, until all is taken */
  guint32 n_written;     /* with update_every */
  guint16 update_every;  /* writes; then it changes its keys; 0: never */
  gboolean dribbles;     /* every byte goes by itself */
  int fd;                /* -1: none */
  const char *why;       /* static; set with BENCH_WIRE_CLOSED */
} BenchWire;

typedef enum {
  BENCH_WIRE_OK,
  BENCH_WIRE_AGAIN,
  BENCH_WIRE_CLOSED,
} BenchWireResult;

/* Takes @fd, which may still be connecting. */
void bench_wire_start (BenchWire *self, BenchRoom *room, const BenchTarget *target, int fd);
/* @reset: drops the connection without the courtesy of TCP. */
void bench_wire_close (BenchWire *self, gboolean reset);

/* Reads once into the room; AGAIN: there was nothing. */
BenchWireResult bench_wire_read (BenchWire *self) G_GNUC_WARN_UNUSED_RESULT;
/* Goes on with the handshake after bench_wire_read(), or begins it. OK: done, and bytes that were
 * read stay for bench_wire_open(). */
BenchWireResult bench_wire_handshake (BenchWire *self) G_GNUC_WARN_UNUSED_RESULT;
/* Opens all that was read; *@data lies in the room, *@len may be 0. */
BenchWireResult bench_wire_open (BenchWire *self, guint8 **data, gsize *len)
    G_GNUC_WARN_UNUSED_RESULT;

/* Seals @data as one record, or as few as it fits in, and sends with one call what the socket
 * takes. */
BenchWireResult bench_wire_write (BenchWire *self, const guint8 *data, gsize len)
    G_GNUC_WARN_UNUSED_RESULT;
/* Sends what is left. AGAIN: something still is. */
BenchWireResult bench_wire_flush (BenchWire *self) G_GNUC_WARN_UNUSED_RESULT;

static inline gsize
bench_wire_waiting (const BenchWire *self)
{
  return self->out_len - self->out_at;
}

G_END_DECLS
