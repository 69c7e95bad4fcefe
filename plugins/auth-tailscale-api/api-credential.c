/* api-credential.c: what an API is asked with: a key of its own, or the tokens of an OAuth client.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "api-credential.h"

#include <string.h>

#define FILE_MAX 4096u
/* A token is replaced so long before its end, but not before most of its life is over. */
#define EARLY_S 60u

static G_DEFINE_QUARK (api-credential-error, api_credential_error);

struct _ApiCredential {
  ApiCredentialKind kind;
  char *file;
  char *client_id;
  char *secret;
  ApiToken token;
  gint64 renew_us; /* from then on another token is asked for */
};

static void
api_credential_wipe (char **text)
{
  if (*text != NULL)
    explicit_bzero (*text, strlen (*text));
  g_clear_pointer (text, g_free);
}

/* What a secret that is none for this purpose is, by its beginning; NULL: it may be the right one.
 */
static const char *
api_credential_explain (ApiCredentialKind kind, const char *secret)
{
  static const struct {
    const char *prefix;
    ApiCredentialKind kind; /* for which this is wrong */
    const char *problem;
  } known[] = {
    { "tskey-client-", API_CREDENTIAL_KEY,
      "the secret of an OAuth client, which belongs into client-secret-file" },
    { "hskey-client-", API_CREDENTIAL_KEY,
      "the secret of an OAuth client, which belongs into client-secret-file" },
    { "tskey-api-", API_CREDENTIAL_CLIENT, "an API key, which belongs into key-file" },
    { "hskey-api-", API_CREDENTIAL_CLIENT, "an API key, which belongs into key-file" },
    { "tskey-auth-", API_CREDENTIAL_KEY, "a key with which devices log in, not one for the API" },
    { "tskey-auth-", API_CREDENTIAL_CLIENT,
      "a key with which devices log in, not one for the API" },
    { "hskey-auth-", API_CREDENTIAL_KEY, "a key with which devices log in, not one for the API" },
    { "hskey-auth-", API_CREDENTIAL_CLIENT,
      "a key with which devices log in, not one for the API" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (known); i++)
    if (known[i].kind == kind && g_str_has_prefix (secret, known[i].prefix))
      return known[i].problem;
  return NULL;
}

/* NULL: @error is set. */
static char *
api_credential_read (ApiCredentialKind kind, const char *path, GError **error)
{
  g_auto (DetourFile) file = { 0 };
  const char *problem;
  char *secret;

  if (!detour_file_read (path, FILE_MAX,
                         DETOUR_FILE_PRIVATE | DETOUR_FILE_PROTECTED | DETOUR_FILE_OWNED, &file,
                         error))
    return NULL;
  /* The file is wiped with what is left of it. */
  secret = g_strdup (g_strstrip (file.data));
  problem = *secret == '\0' ? "empty" : api_credential_explain (kind, secret);
  if (problem == NULL && !api_answer_is_header_safe (secret))
    problem = "not one word in a line of its own";
  if (problem == NULL)
    return secret;
  g_set_error (error, api_credential_error_quark (), 0, "%s: %s", path, problem);
  api_credential_wipe (&secret);
  return NULL;
}

ApiCredential *
api_credential_new (ApiCredentialKind kind, const char *file, const char *client_id, GError **error)
{
  char *secret = api_credential_read (kind, file, error);
  ApiCredential *self;

  if (secret == NULL)
    return NULL;
  self = g_new0 (ApiCredential, 1);
  self->kind = kind;
  self->file = g_strdup (file);
  self->client_id = g_strdup (client_id);
  self->secret = secret;
  return self;
}

void
api_credential_free (ApiCredential *self)
{
  api_credential_wipe (&self->secret);
  api_token_clear (&self->token);
  g_free (self->client_id);
  g_free (self->file);
  g_free (self);
}

ApiCredentialKind
api_credential_kind (const ApiCredential *self)
{
  return self->kind;
}

const char *
api_credential_file (const ApiCredential *self)
{
  return self->file;
}

gboolean
api_credential_reread (ApiCredential *self, gboolean *changed, GError **error)
{
  char *secret = api_credential_read (self->kind, self->file, error);

  *changed = FALSE;
  if (secret == NULL)
    return FALSE;
  *changed = strcmp (secret, self->secret) != 0;
  if (*changed)
    api_token_clear (&self->token);
  api_credential_wipe (&self->secret);
  self->secret = secret;
  return TRUE;
}

const char *
api_credential_bearer (const ApiCredential *self, gint64 now_us)
{
  if (self->kind == API_CREDENTIAL_KEY)
    return self->secret;
  return self->token.text != NULL && now_us < self->renew_us ? self->token.text : NULL;
}

/* Adds a member to a form, and wipes what it was made of. */
static void
api_credential_add (GString *form, const char *name, const char *value)
{
  char *escaped = g_uri_escape_string (value, NULL, FALSE);

  g_string_append_printf (form, "%s%s=%s", form->len > 0 ? "&" : "", name, escaped);
  api_credential_wipe (&escaped);
}

char *
api_credential_form (const ApiCredential *self)
{
  /* Large enough from the beginning, so that no copy is left behind. */
  GString *form = g_string_sized_new (4 * FILE_MAX);

  api_credential_add (form, "grant_type", "client_credentials");
  if (self->client_id != NULL)
    api_credential_add (form, "client_id", self->client_id);
  api_credential_add (form, "client_secret", self->secret);
  return g_string_free (form, FALSE);
}

void
api_credential_free_form (char *form)
{
  api_credential_wipe (&form);
}

gboolean
api_credential_take_token (ApiCredential *self, const char *body, gsize len, gint64 now_us,
                           GError **error)
{
  ApiToken token;

  if (!api_token_parse (&token, body, len, error))
    return FALSE;
  api_token_clear (&self->token);
  self->token = token;
  self->renew_us = now_us
                 + MAX ((gint64) token.life - (gint64) EARLY_S, (gint64) token.life / 2)
                       * G_USEC_PER_SEC;
  return TRUE;
}

void
api_credential_drop_token (ApiCredential *self)
{
  api_token_clear (&self->token);
}
