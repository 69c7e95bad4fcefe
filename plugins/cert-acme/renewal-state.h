/* renewal-state.h: what an instance knows from one start to the next, beside its certificate.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "renewal-options.h"
#include "renewal-schedule.h"

G_BEGIN_DECLS

/* Of its file, as for renewal_files_path(). */
#define RENEWAL_STATE_SUFFIX ".json"

typedef struct {
  RenewalSchedule schedule;
  char *fingerprint; /* of what was ordered last; NULL: nothing yet */
  char *directory;   /* URL of who issued the certificate; NULL: not known */
  char *profile;     /* by which; NULL: none, or not known */
  char *challenge;   /* by which a name was proven last; NULL: none yet */
  char *error;       /* why the last try failed; NULL: it did not */
  char *remedy;
  gint64 error_time; /* Unix time in seconds */
  guint rotation;    /* how often another challenge was given its turn */
} RenewalState;

void renewal_state_clear (RenewalState *self);

/* A file that is broken counts as none: then @error is set and everything is zero. */
gboolean renewal_state_load (RenewalState *self, DetourHost *host, GError **error);
gboolean renewal_state_save (const RenewalState *self, DetourHost *host, GError **error);

/* @text, @remedy: (nullable): NULL and NULL: nothing is wrong any more. */
void renewal_state_set_error (RenewalState *self, const char *text, const char *remedy, gint64 now);

G_END_DECLS
