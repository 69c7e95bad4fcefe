/* detour-tally.h: numbers of the verdicts on clients, and the last ones on each key.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-question.h"
#include "detour-verdict-log.h"

G_BEGIN_DECLS

/* Main thread. */
typedef struct _DetourTally DetourTally;

typedef struct {
  DetourAuthResult result; /* what is to be done: of the chain, but ALLOW in a dry run */
  DetourVerdictFlags flags;
  const char *label;  /* (nullable) */
  const char *source; /* instance that decided, "open", or "admission" */
  const char *reason; /* (nullable) */
} DetourAdmissionVerdict;

/* Since the start. */
typedef struct {
  guint64 asked;                        /* by clients that came */
  guint64 allowed, denied, unavailable; /* how that ended */
  guint64 by_grace;                     /* of `allowed` */
  guint64 cached;                       /* of `allowed` and `denied`: without a question */
  guint64 shared;    /* of `asked`: had their answer from another one's inquiry */
  guint64 let_in;    /* refusals that a dry run did not carry out */
  guint64 rechecked; /* connected clients that were asked about again */
  guint64 revoked;   /* of these, denied */
} DetourAdmissionStats;

DetourTally *detour_tally_new (gint64 now_us);
void detour_tally_free (DetourTally *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourTally, detour_tally_free)

/* A client came and asks. */
void detour_tally_ask (DetourTally *self);
/* It waits for another one's inquiry. */
void detour_tally_share (DetourTally *self);

/**
 * detour_tally_verdict:
 * @verdict: (inout): of the chain; becomes what is to be done
 * @n: clients it is for
 *
 * Counts it, writes it down for who asks why, and in a dry run turns a refusal into a line of the
 * log.
 */
void detour_tally_verdict (DetourTally *self, const DetourQuestion *question,
                           DetourAdmissionVerdict *verdict, guint n, gboolean dry_run,
                           gint64 now_us);

const DetourAdmissionStats *detour_tally_stats (const DetourTally *self);
guint detour_tally_why (const DetourTally *self, const DetourKey *key, DetourVerdictNoteFunc func,
                        gpointer data);

G_END_DECLS
