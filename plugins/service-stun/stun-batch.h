/* stun-batch.h: receives and answers UDP datagrams in batches, each answer from the address that
 * was asked.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/socket.h>

G_BEGIN_DECLS

/* Datagrams in one batch. */
#define STUN_BATCH_SIZE 32u
/* No UDP datagram is longer. */
#define STUN_DATAGRAM_MAX 65536u

typedef struct _StunBatch StunBatch;

/* One thread. */
StunBatch *stun_batch_new (void);
void stun_batch_free (StunBatch *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StunBatch, stun_batch_free)

/**
 * stun_batch_receive:
 *
 * Takes what waits at @fd, without waiting for more, and forgets the batch before.
 *
 * Returns: number of datagrams, which may be 0; -1 with errno set.
 */
int stun_batch_receive (StunBatch *self, int fd);

/* All borrow from the batch, until the next one is received; @i is below what that returned. */
const guint8 *stun_batch_data (const StunBatch *self, guint i, gsize *len);
const struct sockaddr *stun_batch_source (const StunBatch *self, guint i);
/* The kernel reported the address that the datagram was sent to. */
gboolean stun_batch_knows_local (const StunBatch *self, guint i);

/* Adds an answer of @len bytes, at most STUN_RESPONSE_MAX, to datagram @i; once for each. */
void stun_batch_answer (StunBatch *self, guint i, const guint8 *data, gsize len);

/**
 * stun_batch_send:
 *
 * Sends the answers, without waiting for room.
 *
 * Returns: number of answers sent; the others that were added could not be sent and are lost.
 */
guint stun_batch_send (StunBatch *self, int fd);

G_END_DECLS
