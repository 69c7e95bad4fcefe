/* acme-http.h: one request to a CA at a time, over HTTPS, with limits for all that comes back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "acme-problem.h"

G_BEGIN_DECLS

/* A chain of ten certificates has some 20 KiB, an order for a hundred names as many. */
#define ACME_HTTP_BODY_MAX  (256 * 1024)
#define ACME_HTTP_HEAD_MAX  (64 * 1024)
#define ACME_HTTP_LINKS_MAX 16
#define ACME_HTTP_REDIRECTS 5

typedef struct {
  guint status;
  GString *body;
  char *url; /* where it came from, after redirects */
  char *nonce, *location, *content_type, *help, *terms;
  GPtrArray *alternates; /* addresses of other chains */
  gint64 retry_after_s;  /* 0: it does not say */
} AcmeAnswer;

void acme_answer_clear (AcmeAnswer *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AcmeAnswer, acme_answer_clear)

typedef struct _AcmeHttp AcmeHttp;

/* @ca_file: (nullable): trusted instead of those of the system. */
AcmeHttp *acme_http_new (const char *ca_file, gint64 deadline_us);
void acme_http_free (AcmeHttp *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AcmeHttp, acme_http_free)

/**
 * acme_http_request:
 * @method: GET, HEAD or POST; the first two follow redirects
 * @body: (nullable): of a POST
 * @out: cleared or zeroed; filled with whatever the CA said, errors included
 *
 * Returns: FALSE when there was no answer, or one that is too large, and @problem is set.
 */
gboolean acme_http_request (AcmeHttp *self, const char *method, const char *url, const char *body,
                            AcmeAnswer *out, AcmeProblem *problem) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
