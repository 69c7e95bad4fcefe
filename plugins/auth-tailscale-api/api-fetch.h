/* api-fetch.h: gets the list of devices from an API, with a token before it where one is needed.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Main thread; one fetch at a time. What is refused once is asked once more with a new token, or
 * with what stands in the secret's file by now. */
#pragma once

#include "api-credential.h"
#include "web-client.h"

G_BEGIN_DECLS

typedef struct _ApiFetch ApiFetch;

typedef struct {
  const char *url; /* of the API, without a path of its own: "https://api.tailscale.com" */
  const char *tailnet;
  gboolean headscale;
  guint timeout_ms; /* for each request */
} ApiFetchSetup;

/* Borrowed for the call. */
typedef struct {
  const char *body; /* NULL: there is no list, for the reason in @trouble */
  gsize body_len;
  gint64 elapsed_us;   /* of the request for the list */
  const char *trouble; /* what happened and what to do */
  gint64 retry_us;     /* the API wants to be left alone for so long; 0: it does not say */
  gboolean is_refusal; /* it does not accept the credential; asking soon again is of no use */
} ApiFetchResult;

/* Never called from inside api_fetch_begin(). */
typedef void (*ApiFetchDone) (const ApiFetchResult *result, gpointer user);

/* @client and @credential outlive it. */
ApiFetch *api_fetch_new (const ApiFetchSetup *setup, WebClient *client, ApiCredential *credential,
                         ApiFetchDone done, gpointer user);
/* No call to done() follows. */
void api_fetch_free (ApiFetch *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ApiFetch, api_fetch_free)

/* None must be out. */
void api_fetch_begin (ApiFetch *self);

/* "api.tailscale.com:443" */
const char *api_fetch_host (const ApiFetch *self);

G_END_DECLS
