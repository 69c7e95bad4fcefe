/* detour-survey.h: asks a worker who some of its connections are, a few at a time.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-auth-request.h"
#include "detour-worker.h"

G_BEGIN_DECLS

/* One that was asked for and has not come yet. Main thread, like all here. */
typedef struct _DetourSurvey DetourSurvey;

typedef struct {
  DetourHandle handle;
  DetourAuthRequest *request; /* as at the login, as far as the connection still knows it */
} DetourSurveyClient;

#define DETOUR_SURVEY_END G_MAXUINT32

/* @clients: (array length=n): borrowed for the call; @next: slot to go on with, or
 * DETOUR_SURVEY_END. The survey is over and must not be touched. */
typedef void (*DetourSurveyDone) (const DetourSurveyClient *clients, guint n, guint32 next,
                                  gpointer data);

/**
 * detour_survey_start:
 * @first: slot to begin with, 0 for the first one
 * @max: connections wanted; there may be fewer, as the worker looks at a few slots only
 *
 * Mesh connections are left out. The worker's part takes no longer than a packet or two.
 */
DetourSurvey *detour_survey_start (DetourWorker *worker, guint32 first, guint max,
                                   DetourSurveyDone done, gpointer data);
/* @done is not called any more. */
void detour_survey_cancel (DetourSurvey *self);

G_END_DECLS
