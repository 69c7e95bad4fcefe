/* acme-request.h: the one request that a run is for.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "acme-account.h"
#include "acme-chain.h"

G_BEGIN_DECLS

#define ACME_REQUEST_SECONDS_MAX 3600

/* Strings are borrowed from `object`. */
typedef struct {
  JsonObject *object;
  const char *what; /* "order", "renewal-info", "rollover", "revoke" */
  const char *directory, *ca_file;
  gint64 time_limit_s;
  AcmeAccount account;
  const char *profile, *key_type, *replaces, *preferred_chain;
  const char *certificate, *next_key;
  gint64 reason;
  GStrv names, challenges, dns_servers; /* never NULL */
} AcmeRequest;

void acme_request_clear (AcmeRequest *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AcmeRequest, acme_request_clear)

/* Takes a reference to @object. FALSE: something is missing or has the wrong form. */
gboolean acme_request_read (AcmeRequest *self, JsonObject *object, AcmeProblem *problem)
    G_GNUC_WARN_UNUSED_RESULT;

/* The certificate of the request. */
gboolean acme_request_read_chain (const AcmeRequest *self, AcmeChain *out, AcmeProblem *problem)
    G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
