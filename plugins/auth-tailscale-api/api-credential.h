/* api-credential.h: what an API is asked with: a key of its own, or the tokens of an OAuth client.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Main thread. Secrets are wiped when they are given up, and stand in no message. */
#pragma once

#include "api-answer.h"

G_BEGIN_DECLS

typedef enum {
  API_CREDENTIAL_KEY,    /* the file has an API key */
  API_CREDENTIAL_CLIENT, /* the file has the secret of an OAuth client */
} ApiCredentialKind;

typedef struct _ApiCredential ApiCredential;

/**
 * api_credential_new:
 * @file: read with the rules for secrets
 * @client_id: (nullable): of an OAuth client; NULL where the secret has it in itself
 *
 * Returns: NULL with @error set, whose message begins with the path.
 */
ApiCredential *api_credential_new (ApiCredentialKind kind, const char *file, const char *client_id,
                                   GError **error);
void api_credential_free (ApiCredential *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ApiCredential, api_credential_free)

ApiCredentialKind api_credential_kind (const ApiCredential *self);
const char *api_credential_file (const ApiCredential *self);

/* Reads the file again. FALSE: it cannot be used, what was read before stays, and @error is set. A
 * token is given up when the secret is another one. */
gboolean api_credential_reread (ApiCredential *self, gboolean *changed, GError **error);

/* What goes behind `Bearer`; NULL: a token is needed first, because there is none or it ends soon.
 */
const char *api_credential_bearer (const ApiCredential *self, gint64 now_us);
/* The form that asks for a token; wipe and free with api_credential_free_form(). */
char *api_credential_form (const ApiCredential *self);
void api_credential_free_form (char *form);
/* Of an answer with status 200. */
gboolean api_credential_take_token (ApiCredential *self, const char *body, gsize len, gint64 now_us,
                                    GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The API does not take it any more. */
void api_credential_drop_token (ApiCredential *self);

G_END_DECLS
