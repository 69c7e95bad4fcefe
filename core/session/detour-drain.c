/* detour-drain.c: when a relay that is taken out of service closes which connection.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-drain.h"

/* Parts of the time, in thousandths. The first ones are for clients that go of their own accord,
 * since nobody answers them over STUN any more. */
static const struct {
  guint begin, end;
} turns[DETOUR_DRAIN_N_TURNS] = {
  [DETOUR_DRAIN_QUIET] = { 50, 600 },
  [DETOUR_DRAIN_BUSY] = { 600, 850 },
  [DETOUR_DRAIN_OTHER] = { 850, 970 },
  [DETOUR_DRAIN_MESH] = { 970, 1000 },
};

/* 0 to 65535, the same for one connection throughout a drain, in whichever program (the finalizer
 * of MurmurHash3). */
static guint
drain_place (guint32 salt, guint64 number)
{
  guint64 h = number ^ ((guint64) salt << 32 | salt);

  h = (h ^ (h >> 33)) * G_GUINT64_CONSTANT (0xff51afd7ed558ccd);
  h = (h ^ (h >> 33)) * G_GUINT64_CONSTANT (0xc4ceb9fe1a85ec53);
  return (guint) ((h ^ (h >> 33)) & 0xffff);
}

DetourDrainTurn
detour_drain_turn (DetourClientKind kind, gboolean is_mesh, gint64 quiet_us)
{
  if (is_mesh)
    return DETOUR_DRAIN_MESH;
  if (kind != DETOUR_CLIENT_GO)
    return DETOUR_DRAIN_OTHER;
  return quiet_us >= DETOUR_DRAIN_QUIET_US ? DETOUR_DRAIN_QUIET : DETOUR_DRAIN_BUSY;
}

gint64
detour_drain_due_us (const DetourDrainPlan *plan, DetourDrainTurn turn, guint64 number)
{
  gint64 begin_us = plan->for_us / 1000 * turns[turn].begin;
  gint64 length_us = plan->for_us / 1000 * (turns[turn].end - turns[turn].begin);

  return begin_us + length_us / 65536 * drain_place (plan->salt, number);
}

/* A client that is closed is counted no more before its place is free again, so in this order one
 * is counted twice at most, and never not at all. */
gboolean
detour_drain_reserve (const DetourDrainPlan *plan)
{
  guint64 n_reserved = __atomic_add_fetch (plan->n_reserved, 1, __ATOMIC_SEQ_CST);

  if (plan->n_left (plan->user) >= plan->keep + n_reserved)
    return TRUE;
  detour_drain_release (plan);
  return FALSE;
}

void
detour_drain_release (const DetourDrainPlan *plan)
{
  __atomic_fetch_sub (plan->n_reserved, 1, __ATOMIC_SEQ_CST);
}
