/* http-acme.c: answers a certificate authority that asks for the proof of a name by HTTP.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>
#include <sys/stat.h>

#include "detour-plugin.h"

#define PATH "/.well-known/acme-challenge/"

#define TOKEN_MAX 128u
/* An authority reads no answer of 128 bytes and more. */
#define FILE_MAX 512u

typedef struct {
  DetourHost *host;
  const char *web_root; /* NULL: none */
  DetourSettings *settings;

  GMutex lock; /* handlers run on several threads, a counter has one writer */
  DetourCounter *answered;
  DetourCounter *unknown;
} HttpAcme;

static const DetourConfigKey http_acme_config[] = {
  { "web-root", DETOUR_CONFIG_PATH,
    .summary = "folder in which another ACME client puts `.well-known/acme-challenge/TOKEN`" },
  { NULL },
};

static gsize
http_acme_span_base64url (const char *text)
{
  gsize n = 0;

  while (g_ascii_isalnum (text[n]) || (text[n] != '\0' && strchr ("-_", text[n]) != NULL))
    n++;
  return n;
}

static gboolean
http_acme_is_token (const char *text)
{
  gsize len = http_acme_span_base64url (text);

  return len > 0 && len <= TOKEN_MAX && text[len] == '\0';
}

/* An answer to @token and nothing else, so that no other file can be read this way, whatever a link
 * in the folder leads to. White space at the end is cut off. */
static gboolean
http_acme_is_answer (char *text, gsize len, const char *token)
{
  gsize token_len = strlen (token), n;

  if (strlen (text) != len || strncmp (text, token, token_len) != 0 || text[token_len] != '.')
    return FALSE;
  g_strchomp (text);
  n = http_acme_span_base64url (text + token_len + 1);
  return n > 0 && text[token_len + 1 + n] == '\0';
}

/* (transfer full) (nullable) */
static char *
http_acme_read_file (HttpAcme *self, const char *token)
{
  g_autofree char *path = g_strconcat (self->web_root, PATH, token, NULL);
  g_auto (DetourFile) file = { NULL };
  struct stat st;

  if (lstat (path, &st) < 0 || !S_ISREG (st.st_mode)
      || !detour_file_read (path, FILE_MAX, 0, &file, NULL)
      || !http_acme_is_answer (file.data, file.len, token))
    return NULL;
  return g_strdup (file.data);
}

static void
http_acme_count (HttpAcme *self, DetourCounter *counter)
{
  g_mutex_lock (&self->lock);
  detour_counter_add (counter, 1);
  g_mutex_unlock (&self->lock);
}

static void
http_acme_handle (gpointer data, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  HttpAcme *self = data;
  const char *token = detour_http_request_path (request) + strlen (PATH);
  g_autofree char *answer = NULL;

  if (http_acme_is_token (token))
    {
      answer = detour_host_find_http_challenge (self->host, token);
      if (answer == NULL && self->web_root != NULL)
        answer = http_acme_read_file (self, token);
    }
  detour_http_response_add_header (response, "Cache-Control", "no-store");
  if (answer != NULL)
    detour_http_response_set_body (response, "text/plain", answer, -1);
  else
    {
      detour_http_response_set_status (response, 404);
      detour_http_response_set_body (response, "text/plain", "No challenge waits for this token.\n",
                                     -1);
    }
  http_acme_count (self, answer != NULL ? self->answered : self->unknown);
}

/* The other client may make it later. */
static gboolean
http_acme_check (const DetourSettings *settings, GError **error)
{
  const char *path = detour_settings_string (settings, "web-root");

  if (path != NULL && !g_file_test (path, G_FILE_TEST_IS_DIR))
    detour_settings_warn (settings, "web-root", "there is no folder %s", path);
  return TRUE;
}

static gpointer
http_acme_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  HttpAcme *self = g_new0 (HttpAcme, 1);

  g_mutex_init (&self->lock);
  self->host = host;
  self->settings = detour_settings_ref (settings);
  self->web_root = detour_settings_string (settings, "web-root");
  self->answered = detour_host_counter (host, "answered", "challenges answered");
  self->unknown = detour_host_counter (host, "unknown", "requests for which nothing waited");
  return self;
}

static void
http_acme_stop (gpointer data)
{
  HttpAcme *self = data;

  g_mutex_clear (&self->lock);
  detour_settings_unref (self->settings);
  g_free (self);
}

static const DetourHttpRoute http_acme_routes[] = {
  { PATH, DETOUR_HTTP_GET, DETOUR_SITE_CLIENTS | DETOUR_SITE_PLAIN, http_acme_handle,
    .flags = DETOUR_HTTP_BELOW },
  { NULL },
};

static const DetourHttpFuncs http_acme_funcs = { .routes = http_acme_routes };

DETOUR_PLUGIN_DEFINE (.name = "http-acme", .kind = DETOUR_KIND_HTTP,
                      .summary = "answers http-01 challenges of certificate authorities",
                      .config = http_acme_config, .check = http_acme_check,
                      .start = http_acme_start, .stop = http_acme_stop,
                      .funcs.http = &http_acme_funcs);
