/* detour-admission.h: who may use the relay: the chain of auth instances and what core adds to it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-key.h"
#include "detour-plugin.h"

G_BEGIN_DECLS

typedef struct _DetourAdmission DetourAdmission;

/* A question on its way to the auth instances; copied by detour_admission_ask(). */
typedef struct {
  DetourKey key;
  char source[64];   /* address without port; "" when unknown */
  char *sni;         /* NULL: none */
  char *listener;    /* "transport/https" */
  char app_name[33]; /* "" when none */
  gboolean prober;
} DetourAdmissionQuestion;

typedef struct {
  DetourAuthResult result; /* of the whole chain */
  const char *label;       /* (nullable) */
  const char *source;      /* instance that decided, "open", or "admission" */
  const char *reason;      /* (nullable) */
} DetourAdmissionVerdict;

/* Main thread. @verdict is lent for the call. */
typedef void (*DetourAdmissionDone) (const DetourAdmissionVerdict *verdict, gpointer data);

/* Asks the auth instance "auth/NAME"; answers exactly once, on the main thread; UNAVAILABLE when it does not run. */
typedef void (*DetourAdmissionVerify) (gpointer user, const char *instance, const DetourAuthQuestion *question,
                                       void (*done) (const DetourAuthVerdict *verdict, gpointer data), gpointer data);

/* Main thread, like all that is not marked otherwise. */
DetourAdmission *detour_admission_new (DetourAdmissionVerify verify, gpointer user);
/* Runs the main context until every question is put away: whoever answers them must still do so. */
void detour_admission_free (DetourAdmission *self);

/* New settings of [admission]. */
void detour_admission_apply (DetourAdmission *self, DetourSettings *settings);

/* Everyone is let in: there is no need to ask. Any thread. */
gboolean detour_admission_is_open (const DetourAdmission *self);

/* Any thread. Answers exactly once, in no more than the configured time. */
void detour_admission_ask (DetourAdmission *self, const DetourAdmissionQuestion *question, DetourAdmissionDone done,
                           gpointer data);

G_END_DECLS
