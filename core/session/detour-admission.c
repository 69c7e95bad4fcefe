/* detour-admission.c: who may use the relay: the chain of auth instances and what core adds to it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-admission.h"

#include <string.h>

struct _DetourAdmission {
  DetourAdmissionVerify verify;
  gpointer user;
  gboolean is_open; /* atomic */
  GStrv chain;          /* ids of instances; main thread, like what follows */
  gboolean match_all;
  gboolean dry_run;
  gint64 timeout_us;
  GStrv disallowed_app_names;
  int n_asking; /* atomic */
};

/* One client's way along the chain; main thread once it has begun. */
typedef struct {
  DetourAdmission *admission;
  DetourAdmissionQuestion question;
  DetourAdmissionDone done; /* NULL: answered */
  gpointer data;
  gatomicrefcount refs; /* answers that are owed, and the timer */
  guint timer;
  guint next;      /* in the chain */
  GStrv chain;     /* as it was when this began */
  gboolean was_unavailable;
  char *reason;    /* of the last refusal */
  char *source;
} Inquiry;

/* An answer that an instance owes. */
typedef struct {
  Inquiry *inquiry;
  guint index;
} Step;

static void ask_next (Inquiry *inquiry);

DetourAdmission *
detour_admission_new (DetourAdmissionVerify verify, gpointer user)
{
  DetourAdmission *self = g_new0 (DetourAdmission, 1);

  self->verify = verify;
  self->user = user;
  self->chain = g_new0 (char *, 1);
  return self;
}

void
detour_admission_free (DetourAdmission *self)
{
  /* Nobody waits for an answer any more; what is left of each question only has to be put away. */
  while (g_atomic_int_get (&self->n_asking) > 0)
    g_main_context_iteration (NULL, TRUE);

  g_strfreev (self->chain);
  g_strfreev (self->disallowed_app_names);
  g_free (self);
}

void
detour_admission_apply (DetourAdmission *self, DetourSettings *settings)
{
  const char *const *names = detour_settings_list (settings, "chain");
  g_autoptr (GPtrArray) chain = g_ptr_array_new ();
  gboolean is_open = FALSE;

  for (guint i = 0; names[i] != NULL; i++)
    if (g_str_equal (names[i], "open"))
      is_open = TRUE;
    else
      g_ptr_array_add (chain, g_str_has_prefix (names[i], "auth/") ? g_strdup (names[i])
                                                                   : g_strconcat ("auth/", names[i], NULL));
  g_ptr_array_add (chain, NULL);

  g_strfreev (self->chain);
  self->chain = (GStrv) g_ptr_array_steal (chain, NULL);
  self->match_all = g_strcmp0 (detour_settings_string (settings, "match"), "all") == 0;
  self->dry_run = detour_settings_bool (settings, "dry-run");
  self->timeout_us = detour_settings_duration_us (settings, "timeout");
  g_strfreev (self->disallowed_app_names);
  self->disallowed_app_names = g_strdupv ((GStrv) detour_settings_list (settings, "disallow-app-names"));

  /* A list of names to keep out needs a look at every client. */
  g_atomic_int_set (&self->is_open, is_open && self->disallowed_app_names[0] == NULL);
}

gboolean
detour_admission_is_open (const DetourAdmission *self)
{
  return g_atomic_int_get (&self->is_open);
}

static void
inquiry_unref (Inquiry *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_atomic_int_add (&self->admission->n_asking, -1);
  g_free (self->question.sni);
  g_free (self->question.listener);
  g_strfreev (self->chain);
  g_free (self->reason);
  g_free (self->source);
  g_free (self);
}

static void
conclude (Inquiry *self, DetourAuthResult result, const char *label, const char *source, const char *reason)
{
  DetourAdmissionVerdict verdict = { result, label, source, reason };
  DetourAdmissionDone done = g_steal_pointer (&self->done);

  if (done == NULL)
    return;
  if (self->timer != 0)
    {
      g_source_remove (self->timer);
      self->timer = 0;
      inquiry_unref (self);
    }
  if (self->admission->dry_run && result != DETOUR_AUTH_ALLOW)
    {
      g_autofree char *key = detour_key_to_text (&self->question.key);

      g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_KEY, key, DETOUR_LOG_INSTANCE, source, "MESSAGE",
                        "would refuse %s: %s (%s); let in because of dry-run", key,
                        reason != NULL ? reason : "no reason given", source);
      verdict.result = DETOUR_AUTH_ALLOW;
    }
  done (&verdict, self->data);
}

static void
on_step (const DetourAuthVerdict *verdict, gpointer data)
{
  g_autofree Step *step = data;
  Inquiry *self = step->inquiry;
  const char *source = self->chain[step->index];
  gboolean decides;

  if (self->done == NULL)
    {
      inquiry_unref (self);
      return;
    }

  if (verdict->result == DETOUR_AUTH_UNAVAILABLE)
    self->was_unavailable = TRUE;
  /* Whoever lets in decides for `any`, whoever keeps out for `all`; otherwise the last one does. */
  decides = self->admission->match_all ? verdict->result != DETOUR_AUTH_ALLOW : verdict->result == DETOUR_AUTH_ALLOW;
  if (verdict->result != DETOUR_AUTH_ALLOW)
    {
      g_free (self->reason);
      g_free (self->source);
      self->reason = g_strdup (verdict->reason);
      self->source = g_strdup (source);
    }
  if (decides)
    conclude (self, verdict->result, verdict->label, source, verdict->reason);
  else if (self->chain[self->next] != NULL)
    ask_next (self);
  else if (self->admission->match_all)
    conclude (self, DETOUR_AUTH_ALLOW, verdict->label, source, NULL);
  else
    conclude (self, self->was_unavailable ? DETOUR_AUTH_UNAVAILABLE : DETOUR_AUTH_DENY, NULL, self->source, self->reason);
  inquiry_unref (self);
}

static void
ask_next (Inquiry *self)
{
  DetourAuthQuestion question = { 0 };
  Step *step = g_new (Step, 1);

  *step = (Step) { self, self->next++ };
  memcpy (question.key, self->question.key.bytes, DETOUR_KEY_SIZE);
  question.source = self->question.source;
  question.sni = self->question.sni;
  question.listener = self->question.listener;
  question.app_name = self->question.app_name;
  question.prober = self->question.prober;
  g_atomic_ref_count_inc (&self->refs);
  self->admission->verify (self->admission->user, self->chain[step->index], &question, on_step, step);
}

static gboolean
on_timeout (gpointer data)
{
  Inquiry *self = data;

  self->timer = 0;
  conclude (self, DETOUR_AUTH_UNAVAILABLE, NULL, self->chain[self->next - 1], "no answer in time");
  inquiry_unref (self);
  return G_SOURCE_REMOVE;
}

static gboolean
begin (gpointer data)
{
  Inquiry *self = data;
  DetourAdmission *admission = self->admission;

  self->chain = g_strdupv (admission->chain);
  if (g_strv_contains ((const char *const *) admission->disallowed_app_names, self->question.app_name))
    conclude (self, DETOUR_AUTH_DENY, NULL, "admission", "its application name is not allowed");
  else if (self->chain[0] == NULL)
    conclude (self, DETOUR_AUTH_ALLOW, NULL, "open", NULL);
  else
    {
      g_atomic_ref_count_inc (&self->refs);
      self->timer = g_timeout_add ((guint) (admission->timeout_us / 1000), on_timeout, self);
      ask_next (self);
    }
  inquiry_unref (self);
  return G_SOURCE_REMOVE;
}

void
detour_admission_ask (DetourAdmission *self, const DetourAdmissionQuestion *question, DetourAdmissionDone done,
                      gpointer data)
{
  Inquiry *inquiry = g_new0 (Inquiry, 1);

  g_atomic_int_inc (&self->n_asking);
  g_atomic_ref_count_init (&inquiry->refs);
  inquiry->admission = self;
  inquiry->question = *question;
  inquiry->question.sni = g_strdup (question->sni);
  inquiry->question.listener = g_strdup (question->listener);
  inquiry->done = done;
  inquiry->data = data;
  g_idle_add_full (G_PRIORITY_DEFAULT, begin, inquiry, NULL);
}
