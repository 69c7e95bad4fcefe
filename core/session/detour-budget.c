/* detour-budget.c: what was used of a quota in this month.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-budget.h"

#include "detour-quota-month.h"

#define NEAR_PERCENT 80u

/* The count goes on in another month. @last_begin_s: of the month that is remembered; 0: none */
static gboolean
budget_go_on (DetourBudget *self, gint64 begin_s, gint64 last_begin_s)
{
  self->begin_s = begin_s;
  self->last_begin_s = last_begin_s;
  self->last_used = 0;
  return FALSE;
}

gboolean
detour_budget_advance (DetourBudget *self, guint day, gint64 now_s)
{
  gint64 begin_s = detour_quota_month_begin (now_s, day);

  if (self->day != day)
    {
      self->day = day;
      return budget_go_on (self, begin_s, 0);
    }
  if (begin_s == self->begin_s)
    return FALSE;
  if (begin_s < self->begin_s)
    {
      if (begin_s != self->last_begin_s || self->last_begin_s == 0)
        return budget_go_on (self, begin_s, MAX (self->begin_s, self->last_begin_s));
      detour_budget_add (self, self->last_used);
      return budget_go_on (self, begin_s, 0);
    }
  /* The clock of a small machine is behind until the network has told it the time. Without the
   * limit of one step, a clock that was years ahead would keep the count from ever beginning
   * anew. */
  if (self->last_begin_s > self->begin_s && begin_s <= self->last_begin_s)
    return budget_go_on (self, begin_s, 0);
  self->last_begin_s = self->begin_s;
  self->last_used = self->used;
  self->begin_s = begin_s;
  self->used = 0;
  return TRUE;
}

void
detour_budget_add (DetourBudget *self, guint64 bytes)
{
  self->used = bytes > G_MAXUINT64 - self->used ? G_MAXUINT64 : self->used + bytes;
}

DetourBudgetLevel
detour_budget_level (const DetourBudget *self, guint64 quota)
{
  if (quota == 0)
    return DETOUR_BUDGET_OK;
  if (self->used >= quota)
    return DETOUR_BUDGET_OVER;
  return self->used >= quota / 100 * NEAR_PERCENT ? DETOUR_BUDGET_NEAR : DETOUR_BUDGET_OK;
}

const char *
detour_budget_level_name (DetourBudgetLevel level)
{
  static const char *const names[DETOUR_BUDGET_N_LEVELS] = {
    [DETOUR_BUDGET_OK] = "ok",
    [DETOUR_BUDGET_NEAR] = "near",
    [DETOUR_BUDGET_OVER] = "over",
  };

  return names[level];
}
