/* fake-auth.h: auth instances that say what a test wants when it wants, and a clock that it moves.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-auth-instance.h"

G_BEGIN_DECLS

/* A request that an instance has not answered. */
typedef struct {
  char *instance;
  DetourKey key;
  char *app_name;
  DetourVerdictFunc done;
  gpointer data;
} FakeCall;

typedef struct {
  gint64 now_us, real_us; /* go on together, unless a test sets one of them */
  const char *source;     /* of all instances */
  GPtrArray *calls;       /* of FakeCall, as they were asked */
  GPtrArray *stopped;     /* names of instances that do not take part */
  GArray *revoked;        /* of DetourKey */
  gboolean tells_trouble;
} FakeAuth;

/* User data of the port is the FakeAuth. */
extern const DetourAuthPort fake_auth_port;

FakeAuth *fake_auth_new (void);
void fake_auth_free (FakeAuth *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FakeAuth, fake_auth_free)

void fake_auth_pass (FakeAuth *self, gint64 us);
/* Answers the oldest open request to @instance; there must be one. @text is the label of ALLOW, or
 * the reason. */
void fake_auth_answer (FakeAuth *self, const char *instance, DetourAuthResult result,
                       const char *text);
void fake_auth_answer_full (FakeAuth *self, const DetourVerdict *fields);
/* Open requests to @instance; NULL: to any. */
guint fake_auth_n_open (const FakeAuth *self, const char *instance);
/* A stopped instance answers what is open, as the host makes it do. */
void fake_auth_stop_instance (FakeAuth *self, const char *instance);

/* A request of the key whose bytes are all @byte, and its fields. */
DetourAuthRequest fake_request_fields (guint8 byte);
DetourAuthRequest *fake_request (guint8 byte);

G_END_DECLS
