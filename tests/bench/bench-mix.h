/* bench-mix.h: teams of different kinds beside each other, each client of which is awkward in one
 * way.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bench-options.h"
#include "bench-report.h"
#include "bench-team.h"

G_BEGIN_DECLS

typedef enum {
  BENCH_MIX_PLAIN,     /* over TLS, as others */
  BENCH_MIX_WEBSOCKET, /* the same in a WebSocket */
  BENCH_MIX_DRIBBLING, /* every byte by itself, and a KeyUpdate now and then */
  BENCH_MIX_STALLED,   /* the receivers do not read before the end */
  BENCH_MIX_LINKED,    /* one of each pair is at a server that is linked with this one */
  BENCH_MIX_N_KINDS,
} BenchMixKind;

typedef struct {
  BenchTarget *websocket; /* NULL: none of those that are awkward by themselves */
  BenchTarget *linked;    /* NULL: there is one server */
  guint n_elsewhere;      /* clients that are at the other one */
  BenchTeam *teams[BENCH_MIX_N_KINDS];
} BenchMix;

/* @plan: of all that are together; its number of clients is shared out, and the other server of its
 * target is taken for those that talk over a link. @awkward: those that are so by themselves, too
 */
gboolean bench_mix_start (BenchMix *self, const BenchOptions *options, const BenchTeamPlan *plan,
                          gboolean awkward, GError **error);
void bench_mix_clear (BenchMix *self);

void bench_mix_go (BenchMix *self);
void bench_mix_rest (BenchMix *self);
/* After that. FALSE: something was lost, or is not what was sent; to receivers that did not read
 * packets may be missing. */
gboolean bench_mix_report (BenchMix *self, BenchReport *report);

G_END_DECLS
