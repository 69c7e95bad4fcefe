/* detour-wheel.h: the timers of one worker's connections, in a wheel of slots.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Setting, moving and clearing a timer costs the same with ten timers and with a million. A timer
 * fires up to one tick late and never early. Not thread-safe: it belongs to one worker. The clock
 * is the caller's. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* One tick is 2^16 microseconds, about 65 ms. */
#define DETOUR_WHEEL_TICK_BITS 16
#define DETOUR_WHEEL_TICK_US   (G_GINT64_CONSTANT (1) << DETOUR_WHEEL_TICK_BITS)
#define DETOUR_WHEEL_SLOTS     1024u

/* Embedded in the object whose timer it is; all zero means not set. */
typedef struct _DetourTimer DetourTimer;
struct _DetourTimer {
  DetourTimer *next;
  DetourTimer **link; /* the pointer to this timer; NULL: not set */
  guint32 tick;
};

typedef struct {
  gint64 tick;      /* everything up to here has been looked at */
  gint64 next_tick; /* of the next slot in use; G_MAXINT64: none is; 0: to be looked for */
  guint n_timers;
  DetourTimer *due; /* taken out of their slot, not yet popped */
  guint64 used[DETOUR_WHEEL_SLOTS / 64];
  DetourTimer *slots[DETOUR_WHEEL_SLOTS];
} DetourWheel;

void detour_wheel_init (DetourWheel *self, gint64 now_us);

/* Sets or moves @timer. A time that has passed fires at the next tick. */
void detour_wheel_set (DetourWheel *self, DetourTimer *timer, gint64 deadline_us);
void detour_wheel_clear (DetourWheel *self, DetourTimer *timer);

/* The next timer that is due at @now_us, cleared; NULL when there is none. Call until NULL. */
DetourTimer *detour_wheel_pop (DetourWheel *self, gint64 now_us);

/* When detour_wheel_pop() may have something; G_MAXINT64 when no timer is set. A timer further away
 * than the wheel is round makes this too early, never too late. */
gint64 detour_wheel_next_us (DetourWheel *self);

G_END_DECLS
