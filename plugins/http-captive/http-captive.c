/* http-captive.c: /generate_204, by which clients find out whether a captive portal stands between
 * them and the world.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "detour-plugin.h"

/* A client that gets its challenge back knows that it reached the relay itself. */
#define CHALLENGE_MAX 64u

typedef struct {
  GMutex lock; /* handlers run on several threads, a counter has one writer */
  DetourCounter *requests;
  DetourCounter *challenges;
} Captive;

static gboolean
http_captive_is_challenge (const char *text)
{
  gsize len = strlen (text);

  if (len == 0 || len > CHALLENGE_MAX)
    return FALSE;
  for (gsize i = 0; i < len; i++)
    {
      if (!g_ascii_isalnum (text[i]) && strchr (".-_:", text[i]) == NULL)
        return FALSE;
    }
  return TRUE;
}

static void
http_captive_handle (gpointer data, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  Captive *self = data;
  const char *challenge = detour_http_request_header (request, "X-Tailscale-Challenge");
  gboolean valid = challenge != NULL && http_captive_is_challenge (challenge);

  detour_http_response_set_status (response, 204);
  detour_http_response_add_header (response, "Cache-Control",
                                   "no-cache, no-store, must-revalidate, no-transform, max-age=0");
  if (valid)
    {
      char text[sizeof "response " + CHALLENGE_MAX];

      g_snprintf (text, sizeof text, "response %s", challenge);
      detour_http_response_add_header (response, "X-Tailscale-Response", text);
    }

  g_mutex_lock (&self->lock);
  detour_counter_add (self->requests, 1);
  if (valid)
    detour_counter_add (self->challenges, 1);
  g_mutex_unlock (&self->lock);
}

static gpointer
http_captive_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  Captive *self = g_new0 (Captive, 1);

  g_mutex_init (&self->lock);
  self->requests = detour_host_counter (host, "requests", "requests answered with 204");
  self->challenges = detour_host_counter (host, "challenges",
                                          "requests whose challenge was sent back");
  return self;
}

static void
http_captive_stop (gpointer data)
{
  Captive *self = data;

  g_mutex_clear (&self->lock);
  g_free (self);
}

static const DetourHttpRoute captive_routes[] = {
  { "/generate_204", DETOUR_HTTP_ANY, DETOUR_SITE_CLIENTS | DETOUR_SITE_PLAIN,
    http_captive_handle },
  { NULL },
};

static const DetourHttpFuncs captive_funcs = { .routes = captive_routes };

DETOUR_PLUGIN_DEFINE (.name = "http-captive", .kind = DETOUR_KIND_HTTP,
                      .summary = "answers the captive-portal check of clients",
                      .start = http_captive_start, .stop = http_captive_stop,
                      .funcs.http = &captive_funcs);
