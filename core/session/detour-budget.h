/* detour-budget.h: what was used of a quota in this month.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure: bytes and the time come in. Clocks are set, and a relay must neither forget what was used
 * nor be stuck in a month to come:
 *
 *   the clock goes on into a new month     the count begins anew; the month before is remembered
 *   it goes back into that month           its count goes on, with what was counted meanwhile
 *   it goes back further                   the count goes on, in the month that it is now, and
 *                                          also when the clock comes forward again, once
 *   quota-day is another one               the count goes on until the next such day */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* All that is kept of it on disk. All zero: nothing was counted yet. */
typedef struct {
  guint day;      /* of the month, on which it begins anew; 0: not known yet */
  gint64 begin_s; /* of the month that is counted; Unix time in seconds */
  guint64 used;   /* bytes */
  gint64
      last_begin_s; /* of the month before; 0: none. Of a later month: the clock was there once */
  guint64 last_used;
} DetourBudget;

typedef enum {
  DETOUR_BUDGET_OK,
  DETOUR_BUDGET_NEAR, /* 80 % are used */
  DETOUR_BUDGET_OVER, /* all of it */
  DETOUR_BUDGET_N_LEVELS,
} DetourBudgetLevel;

/* It is @now_s, and the quota begins anew on @day. TRUE: the count began anew. */
gboolean detour_budget_advance (DetourBudget *self, guint day, gint64 now_s);
void detour_budget_add (DetourBudget *self, guint64 bytes);
/* @quota: 0: none */
DetourBudgetLevel detour_budget_level (const DetourBudget *self, guint64 quota);
/* "ok", "near", "over" */
const char *detour_budget_level_name (DetourBudgetLevel level);

G_END_DECLS
