/* detour-qsbr.h: frees memory that threads read without a lock, once none of them can still look
 * at it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A reader says from time to time that it holds nothing it found (a quiescent state), and says that
 * it is away while it sleeps. What was made unreachable is freed when every reader has been quiet
 * or away since.
 *
 * The stores that make memory unreachable, and the loads by which readers find it, must be
 * sequentially consistent (for a load that costs nothing): then a reader that comes online is
 * either waited for, or does not find it.
 *
 * Free of GLib, so that ThreadSanitizer sees all of it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct _DetourQsbr DetourQsbr;

typedef void (*DetourQsbrFreeFunc) (void *owner, void *memory);

/* All readers are away at first; they are numbered from 0. */
DetourQsbr *detour_qsbr_new (unsigned n_readers);

/* Every reader is away; frees the retired memory. */
void detour_qsbr_free (DetourQsbr *self);

/* Reader @reader only. Both return true when they saw something retired since the last call: then a
 * call of detour_qsbr_reclaim() may be worth it. Nearly free when they did not. */
bool detour_qsbr_point (DetourQsbr *self, unsigned reader);
bool detour_qsbr_offline (DetourQsbr *self, unsigned reader);
void detour_qsbr_online (DetourQsbr *self, unsigned reader);

/* The functions below are for the thread that holds the lock of the data. */

/* @memory cannot be found any more. detour_qsbr_reclaim() will call @func. */
void detour_qsbr_retire (DetourQsbr *self, DetourQsbrFreeFunc func, void *owner, void *memory);

/* Frees retired memory that no reader can hold. */
void detour_qsbr_reclaim (DetourQsbr *self);

/* Retired and not free yet. */
size_t detour_qsbr_n_retired (const DetourQsbr *self);
