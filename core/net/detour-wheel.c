/* detour-wheel.c: the timers of one worker's connections, in a wheel of slots.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-wheel.h"

#include <string.h>

#define SLOT_MASK (DETOUR_WHEEL_SLOTS - 1u)

/* A timer keeps the low bits of its tick; they wrap after nine years of uptime, differences do not
 * mind. */
static inline gint32
wheel_ticks_until (gint64 from, guint32 to)
{
  return (gint32) (to - (guint32) from);
}

void
detour_wheel_init (DetourWheel *self, gint64 now_us)
{
  memset (self, 0, sizeof *self);
  self->tick = now_us >> DETOUR_WHEEL_TICK_BITS;
}

static void
wheel_push (DetourTimer **head, DetourTimer *timer)
{
  timer->next = *head;
  if (timer->next != NULL)
    timer->next->link = &timer->next;
  *head = timer;
  timer->link = head;
}

/* Slot of @timer, which is due after the current tick; beyond the last slot it waits in the last
 * one and is put back when that comes round. */
static void
wheel_insert (DetourWheel *self, DetourTimer *timer)
{
  gint32 ahead = CLAMP (wheel_ticks_until (self->tick, timer->tick), 1, (gint32) SLOT_MASK);
  guint slot = (guint) (self->tick + ahead) & SLOT_MASK;

  if (self->next_tick > self->tick + ahead)
    self->next_tick = self->tick + ahead;

  wheel_push (&self->slots[slot], timer);
  self->used[slot / 64] |= G_GUINT64_CONSTANT (1) << (slot % 64);
}

static void
wheel_unlink_timer (DetourTimer *timer)
{
  *timer->link = timer->next;
  if (timer->next != NULL)
    timer->next->link = timer->link;
  timer->next = NULL;
  timer->link = NULL;
}

void
detour_wheel_set (DetourWheel *self, DetourTimer *timer, gint64 deadline_us)
{
  detour_wheel_clear (self, timer);

  /* Rounded up: never early. */
  timer->tick = (guint32) ((deadline_us + DETOUR_WHEEL_TICK_US - 1) >> DETOUR_WHEEL_TICK_BITS);
  wheel_insert (self, timer);
  self->n_timers++;
}

void
detour_wheel_clear (DetourWheel *self, DetourTimer *timer)
{
  if (timer->link == NULL)
    return;

  /* The last one of a slot takes the slot's bit with it, or the worker would wake for nothing. */
  if (timer->next == NULL && timer->link >= self->slots
      && timer->link < self->slots + DETOUR_WHEEL_SLOTS)
    {
      guint slot = (guint) (timer->link - self->slots);

      self->used[slot / 64] &= ~(G_GUINT64_CONSTANT (1) << (slot % 64));
      self->next_tick = 0;
    }
  wheel_unlink_timer (timer);
  self->n_timers--;
}

/* Ticks from the current one to the next slot in use, 1 to DETOUR_WHEEL_SLOTS; 0 when none is. */
static guint
wheel_next_used (const DetourWheel *self)
{
  guint start = (guint) (self->tick + 1) & SLOT_MASK;

  for (guint n = 0; n <= DETOUR_WHEEL_SLOTS / 64; n++)
    {
      guint word = (start / 64 + n) % (DETOUR_WHEEL_SLOTS / 64);
      guint64 bits = self->used[word];

      if (n == 0)
        bits &= ~G_GUINT64_CONSTANT (0) << (start % 64);
      if (bits != 0)
        {
          guint slot = word * 64 + (guint) __builtin_ctzll (bits);

          return ((slot - start) & SLOT_MASK) + 1;
        }
    }
  return 0;
}

/* The tick of the next slot in use; G_MAXINT64: none is. It is looked for once and not each round.
 */
static gint64
wheel_next_tick (DetourWheel *self)
{
  if (self->next_tick == 0)
    {
      guint ahead = wheel_next_used (self);

      self->next_tick = ahead != 0 ? self->tick + ahead : G_MAXINT64;
    }
  return self->next_tick;
}

DetourTimer *
detour_wheel_pop (DetourWheel *self, gint64 now_us)
{
  gint64 now = now_us >> DETOUR_WHEEL_TICK_BITS;

  while (self->due == NULL)
    {
      gint64 next = wheel_next_tick (self);
      guint slot;
      DetourTimer *list;

      if (now < next)
        {
          self->tick = MAX (self->tick, now);
          return NULL;
        }

      self->tick = next;
      self->next_tick = 0;
      slot = (guint) self->tick & SLOT_MASK;
      self->used[slot / 64] &= ~(G_GUINT64_CONSTANT (1) << (slot % 64));
      list = g_steal_pointer (&self->slots[slot]);
      while (list != NULL)
        {
          DetourTimer *timer = list;

          list = timer->next;
          if (wheel_ticks_until (self->tick, timer->tick) <= 0)
            wheel_push (&self->due, timer);
          else
            wheel_insert (self, timer);
        }
    }

  DetourTimer *timer = self->due;

  wheel_unlink_timer (timer);
  self->n_timers--;
  return timer;
}

gint64
detour_wheel_next_us (DetourWheel *self)
{
  gint64 next;

  if (self->due != NULL)
    return 0;
  if (self->n_timers == 0)
    return G_MAXINT64;

  next = wheel_next_tick (self);
  return next != G_MAXINT64 ? next << DETOUR_WHEEL_TICK_BITS : G_MAXINT64;
}
