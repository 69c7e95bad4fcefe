/* detour-auth-walk.c: one auth request on its way along the chain, to the verdict.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-auth-walk.h"

/* One instance of the chain. */
typedef struct {
  DetourAuthWalk *walk;
  DetourAuthInstance *instance;
  DetourAuthQuery *query; /* while it is asked; NULL with no verdict: not asked yet */
  gint64 asked_us;
  gboolean is_late;
  DetourVerdict *verdict; /* its answer, or that it gave none; NULL: not there yet */
} Step;

struct _DetourAuthWalk {
  DetourAuthRequest *request;
  DetourAuthWalkTerms terms;
  DetourAuthWalkFunc func;
  gpointer user;
  gint64 now_us; /* of the last call from outside */
  gboolean gave_provisional;
  guint n;
  Step steps[];
};

DetourAuthWalk *
detour_auth_walk_new (DetourAuthRequest *request, DetourAuthInstance *const *instances, guint n,
                      const DetourAuthWalkTerms *terms, DetourAuthWalkFunc func, gpointer user)
{
  DetourAuthWalk *self = g_malloc0 (sizeof *self + n * sizeof self->steps[0]);

  g_assert (n > 0);
  self->request = detour_auth_request_ref (request);
  self->terms = *terms;
  self->func = func;
  self->user = user;
  self->n = n;
  for (guint i = 0; i < n; i++)
    {
      self->steps[i].walk = self;
      self->steps[i].instance = detour_auth_instance_ref (instances[i]);
    }
  return self;
}

void
detour_auth_walk_free (DetourAuthWalk *self)
{
  for (guint i = 0; i < self->n; i++)
    {
      Step *step = &self->steps[i];

      if (step->query != NULL)
        detour_auth_instance_withdraw (step->instance, step->query, FALSE);
      detour_auth_instance_unref (step->instance);
      g_clear_pointer (&step->verdict, detour_verdict_unref);
    }
  detour_auth_request_unref (self->request);
  g_free (self);
}

/* Deciding ------------------------------------------------------------------------------------- */

/* How an instance counts. */
typedef enum {
  COUNTS_OPEN, /* may still answer */
  COUNTS_ALLOW,
  COUNTS_GRACE, /* as good as ALLOW */
  COUNTS_DENY,
  COUNTS_UNAVAILABLE,
} Counts;

static DetourVerdict *
auth_walk_allowed_lately (const Step *step)
{
  return detour_auth_instance_allowed_lately (
      step->instance, detour_auth_request_key (step->walk->request), step->walk->terms.grace_us);
}

/* @early: an instance that is late counts as one that cannot say. */
static Counts
auth_walk_count (const Step *step, gboolean early)
{
  const DetourVerdict *verdict = step->verdict;

  if (verdict != NULL && verdict->result != DETOUR_AUTH_UNAVAILABLE)
    return verdict->result == DETOUR_AUTH_ALLOW ? COUNTS_ALLOW : COUNTS_DENY;
  if (verdict == NULL && !(early && step->is_late))
    return COUNTS_OPEN;
  if (auth_walk_allowed_lately (step) != NULL)
    return COUNTS_GRACE;
  return verdict != NULL ? COUNTS_UNAVAILABLE : COUNTS_OPEN;
}

/* The step whose verdict is that of the chain; NULL: it is too early to say. @out: how it counts */
static const Step *
auth_walk_decide (const DetourAuthWalk *self, gboolean early, Counts *out)
{
  const Step *allows = NULL, *denies = NULL, *unavailable = NULL;
  Counts allows_how = COUNTS_OPEN;
  gboolean is_open = FALSE;

  for (guint i = 0; i < self->n; i++)
    {
      const Step *step = &self->steps[i];
      Counts how = auth_walk_count (step, early);

      switch (how)
        {
        case COUNTS_OPEN:
          is_open = TRUE;
          break;
        case COUNTS_ALLOW:
        case COUNTS_GRACE:
          if (!self->terms.match_all)
            {
              *out = how;
              return step;
            }
          /* For `all`, the verdict names an instance that only counts by grace, if there is one. */
          if (allows == NULL || how == COUNTS_GRACE || allows_how != COUNTS_GRACE)
            {
              allows = step;
              allows_how = how;
            }
          break;
        case COUNTS_DENY:
          if (self->terms.match_all)
            {
              *out = how;
              return step;
            }
          denies = step;
          break;
        case COUNTS_UNAVAILABLE:
        default:
          unavailable = step;
          break;
        }
    }

  if (is_open)
    return NULL;
  if (unavailable != NULL)
    {
      *out = COUNTS_UNAVAILABLE;
      return unavailable;
    }
  *out = self->terms.match_all ? allows_how : COUNTS_DENY;
  return self->terms.match_all ? allows : denies;
}

/* What the instance said of the key before, as it counts now. */
static DetourVerdict *
auth_walk_make_grace (const Step *step)
{
  g_autofree char *reason = g_strdup_printf (
      "allowed before, and now: %s",
      step->verdict != NULL ? detour_verdict_reason (step->verdict) : "no answer yet");
  DetourVerdict fields = *auth_walk_allowed_lately (step);

  fields.flags |= DETOUR_VERDICT_GRACE;
  fields.reason = reason;
  return detour_verdict_new (&fields);
}

static void
auth_walk_give (DetourAuthWalk *self, const Step *step, Counts how, gboolean is_final)
{
  g_autoptr (DetourVerdict) verdict = how == COUNTS_GRACE ? auth_walk_make_grace (step)
                                                          : detour_verdict_ref (step->verdict);

  if (how == COUNTS_GRACE && !self->gave_provisional)
    detour_auth_instance_count_grace (step->instance);
  self->gave_provisional = TRUE;
  self->func (verdict, is_final, self->user);
}

/* TRUE: it gave its final verdict and may be gone. */
static gboolean
auth_walk_judge (DetourAuthWalk *self)
{
  Counts how = COUNTS_OPEN;
  const Step *step = auth_walk_decide (self, FALSE, &how);

  if (step != NULL)
    {
      auth_walk_give (self, step, how, TRUE);
      return TRUE;
    }
  if (self->gave_provisional)
    return FALSE;
  step = auth_walk_decide (self, TRUE, &how);
  if (step != NULL && (how == COUNTS_GRACE || how == COUNTS_ALLOW))
    auth_walk_give (self, step, how, FALSE);
  return FALSE;
}

/* Asking --------------------------------------------------------------------------------------- */

static void auth_walk_go_on (DetourAuthWalk *self);

static void
auth_walk_on_answer (DetourVerdict *verdict, gpointer data)
{
  Step *step = data;

  step->query = NULL;
  step->verdict = detour_verdict_ref (verdict);
  auth_walk_go_on (step->walk);
}

static void
auth_walk_set_unavailable (Step *step, const char *reason)
{
  const DetourVerdict fields = { .result = DETOUR_AUTH_UNAVAILABLE,
                                 .instance = detour_auth_instance_id (step->instance),
                                 .reason = reason };

  step->query = NULL;
  step->verdict = detour_verdict_new (&fields);
}

static void
auth_walk_ask (Step *step)
{
  DetourAuthWalk *self = step->walk;
  DetourVerdict *remembered = NULL;

  if (self->terms.is_stopped)
    {
      auth_walk_set_unavailable (step, "it does not run, and no other one of the chain does");
      return;
    }
  if (!self->terms.asks_anew)
    remembered = detour_auth_instance_recall (step->instance, self->request);
  if (remembered != NULL)
    {
      step->verdict = detour_verdict_add_flags (remembered, DETOUR_VERDICT_CACHED);
      return;
    }
  step->asked_us = self->now_us;
  step->is_late = detour_auth_instance_is_down (step->instance);
  step->query = detour_auth_instance_ask (step->instance, self->request, auth_walk_on_answer, step);
}

/* Asks the instances whose time it is, and gives a verdict when there is one. */
static void
auth_walk_go_on (DetourAuthWalk *self)
{
  gboolean is_waiting = FALSE;

  if (auth_walk_judge (self))
    return;
  for (guint i = 0; i < self->n && !is_waiting; i++)
    {
      Step *step = &self->steps[i];

      if (step->verdict == NULL && step->query == NULL)
        {
          auth_walk_ask (step);
          if (auth_walk_judge (self))
            return;
        }
      is_waiting = step->query != NULL && !step->is_late;
    }
}

void
detour_auth_walk_start (DetourAuthWalk *self, gint64 now_us)
{
  self->now_us = now_us;
  auth_walk_go_on (self);
}

void
detour_auth_walk_tick (DetourAuthWalk *self, gint64 now_us)
{
  gboolean is_over = now_us >= self->terms.deadline_us;

  self->now_us = now_us;
  for (guint i = 0; i < self->n; i++)
    {
      Step *step = &self->steps[i];

      if (step->query != NULL && now_us - step->asked_us >= self->terms.patience_us)
        step->is_late = TRUE;
      if (!is_over || step->verdict != NULL)
        continue;
      if (step->query != NULL)
        detour_auth_instance_withdraw (step->instance, step->query, TRUE);
      auth_walk_set_unavailable (step, "no answer in time");
    }
  auth_walk_go_on (self);
}
