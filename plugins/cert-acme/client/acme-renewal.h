/* acme-renewal.h: a run that asks when a certificate should be renewed (RFC 9773).
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "acme-request.h"

G_BEGIN_DECLS

typedef struct {
  gint64 start_s, end_s; /* Unix */
  char *explanation;     /* NULL: none */
} AcmeRenewal;

void acme_renewal_clear (AcmeRenewal *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AcmeRenewal, acme_renewal_clear)

gboolean acme_renewal_read (AcmeRenewal *self, const char *body, gsize len, AcmeProblem *problem)
    G_GNUC_WARN_UNUSED_RESULT;

/* When to ask again: what the CA says, from a minute to a day; six hours if it does not. */
gint64 acme_renewal_ask_again_s (gint64 retry_after_s);

/* Ends with the event `renewal`. */
gboolean acme_renewal_run (const AcmeRequest *request, AcmeSession *session, AcmeProblem *problem)
    G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
