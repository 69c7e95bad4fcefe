/* detour-inquiry.h: one question on its way along the chain, to the verdict.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sources are asked one after the other; the next one also when the one before is late, so
 * that a silent source costs patience and not all of the time there is. What the verdict is:
 *
 *   any   the first ALLOW; without one UNAVAILABLE if some source could not say, else DENY
 *   all   the first DENY; without one UNAVAILABLE if some source could not say, else ALLOW
 *
 * A source that cannot say counts as ALLOW for a key that it allowed within the grace period.
 * While it is only late, that is a first word: it lets a client in, and the inquiry goes on to the
 * last word. */
#pragma once

#include <glib.h>

#include "detour-auth-source.h"
#include "detour-verdict-log.h"

G_BEGIN_DECLS

/* Main thread. */
typedef struct _DetourInquiry DetourInquiry;

typedef struct {
  gboolean match_all;
  gboolean asks_anew;  /* takes nothing from memory, except for grace */
  gboolean is_stopped; /* nobody takes part: every source cannot say */
  gint64 grace_us;
  gint64
      patience_us; /* a source without an answer is late then; one that is down is late at once */
  gint64 deadline_us;
} DetourInquiryTerms;

/* Borrowed for the call. */
typedef struct {
  DetourAuthResult result;
  DetourVerdictFlags flags; /* CACHED, GRACE */
  const char *label;        /* (nullable) */
  const char *source;
  const char *reason; /* (nullable) */
} DetourInquiryWord;

/* @is_last: the inquiry is over; @func may free it, and nothing else happens to it. A first word is
 * always ALLOW. */
typedef void (*DetourInquiryFunc) (const DetourInquiryWord *word, gboolean is_last, gpointer user);

/**
 * detour_inquiry_new:
 * @question: copied
 * @sources: (array length=n): referenced; one or more
 * @terms: copied
 */
DetourInquiry *detour_inquiry_new (const DetourQuestion *question, DetourAuthSource *const *sources,
                                   guint n, const DetourInquiryTerms *terms, DetourInquiryFunc func,
                                   gpointer user);
/* Withdraws what it asked. */
void detour_inquiry_free (DetourInquiry *self);
/* May say its words at once. */
void detour_inquiry_start (DetourInquiry *self, gint64 now_us);
/* To be called now and then, once it was started. */
void detour_inquiry_tick (DetourInquiry *self, gint64 now_us);

G_END_DECLS
