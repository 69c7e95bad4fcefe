/* detour-ring.h: bounded queue of messages from one thread to one other.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Messages are of any length, each in one piece and aligned to 16 bytes. Neither side ever waits,
 * locks or allocates. Free of GLib, so that ThreadSanitizer sees all of it. */
typedef struct _DetourRing DetourRing;

/* Bytes of the ring that one message takes beside its own. */
#define DETOUR_RING_OVERHEAD 16

/**
 * detour_ring_new:
 * @capacity: bytes, a power of two from 1024 to 1 GiB
 *
 * Memory is mapped now and touched when messages first come by.
 *
 * Returns: (transfer full) (nullable): the ring; NULL when the system has no memory.
 */
DetourRing *detour_ring_new (size_t capacity);

/* Neither side uses it any more. */
void detour_ring_free (DetourRing *self);

/* The longest message: one that fits an empty ring wherever that begins. */
size_t detour_ring_message_max (const DetourRing *self);

/**
 * detour_ring_reserve:
 * @len: bytes of the message, 0 to detour_ring_message_max()
 *
 * Room for the next message, to be filled before detour_ring_publish(). Several messages may be
 * reserved, and stay writable, until they are published together.
 *
 * Thread: the producer.
 * Returns: (nullable): the room; NULL when the ring is full or @len too large, which is counted.
 */
void *detour_ring_reserve (DetourRing *self, size_t len);

/**
 * detour_ring_want_room:
 *
 * After a refusal: detour_ring_release() will say that the producer waits. Room may have come in
 * the meantime, so the producer tries once more before it goes away.
 *
 * Thread: the producer.
 */
void detour_ring_want_room (DetourRing *self);

/**
 * detour_ring_publish:
 *
 * Hands over every message reserved since the last call. A store of this kind and the load in
 * detour_ring_is_empty() are sequentially consistent: a consumer that sets a sequentially
 * consistent flag "I sleep" and then finds the ring empty is seen asleep by a producer that looks
 * at the flag after this call.
 *
 * Thread: the producer.
 * Returns: true when there was one at least.
 */
bool detour_ring_publish (DetourRing *self);

/**
 * detour_ring_next:
 * @len: where to put the length of the message
 *
 * The next message. It belongs to the consumer, who may write on it, until detour_ring_release();
 * several may be held at a time.
 *
 * Thread: the consumer.
 * Returns: (nullable): the message; NULL when there is none.
 */
void *detour_ring_next (DetourRing *self, size_t *len);

/* Gives the room of every message that detour_ring_next() returned back to the producer. TRUE:
 * there was some, and the producer waits for it. Thread: the consumer. */
bool detour_ring_release (DetourRing *self);

/* TRUE when detour_ring_next() would return NULL. Thread: the consumer. */
bool detour_ring_is_empty (DetourRing *self);

/* Messages refused because the ring was full. Any thread. */
uint64_t detour_ring_n_refused (DetourRing *self);
