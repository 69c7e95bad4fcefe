/* detour-inquiry.c: one question on its way along the chain, to the verdict.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-inquiry.h"

typedef enum {
  STEP_NEXT, /* not asked yet */
  STEP_ASKED,
  STEP_ANSWERED, /* `result` is there */
} StepState;

/* What one source says. */
typedef struct {
  DetourInquiry *inquiry;
  DetourAuthSource *source;
  StepState state;
  DetourAuthAsk *ask; /* of ASKED */
  gint64 asked_us;
  gboolean is_late;
  DetourAuthResult result;
  gboolean is_cached;
  char *label;
  char *reason;
} Step;

struct _DetourInquiry {
  DetourQuestion question;
  DetourInquiryTerms terms;
  DetourInquiryFunc func;
  gpointer user;
  gint64 now_us; /* of the last call from outside */
  gboolean has_spoken;
  guint n;
  Step steps[];
};

DetourInquiry *
detour_inquiry_new (const DetourQuestion *question, DetourAuthSource *const *sources, guint n,
                    const DetourInquiryTerms *terms, DetourInquiryFunc func, gpointer user)
{
  DetourInquiry *self = g_malloc0 (sizeof *self + n * sizeof self->steps[0]);

  g_assert (n > 0);
  detour_question_copy (&self->question, question);
  self->terms = *terms;
  self->func = func;
  self->user = user;
  self->n = n;
  for (guint i = 0; i < n; i++)
    {
      self->steps[i].inquiry = self;
      self->steps[i].source = detour_auth_source_ref (sources[i]);
    }
  return self;
}

void
detour_inquiry_free (DetourInquiry *self)
{
  for (guint i = 0; i < self->n; i++)
    {
      Step *step = &self->steps[i];

      if (step->state == STEP_ASKED)
        detour_auth_source_withdraw (step->source, step->ask, FALSE);
      detour_auth_source_unref (step->source);
      g_free (step->label);
      g_free (step->reason);
    }
  detour_question_clear (&self->question);
  g_free (self);
}

/* Deciding ------------------------------------------------------------------------------------- */

typedef enum {
  STANDS_OPEN,
  STANDS_ALLOW,
  STANDS_GRACE, /* as good as ALLOW */
  STANDS_DENY,
  STANDS_UNAVAILABLE,
} Standing;

/* @early: who is late counts like who cannot say. */
static Standing
inquiry_standing (const Step *step, gboolean early)
{
  const DetourInquiry *inquiry = step->inquiry;
  DetourRemembered before;

  if (step->state == STEP_ANSWERED && step->result != DETOUR_AUTH_UNAVAILABLE)
    return step->result == DETOUR_AUTH_ALLOW ? STANDS_ALLOW : STANDS_DENY;
  if (step->state != STEP_ANSWERED && !(early && step->is_late))
    return STANDS_OPEN;
  if (detour_auth_source_allowed_lately (step->source, &inquiry->question.key,
                                         inquiry->terms.grace_us, &before))
    return STANDS_GRACE;
  return step->state == STEP_ANSWERED ? STANDS_UNAVAILABLE : STANDS_OPEN;
}

static void
inquiry_speak_grace (DetourInquiry *self, const Step *step, gboolean is_last)
{
  g_autofree char *label = NULL;
  g_autofree char *reason = NULL;
  DetourRemembered before;
  DetourInquiryWord word = { DETOUR_AUTH_ALLOW, DETOUR_VERDICT_GRACE, NULL, NULL, NULL };

  if (detour_auth_source_allowed_lately (step->source, &self->question.key, self->terms.grace_us,
                                         &before))
    label = g_strdup (before.label);
  reason = g_strdup_printf ("allowed before, and now: %s",
                            step->reason != NULL ? step->reason : "no answer yet");
  word.label = label;
  word.source = detour_auth_source_instance (step->source);
  word.reason = reason;
  if (!self->has_spoken || !is_last)
    detour_auth_source_count_grace (step->source);
  self->func (&word, is_last, self->user);
}

static void
inquiry_speak (DetourInquiry *self, const Step *step, gboolean is_last)
{
  DetourInquiryWord word = {
    .result = step->result,
    .flags = step->is_cached ? DETOUR_VERDICT_CACHED : 0,
    .label = step->label,
    .source = detour_auth_source_instance (step->source),
    .reason = step->reason,
  };

  self->func (&word, is_last, self->user);
}

/* The step whose word is that of all; NULL: it is too early to say. @out: how it stands */
static const Step *
inquiry_decide (const DetourInquiry *self, gboolean early, Standing *out)
{
  const Step *allows = NULL, *denies = NULL, *unavailable = NULL;
  Standing allows_how = STANDS_OPEN;
  gboolean is_open = FALSE;

  for (guint i = 0; i < self->n; i++)
    {
      const Step *step = &self->steps[i];
      Standing how = inquiry_standing (step, early);

      switch (how)
        {
        case STANDS_OPEN:
          is_open = TRUE;
          break;
        case STANDS_ALLOW:
        case STANDS_GRACE:
          if (!self->terms.match_all)
            {
              *out = how;
              return step;
            }
          /* For `all`, one that was only let pass by grace is what people should hear of. */
          if (allows == NULL || how == STANDS_GRACE || allows_how != STANDS_GRACE)
            {
              allows = step;
              allows_how = how;
            }
          break;
        case STANDS_DENY:
          if (self->terms.match_all)
            {
              *out = how;
              return step;
            }
          denies = step;
          break;
        case STANDS_UNAVAILABLE:
        default:
          unavailable = step;
          break;
        }
    }

  if (is_open)
    return NULL;
  if (unavailable != NULL)
    {
      *out = STANDS_UNAVAILABLE;
      return unavailable;
    }
  *out = self->terms.match_all ? allows_how : STANDS_DENY;
  return self->terms.match_all ? allows : denies;
}

/* TRUE: it said its last word and may be gone. */
static gboolean
inquiry_judge (DetourInquiry *self)
{
  Standing how = STANDS_OPEN;
  const Step *step = inquiry_decide (self, FALSE, &how);

  if (step != NULL)
    {
      if (how == STANDS_GRACE)
        inquiry_speak_grace (self, step, TRUE);
      else
        inquiry_speak (self, step, TRUE);
      return TRUE;
    }
  if (self->has_spoken)
    return FALSE;
  step = inquiry_decide (self, TRUE, &how);
  if (step == NULL || (how != STANDS_GRACE && how != STANDS_ALLOW))
    return FALSE;
  self->has_spoken = TRUE;
  if (how == STANDS_GRACE)
    inquiry_speak_grace (self, step, FALSE);
  else
    inquiry_speak (self, step, FALSE);
  return FALSE;
}

/* Asking --------------------------------------------------------------------------------------- */

static void
inquiry_set_answer (Step *step, DetourAuthResult result, const char *label, const char *reason)
{
  step->state = STEP_ANSWERED;
  step->ask = NULL;
  step->result = result;
  step->label = g_strdup (label);
  step->reason = g_strdup (reason);
}

static void inquiry_go_on (DetourInquiry *self);

static void
inquiry_on_answer (const DetourAuthVerdict *verdict, gpointer data)
{
  Step *step = data;

  inquiry_set_answer (step, verdict->result, verdict->label, verdict->reason);
  inquiry_go_on (step->inquiry);
}

static void
inquiry_ask (Step *step)
{
  DetourInquiry *self = step->inquiry;
  DetourRemembered remembered;

  if (self->terms.is_stopped)
    inquiry_set_answer (step, DETOUR_AUTH_UNAVAILABLE, NULL,
                        "it does not run, and no other one of the chain does");
  else if (!self->terms.asks_anew
           && detour_auth_source_recall (step->source, &self->question, &remembered))
    {
      inquiry_set_answer (step, remembered.result, remembered.label, remembered.reason);
      step->is_cached = TRUE;
    }
  else
    {
      step->state = STEP_ASKED;
      step->asked_us = self->now_us;
      step->is_late = detour_auth_source_is_down (step->source);
      step->ask = detour_auth_source_ask (step->source, &self->question, inquiry_on_answer, step);
    }
}

/* Asks whom it is time to ask, and speaks when there is something to say. */
static void
inquiry_go_on (DetourInquiry *self)
{
  gboolean is_waiting = FALSE;

  if (inquiry_judge (self))
    return;
  for (guint i = 0; i < self->n && !is_waiting; i++)
    {
      Step *step = &self->steps[i];

      if (step->state == STEP_NEXT)
        {
          inquiry_ask (step);
          if (inquiry_judge (self))
            return;
        }
      is_waiting = step->state == STEP_ASKED && !step->is_late;
    }
}

void
detour_inquiry_start (DetourInquiry *self, gint64 now_us)
{
  self->now_us = now_us;
  inquiry_go_on (self);
}

void
detour_inquiry_tick (DetourInquiry *self, gint64 now_us)
{
  gboolean is_over = now_us >= self->terms.deadline_us;

  self->now_us = now_us;
  for (guint i = 0; i < self->n; i++)
    {
      Step *step = &self->steps[i];

      if (step->state == STEP_ASKED && now_us - step->asked_us >= self->terms.patience_us)
        step->is_late = TRUE;
      if (!is_over || step->state == STEP_ANSWERED)
        continue;
      if (step->state == STEP_ASKED)
        detour_auth_source_withdraw (step->source, step->ask, TRUE);
      inquiry_set_answer (step, DETOUR_AUTH_UNAVAILABLE, NULL, "no answer in time");
    }
  inquiry_go_on (self);
}
