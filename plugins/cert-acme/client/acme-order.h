/* acme-order.h: an order at a CA and its way through the states of RFC 8555, section 7.1.6.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "acme-names.h"
#include "acme-session.h"

G_BEGIN_DECLS

typedef enum {
  ACME_ORDER_PENDING,
  ACME_ORDER_READY,
  ACME_ORDER_PROCESSING,
  ACME_ORDER_VALID,
  ACME_ORDER_INVALID,
} AcmeOrderState;

typedef struct {
  char *url;
  AcmeOrderState state;
  GStrv authorizations; /* addresses; may be empty */
  char *finalize;       /* NULL: the CA did not say */
  char *certificate;    /* NULL: not there yet */
  char *profile;        /* NULL: the CA did not say */
  AcmeProblem problem;  /* of an invalid one; zeroed when the CA did not say */
  gint64 retry_after_s;
} AcmeOrder;

void acme_order_clear (AcmeOrder *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AcmeOrder, acme_order_clear)

/* Takes what a CA sent, and keeps what this answer does not repeat. */
gboolean acme_order_read (AcmeOrder *self, const char *body, gsize len, AcmeProblem *problem)
    G_GNUC_WARN_UNUSED_RESULT;

/* @profile, @replaces: (nullable). */
gboolean acme_order_create (AcmeOrder *self, AcmeSession *session, const GPtrArray *names,
                            const char *profile, const char *replaces, AcmeProblem *problem)
    G_GNUC_WARN_UNUSED_RESULT;

/* Looks until it is at @state or past it. FALSE also when it is invalid. */
gboolean acme_order_wait (AcmeOrder *self, AcmeSession *session, AcmeOrderState state,
                          AcmeProblem *problem) G_GNUC_WARN_UNUSED_RESULT;

/* From ready to valid. @csr: base64url. */
gboolean acme_order_finalize (AcmeOrder *self, AcmeSession *session, const char *csr,
                              AcmeProblem *problem) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
