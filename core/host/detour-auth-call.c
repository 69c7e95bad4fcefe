/* detour-auth-call.c: one auth request on its way to a plugin, and the verdict on its way back to
 * the main thread.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-auth-request.h"
#include "detour-instance-private.h"

#include "detour-mailbox.h"
#include "detour-text.h"

/* Texts of plugins come from far away: so many characters of them are kept. */
#define TEXT_MAX 200
/* Far more than core believes, and no sum with the clock overflows. */
#define TTL_MAX_US (365 * G_TIME_SPAN_DAY)

/* Two may hold a call: the plugin until it answers, and the instance's list until the verdict is
 * delivered. */
struct _DetourAuthCall {
  gatomicrefcount refs;
  DetourAuthRequest *request;
  char *instance_id;
  DetourVerdict *verdict; /* set by the thread that answers, read on the main thread afterwards */

  /* Main thread only. */
  DetourInstance *instance; /* NULL once delivered */
  DetourVerdictFunc done;
  gpointer data;
};

static void
auth_call_unref (DetourAuthCall *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  detour_auth_request_unref (self->request);
  g_clear_pointer (&self->verdict, detour_verdict_unref);
  g_free (self->instance_id);
  g_free (self);
}

/* Takes the call off the instance's list and hands the verdict to the caller. */
static void
auth_call_deliver (DetourAuthCall *self, DetourVerdict *verdict)
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
    auth_call_deliver (self, self->verdict);
  auth_call_unref (self);
}

static DetourVerdict *
auth_call_make_verdict (const DetourAuthCall *self, const DetourAuthVerdict *answer)
{
  g_autofree char *label = detour_text_tidy (answer->label, TEXT_MAX);
  g_autofree char *class_ = detour_text_tidy (answer->class_, TEXT_MAX);
  g_autofree char *reason = detour_text_tidy (answer->reason, TEXT_MAX);
  const DetourVerdict fields = {
    .result = answer->result,
    .instance = self->instance_id,
    .label = label,
    .class_ = class_,
    .reason = reason,
    .until_us = answer->ttl_us > 0 ? g_get_monotonic_time () + MIN (answer->ttl_us, TTL_MAX_US) : 0,
  };

  return detour_verdict_new (&fields);
}

void
detour_auth_answer (DetourAuthCall *call, const DetourAuthVerdict *verdict)
{
  call->verdict = auth_call_make_verdict (call, verdict);
  /* The call knows whether it is still waited for: an instance that stopped took that away. */
  detour_mailbox_post (NULL, auth_call_deliver_answer, call, NULL);
}

static void
auth_call_answer_unavailable (DetourAuthCall *self, const char *reason)
{
  DetourAuthVerdict verdict = { .result = DETOUR_AUTH_UNAVAILABLE, .reason = reason };

  detour_auth_answer (self, &verdict);
}

void
detour_instance_verify (DetourInstance *self, DetourAuthRequest *request, DetourVerdictFunc done,
                        gpointer data)
{
  DetourAuthCall *call = g_new0 (DetourAuthCall, 1);

  g_assert (self->kind == DETOUR_KIND_AUTH);
  g_atomic_ref_count_init (&call->refs);
  g_atomic_ref_count_inc (&call->refs);
  call->request = detour_auth_request_ref (request);
  call->instance_id = g_strdup (self->id);
  call->instance = self;
  call->done = done;
  call->data = data;
  g_ptr_array_add (self->auth_calls, call);

  if (self->state == DETOUR_INSTANCE_RUNNING)
    self->plugin->funcs.auth->verify (self->self, call->request, call);
  else
    auth_call_answer_unavailable (call, "the instance does not run");
}

void
detour_auth_call_abandon_all (DetourInstance *self)
{
  const DetourVerdict fields = { .result = DETOUR_AUTH_UNAVAILABLE,
                                 .instance = self->id,
                                 .reason = "the instance stopped" };
  g_autoptr (DetourVerdict) stopped = detour_verdict_new (&fields);

  while (self->auth_calls->len > 0)
    auth_call_deliver (self->auth_calls->pdata[self->auth_calls->len - 1], stopped);
}
