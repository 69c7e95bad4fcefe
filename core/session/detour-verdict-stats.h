/* detour-verdict-stats.h: numbers of the verdicts on clients; each is an event.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-auth-request.h"
#include "detour-metric.h"
#include "detour-verdict.h"

G_BEGIN_DECLS

/* Main thread. */
typedef struct _DetourVerdictStats DetourVerdictStats;

/* Since the start. */
typedef struct {
  guint64 asked;                        /* requests of clients that came */
  guint64 allowed, denied, unavailable; /* how that ended */
  guint64 by_grace;                     /* of `allowed` */
  guint64 cached;                       /* of `allowed` and `denied`: without a question */
  guint64 shared;                       /* of `asked`: got the verdict on an equal request */
  guint64 let_in;                       /* refusals that a dry run did not carry out */
  guint64 rechecked;                    /* connected clients that were asked about again */
  guint64 revoked;                      /* of these, denied */
} DetourAdmissionStats;

/* All of them; in detour-admission-metrics.c. */
extern const DetourMetricRow detour_admission_metrics[];

DetourVerdictStats *detour_verdict_stats_new (gint64 now_us);
void detour_verdict_stats_free (DetourVerdictStats *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourVerdictStats, detour_verdict_stats_free)

/* A client came and asks. */
void detour_verdict_stats_ask (DetourVerdictStats *self);
/* It waits for the verdict on an equal request. */
void detour_verdict_stats_share (DetourVerdictStats *self);

/**
 * detour_verdict_stats_note:
 * @verdict: of the chain
 * @n: clients it is for
 *
 * Counts it and notes it as an event. In a dry run a refusal becomes a line of the log and ALLOW.
 *
 * Returns: (transfer full): what is to be done.
 */
DetourVerdict *detour_verdict_stats_note (DetourVerdictStats *self,
                                          const DetourAuthRequest *request, DetourVerdict *verdict,
                                          guint n, gboolean dry_run, gint64 now_us);

const DetourAdmissionStats *detour_verdict_stats_counts (const DetourVerdictStats *self);

G_END_DECLS
