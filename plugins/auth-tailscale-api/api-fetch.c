/* api-fetch.c: gets the list of devices from an API, with a token before it where one is needed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "api-fetch.h"

#include "device-list.h"
#include "web-address.h"

#include <string.h>

#define TOKEN_PATH "/api/v2/oauth/token"
#define NODE_PATH  "/api/v1/node"
#define SCOPE      "devices:core:read"
#define CONNECT_MS 10000u

/* Paths of the list that are tried. */
#define PATHS_MAX 2u

struct _ApiFetch {
  char *url;
  char *host;
  gboolean headscale;
  guint timeout_ms;
  WebClient *client;
  ApiCredential *credential;
  ApiFetchDone done;
  gpointer user;

  char *paths[PATHS_MAX];
  guint n_paths;
  guint path; /* the one that worked last */

  /* Of the fetch that is out. */
  WebRequest *request;
  gboolean is_token_new;   /* asked for during this fetch */
  gboolean is_secret_read; /* the file was read again during this fetch */
  guint n_paths_left;
};

static void api_fetch_ask_list (ApiFetch *self);
static void api_fetch_ask_token (ApiFetch *self);

static void
api_fetch_finish (ApiFetch *self, const ApiFetchResult *result)
{
  self->done (result, self->user);
}

static gboolean
api_fetch_has_client (const ApiFetch *self)
{
  return api_credential_kind (self->credential) == API_CREDENTIAL_CLIENT;
}

/* What to do about a status that is not 200; "" where waiting is all that can be done. */
static char *
api_fetch_remedy (const ApiFetch *self, guint status, gboolean is_token)
{
  const char *file = api_credential_file (self->credential);

  if (is_token && (status == 400 || status == 401 || status == 403))
    return g_strdup_printf (
        "; the OAuth client is not accepted: check client-id and the secret in %s, which is read "
        "again by itself. The client needs the scope " SCOPE,
        file);
  if (is_token && status == 404)
    return g_strdup (self->headscale
                         ? "; this Headscale has no OAuth clients, which came with 0.30: set "
                           "key-file, with a key of `headscale apikeys create`"
                         : "; is url the address of Tailscale's API?");
  if (status == 401 && api_fetch_has_client (self))
    return g_strdup ("; a new token is not accepted either: check whether the OAuth client was "
                     "revoked");
  if (status == 401)
    return g_strdup_printf (
        "; the API key is not accepted: it has expired or was revoked. Put a new "
        "one into %s, which is read again by itself",
        file);
  if (status == 403)
    return g_strdup_printf ("; what stands in %s may not list devices: it needs the scope " SCOPE,
                            file);
  if (status == 404)
    return g_strdup (self->headscale ? "; is url the address of a Headscale?"
                                     : "; is there a tailnet of that name? `tailnet = -` means the "
                                       "one that the credential belongs to");
  if (status >= 300 && status < 400)
    return g_strdup ("; redirects are not followed: set url to where the API is");
  return g_strdup ("");
}

/* @answer is no list and no token. */
static void
api_fetch_fail (ApiFetch *self, const WebAnswer *answer, const char *path)
{
  gboolean is_token = strcmp (path, TOKEN_PATH) == 0;
  g_autofree char *remedy = NULL;
  g_autofree char *message = NULL;
  g_autofree char *trouble = NULL;
  gint64 retry_s = web_answer_retry_after_s (answer);
  ApiFetchResult result = { .elapsed_us = answer->elapsed_us };

  if (answer->fault != WEB_OK)
    {
      result.trouble = answer->trouble;
      api_fetch_finish (self, &result);
      return;
    }
  remedy = api_fetch_remedy (self, answer->status, is_token);
  message = api_answer_message (answer->body, answer->body_len);
  trouble = g_strdup_printf ("%s answers %u to %s%s%s%s%s", self->host, answer->status, path,
                             message != NULL ? " (" : "", message != NULL ? message : "",
                             message != NULL ? ")" : "", remedy);
  result.trouble = trouble;
  result.is_refusal = answer->status == 401 || answer->status == 403
                   || (is_token && answer->status == 400);
  result.retry_us = MAX (retry_s, 0) * G_USEC_PER_SEC;
  api_fetch_finish (self, &result);
}

/* Whether there is a new secret to try. */
static gboolean
api_fetch_has_new_secret (ApiFetch *self)
{
  g_autoptr (GError) error = NULL;
  gboolean changed;

  if (self->is_secret_read)
    return FALSE;
  self->is_secret_read = TRUE;
  if (!api_credential_reread (self->credential, &changed, &error))
    {
      g_debug ("%s", error->message);
      return FALSE;
    }
  return changed;
}

static void
api_fetch_begin_next (ApiFetch *self)
{
  if (api_credential_bearer (self->credential, g_get_monotonic_time ()) != NULL)
    api_fetch_ask_list (self);
  else
    api_fetch_ask_token (self);
}

/* The token ------------------------------------------------------------------------------------ */

static void
api_fetch_on_token (const WebAnswer *answer, gpointer user)
{
  ApiFetch *self = user;
  g_autoptr (GError) error = NULL;
  g_autofree char *trouble = NULL;

  self->request = NULL;
  if (answer->fault != WEB_OK || answer->status != 200)
    {
      if (answer->fault == WEB_OK && answer->status >= 400 && answer->status < 404
          && api_fetch_has_new_secret (self))
        api_fetch_ask_token (self);
      else
        api_fetch_fail (self, answer, TOKEN_PATH);
      return;
    }
  if (!api_credential_take_token (self->credential, answer->body, answer->body_len,
                                  g_get_monotonic_time (), &error))
    {
      ApiFetchResult result = { .elapsed_us = answer->elapsed_us };

      result.trouble = trouble = g_strdup_printf (
          "the answer of %s to " TOKEN_PATH " is no token: %s", self->host, error->message);
      api_fetch_finish (self, &result);
      return;
    }
  api_fetch_ask_list (self);
}

static void
api_fetch_ask_token (ApiFetch *self)
{
  static const char *const headers[] = { "Accept: application/json", NULL };
  g_autofree char *url = g_strconcat (self->url, TOKEN_PATH, NULL);
  char *form = api_credential_form (self->credential);
  const WebAsk ask = {
    .method = "POST",
    .url = url,
    .headers = headers,
    .body = form,
    .body_len = strlen (form),
    .answer_max = API_ANSWER_MAX,
    .timeout_ms = self->timeout_ms,
    .connect_ms = CONNECT_MS,
  };

  self->is_token_new = TRUE;
  self->request = web_client_send (self->client, &ask, api_fetch_on_token, self);
  api_credential_free_form (form);
}

/* The list ------------------------------------------------------------------------------------- */

/* The API does not take what it was asked with. Whether it is asked again. */
static gboolean
api_fetch_renew (ApiFetch *self)
{
  if (api_fetch_has_client (self) && !self->is_token_new)
    {
      api_credential_drop_token (self->credential);
      api_fetch_ask_token (self);
      return TRUE;
    }
  if (!api_fetch_has_new_secret (self))
    return FALSE;
  api_fetch_begin_next (self);
  return TRUE;
}

static void
api_fetch_on_list (const WebAnswer *answer, gpointer user)
{
  ApiFetch *self = user;
  ApiFetchResult result;

  self->request = NULL;
  if (answer->fault == WEB_OK && answer->status == 401 && api_fetch_renew (self))
    return;
  if (answer->fault == WEB_OK && (answer->status == 404 || answer->status == 405)
      && self->n_paths_left > 0)
    {
      self->n_paths_left--;
      self->path = (self->path + 1) % self->n_paths;
      api_fetch_ask_list (self);
      return;
    }
  if (answer->fault != WEB_OK || answer->status != 200)
    {
      api_fetch_fail (self, answer, self->paths[self->path]);
      return;
    }
  result = (ApiFetchResult) { .body = answer->body,
                              .body_len = answer->body_len,
                              .elapsed_us = answer->elapsed_us };
  api_fetch_finish (self, &result);
}

static void
api_fetch_ask_list (ApiFetch *self)
{
  static const char *const headers[] = { "Accept: application/json", NULL };
  g_autofree char *url = g_strconcat (self->url, self->paths[self->path], NULL);
  const WebAsk ask = {
    .method = "GET",
    .url = url,
    .headers = headers,
    .bearer = api_credential_bearer (self->credential, g_get_monotonic_time ()),
    .answer_max = DEVICE_LIST_MAX,
    .timeout_ms = self->timeout_ms,
    .connect_ms = CONNECT_MS,
  };

  self->request = web_client_send (self->client, &ask, api_fetch_on_list, self);
}

/* Life ----------------------------------------------------------------------------------------- */

ApiFetch *
api_fetch_new (const ApiFetchSetup *setup, WebClient *client, ApiCredential *credential,
               ApiFetchDone done, gpointer user)
{
  ApiFetch *self = g_new0 (ApiFetch, 1);
  g_autofree char *tailnet = g_uri_escape_string (setup->tailnet, NULL, FALSE);

  self->url = g_strdup (setup->url);
  while (g_str_has_suffix (self->url, "/"))
    self->url[strlen (self->url) - 1] = '\0';
  self->host = web_address_host (setup->url);
  self->headscale = setup->headscale;
  self->timeout_ms = setup->timeout_ms;
  self->client = client;
  self->credential = credential;
  self->done = done;
  self->user = user;
  /* Every Headscale has its own path; keys of OAuth clients are for the other one alone. */
  if (setup->headscale && !api_fetch_has_client (self))
    self->paths[self->n_paths++] = g_strdup (NODE_PATH);
  self->paths[self->n_paths++] = g_strdup_printf ("/api/v2/tailnet/%s/devices", tailnet);
  return self;
}

void
api_fetch_free (ApiFetch *self)
{
  if (self->request != NULL)
    web_request_cancel (self->request);
  for (guint i = 0; i < self->n_paths; i++)
    g_free (self->paths[i]);
  g_free (self->host);
  g_free (self->url);
  g_free (self);
}

void
api_fetch_begin (ApiFetch *self)
{
  g_assert (self->request == NULL);
  self->is_token_new = FALSE;
  self->is_secret_read = FALSE;
  self->n_paths_left = self->n_paths - 1;
  api_fetch_begin_next (self);
}

const char *
api_fetch_host (const ApiFetch *self)
{
  return self->host;
}
