/* fake-auth.c: auth instances that say what a test wants when it wants, and a clock that it moves.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-auth.h"

static void
call_free (gpointer data)
{
  FakeCall *call = data;

  g_free (call->instance);
  g_free (call->app_name);
  g_free (call);
}

static void
verify (gpointer user, const char *instance, DetourAuthRequest *request, DetourVerdictFunc done,
        gpointer data)
{
  FakeAuth *self = user;
  FakeCall *call = g_new0 (FakeCall, 1);

  call->instance = g_strdup (instance);
  call->key = *detour_auth_request_key (request);
  call->app_name = g_strdup (request->app_name);
  call->done = done;
  call->data = data;
  g_ptr_array_add (self->calls, call);
}

static gboolean
takes_part (gpointer user, const char *instance)
{
  return !g_ptr_array_find_with_equal_func (((FakeAuth *) user)->stopped, instance, g_str_equal,
                                            NULL);
}

static gboolean
tells_trouble (gpointer user, const char *instance)
{
  return ((FakeAuth *) user)->tells_trouble;
}

static void
revoke_client (gpointer user, const DetourAuthRequest *request)
{
  g_array_append_vals (((FakeAuth *) user)->revoked, request->key, 1);
}

static gint64
now_us (gpointer user)
{
  return ((FakeAuth *) user)->now_us;
}

static gint64
real_us (gpointer user)
{
  return ((FakeAuth *) user)->real_us;
}

static char *
dup_source (gpointer user, const char *instance)
{
  return g_strdup (((FakeAuth *) user)->source);
}

const DetourAuthPort fake_auth_port = { verify, takes_part, tells_trouble, revoke_client,
                                        now_us, real_us,    dup_source };

FakeAuth *
fake_auth_new (void)
{
  FakeAuth *self = g_new0 (FakeAuth, 1);

  self->now_us = 1000 * G_USEC_PER_SEC;
  self->real_us = G_GINT64_CONSTANT (1900000000) * G_USEC_PER_SEC;
  self->source = "somebody";
  self->calls = g_ptr_array_new_with_free_func (call_free);
  self->stopped = g_ptr_array_new_with_free_func (g_free);
  self->revoked = g_array_new (FALSE, FALSE, sizeof (DetourKey));
  return self;
}

/* Every instance owes its answers to the end. */
void
fake_auth_free (FakeAuth *self)
{
  while (self->calls->len > 0)
    fake_auth_answer (self, ((FakeCall *) self->calls->pdata[0])->instance, DETOUR_AUTH_UNAVAILABLE,
                      "the end");
  g_ptr_array_unref (self->calls);
  g_ptr_array_unref (self->stopped);
  g_array_unref (self->revoked);
  g_free (self);
}

void
fake_auth_pass (FakeAuth *self, gint64 us)
{
  self->now_us += us;
  self->real_us += us;
}

void
fake_auth_answer_full (FakeAuth *self, const DetourVerdict *fields)
{
  g_autoptr (DetourVerdict) verdict = detour_verdict_new (fields);

  for (guint i = 0; i < self->calls->len; i++)
    {
      FakeCall *call = self->calls->pdata[i];

      if (!g_str_equal (call->instance, verdict->instance))
        continue;
      g_ptr_array_steal_index (self->calls, i);
      call->done (verdict, call->data);
      call_free (call);
      return;
    }
  g_error ("%s was asked nothing", verdict->instance);
}

void
fake_auth_answer (FakeAuth *self, const char *instance, DetourAuthResult result, const char *text)
{
  DetourVerdict fields = { .result = result, .instance = instance };

  if (result == DETOUR_AUTH_ALLOW)
    fields.label = text;
  else
    fields.reason = text;
  fake_auth_answer_full (self, &fields);
}

guint
fake_auth_n_open (const FakeAuth *self, const char *instance)
{
  guint n = 0;

  for (guint i = 0; i < self->calls->len; i++)
    n += instance == NULL || g_str_equal (((FakeCall *) self->calls->pdata[i])->instance, instance)
           ? 1
           : 0;
  return n;
}

void
fake_auth_stop_instance (FakeAuth *self, const char *instance)
{
  while (fake_auth_n_open (self, instance) > 0)
    fake_auth_answer (self, instance, DETOUR_AUTH_UNAVAILABLE, "the instance stopped");
  g_ptr_array_add (self->stopped, g_strdup (instance));
}

DetourAuthRequest
fake_request_fields (guint8 byte)
{
  DetourAuthRequest fields = { .address = "192.0.2.1",
                               .sni = "relay.test",
                               .listener = "transport/https" };

  memset (fields.key, byte, sizeof fields.key);
  return fields;
}

DetourAuthRequest *
fake_request (guint8 byte)
{
  const DetourAuthRequest fields = fake_request_fields (byte);

  return detour_auth_request_new (&fields);
}
