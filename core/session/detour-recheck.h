/* detour-recheck.h: asks again about the clients that are connected, now and then or because
 * verdicts changed.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Spread over the interval, so that nobody notices; all of them as fast as the sources answer when
 * a source says that its verdicts changed. Nothing is kept of the clients: the workers are asked
 * who is there, a few at a time. A client that is denied is closed. One of which nobody can say
 * anything stays. */
#pragma once

#include <glib.h>

#include "detour-admission.h"
#include "detour-survey.h"

G_BEGIN_DECLS

/* Main thread. */
typedef struct _DetourRecheck DetourRecheck;

/* Where the clients are. */
typedef struct {
  guint (*n_workers) (gpointer user);
  guint (*n_clients) (gpointer user);
  /* Like detour_survey_start() and _cancel(). */
  gpointer (*survey) (gpointer user, guint worker, guint32 first, guint max, DetourSurveyDone done,
                      gpointer data);
  void (*cancel) (gpointer user, gpointer survey);
  void (*close) (gpointer user, DetourHandle handle);
} DetourRecheckPort;

/* Clients that are asked about at a time; half of what a source takes, so that those who come are
 * not held up. */
#define DETOUR_RECHECK_BATCH 32u

/* @admission and @port outlive the recheck, or detour_recheck_stop(). */
DetourRecheck *detour_recheck_new (DetourAdmission *admission, const DetourRecheckPort *port,
                                   gpointer user);
/* Asks nobody any more; answers may still come until the admission is freed. */
void detour_recheck_stop (DetourRecheck *self);
/* Stopped, and the admission is freed. */
void detour_recheck_free (DetourRecheck *self);

/* The settings of the admission are others. */
void detour_recheck_apply (DetourRecheck *self);
/* Everyone is asked about, from the beginning. */
void detour_recheck_all (DetourRecheck *self);
/* So much time of the interval has passed. Runs by itself; tests call it. */
void detour_recheck_pass (DetourRecheck *self, gint64 elapsed_us);

G_END_DECLS
