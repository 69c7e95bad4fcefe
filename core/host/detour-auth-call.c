/* detour-auth-call.c: one question on its way to an auth plugin and back to the main thread.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-instance-private.h"

#include <string.h>

#include "detour-mailbox.h"

/* Two may hold a call: the plugin until it answers, and the instance's list until the answer is
 * delivered. */
struct _DetourAuthCall {
  gatomicrefcount refs;
  DetourAuthQuestion question;
  char *source, *sni, *listener, *app_name; /* what the question points to */

  /* Written by whoever answers, read on the main thread afterwards. */
  DetourAuthVerdict verdict;
  char *label, *class_, *reason;

  /* Main thread only. */
  DetourInstance *instance; /* NULL once delivered */
  DetourAuthDone done;
  gpointer data;
};

static void
auth_call_unref (DetourAuthCall *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_free (self->source);
  g_free (self->sni);
  g_free (self->listener);
  g_free (self->app_name);
  g_free (self->label);
  g_free (self->class_);
  g_free (self->reason);
  g_free (self);
}

/* Takes the call off the instance's list and tells the asker. */
static void
auth_call_deliver (DetourAuthCall *self, const DetourAuthVerdict *verdict)
{
  DetourInstance *instance = g_steal_pointer (&self->instance);

  g_ptr_array_remove_fast (instance->auth_calls, self);
  self->done (verdict, self->data);
  auth_call_unref (self);
}

static void
auth_call_deliver_answer (gpointer data)
{
  DetourAuthCall *self = data;

  if (self->instance != NULL)
    auth_call_deliver (self, &self->verdict);
  auth_call_unref (self);
}

void
detour_auth_answer (DetourAuthCall *call, const DetourAuthVerdict *verdict)
{
  call->label = g_strdup (verdict->label);
  call->class_ = g_strdup (verdict->class_);
  call->reason = g_strdup (verdict->reason);
  call->verdict = *verdict;
  call->verdict.label = call->label;
  call->verdict.class_ = call->class_;
  call->verdict.reason = call->reason;
  /* The call knows whether somebody still waits: an instance that stopped took that away. */
  detour_mailbox_post (NULL, auth_call_deliver_answer, call, NULL);
}

static void
auth_call_answer_unavailable (DetourAuthCall *self, const char *reason)
{
  DetourAuthVerdict verdict = { .result = DETOUR_AUTH_UNAVAILABLE, .reason = reason };

  detour_auth_answer (self, &verdict);
}

void
detour_instance_verify (DetourInstance *self, const DetourAuthQuestion *question,
                        DetourAuthDone done, gpointer data)
{
  DetourAuthCall *call = g_new0 (DetourAuthCall, 1);

  g_assert (self->kind == DETOUR_KIND_AUTH);
  g_atomic_ref_count_init (&call->refs);
  g_atomic_ref_count_inc (&call->refs);
  call->question = *question;
  call->question.source = call->source = g_strdup (question->source);
  call->question.sni = call->sni = g_strdup (question->sni);
  call->question.listener = call->listener = g_strdup (question->listener);
  call->question.app_name = call->app_name = g_strdup (question->app_name);
  call->instance = self;
  call->done = done;
  call->data = data;
  g_ptr_array_add (self->auth_calls, call);

  if (self->state == DETOUR_INSTANCE_RUNNING)
    self->plugin->funcs.auth->verify (self->self, &call->question, call);
  else
    auth_call_answer_unavailable (call, "the instance does not run");
}

void
detour_auth_call_abandon_all (DetourInstance *self)
{
  static const DetourAuthVerdict stopped = { .result = DETOUR_AUTH_UNAVAILABLE,
                                             .reason = "the instance stopped" };

  while (self->auth_calls->len > 0)
    auth_call_deliver (self->auth_calls->pdata[self->auth_calls->len - 1], &stopped);
}
