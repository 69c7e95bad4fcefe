/* detour-quiesce.h: frees memory that threads read without a lock, once none of them can still look at it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A reader says from time to time that it holds nothing it found (a quiet point), and says that it is away while it
 * sleeps. What was made unreachable is freed when every reader has been quiet or away since.
 *
 * The stores that make memory unreachable, and the loads by which readers find it, must be sequentially consistent
 * (for a load that costs nothing): then a reader that comes online is either waited for, or does not find it.
 *
 * Free of GLib, so that ThreadSanitizer sees all of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct _DetourQuiesce DetourQuiesce;

typedef void (*DetourQuiesceFreeFunc) (void *owner, void *memory);

/* All readers are away at first; they are numbered from 0. */
DetourQuiesce *detour_quiesce_new (unsigned n_readers);

/* Every reader is away; frees what was retired. */
void detour_quiesce_free (DetourQuiesce *self);

/* Reader @reader only. Both return true when they saw something retired since the last call: then a call of
 * detour_quiesce_reclaim() may be worth it. Nearly free when they did not. */
bool detour_quiesce_point (DetourQuiesce *self, unsigned reader);
bool detour_quiesce_offline (DetourQuiesce *self, unsigned reader);
void detour_quiesce_online (DetourQuiesce *self, unsigned reader);

/* The rest is for whoever holds the lock of the data. */

/* @memory cannot be found any more. detour_quiesce_reclaim() will call @func. */
void detour_quiesce_retire (DetourQuiesce *self, DetourQuiesceFreeFunc func, void *owner, void *memory);

/* Frees what no reader can hold. */
void detour_quiesce_reclaim (DetourQuiesce *self);

/* Retired and not free yet. */
size_t detour_quiesce_n_retired (const DetourQuiesce *self);
