/* fleet-tailscale.c: reads and writes the policy of a tailnet over Tailscale's API.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-tailscale.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detour-file.h"
#include "detourctl-hujson.h"
#include "fleet-request.h"

G_DEFINE_QUARK (fleet - tailscale - error, fleet_tailscale_error)

#define SECRET_MAX 4096u

struct _FleetApi {
  const FleetTailscale *setup;
  gint64 limit_ms;
  char *bearer; /* key or token */
  char *url;    /* of the policy */
  char *etag;   /* of the policy that was read; NULL: none was */
};

static void
fleet_tailscale_wipe (char **text)
{
  if (*text != NULL)
    explicit_bzero (*text, strlen (*text));
  g_clear_pointer (text, g_free);
}

void
fleet_tailscale_close (FleetApi *self)
{
  if (self == NULL)
    return;
  fleet_tailscale_wipe (&self->bearer);
  g_free (self->url);
  g_free (self->etag);
  g_free (self);
}

static gboolean
fleet_tailscale_is_one_word (const char *text)
{
  for (const char *p = text; *p != '\0'; p++)
    if (!g_ascii_isgraph (*p))
      return FALSE;
  return *text != '\0';
}

/* NULL with @error. */
static char *
fleet_tailscale_read_secret (const char *path, GError **error)
{
  g_auto (DetourFile) file = { 0 };
  char *secret;

  if (!detour_file_read (path, SECRET_MAX,
                         DETOUR_FILE_PRIVATE | DETOUR_FILE_PROTECTED | DETOUR_FILE_OWNED, &file,
                         error))
    return NULL;
  secret = g_strdup (g_strstrip (file.data));
  if (fleet_tailscale_is_one_word (secret))
    return secret;
  g_set_error (error, FLEET_TAILSCALE_ERROR, FLEET_TAILSCALE_ERROR_FAILED,
               _ ("%s: not one word in a line of its own"), path);
  fleet_tailscale_wipe (&secret);
  return NULL;
}

/* What was asked for was refused. */
static void
fleet_tailscale_refuse (const FleetReply *reply, const char *url, GError **error)
{
  g_autofree char *complaint = fleet_request_complaint (reply);

  g_set_error (error, FLEET_TAILSCALE_ERROR, FLEET_TAILSCALE_ERROR_FAILED, "%s: %s", url,
               complaint);
}

/* A token for the secret of a client; NULL with @error. */
static char *
fleet_tailscale_get_token (const FleetApi *self, const char *secret, GError **error)
{
  static const char *const path[] = { "access_token", NULL };
  g_autofree char *url = g_strconcat (self->setup->url, "/api/v2/oauth/token", NULL);
  char *escaped = g_uri_escape_string (secret, NULL, FALSE);
  g_autofree char *id = g_uri_escape_string (
      self->setup->client_id != NULL ? self->setup->client_id : "", NULL, FALSE);
  char *form = g_strconcat ("grant_type=client_credentials&client_id=", id,
                            "&client_secret=", escaped, NULL);
  g_auto (FleetReply) reply = { 0 };
  char *token = NULL;
  gboolean good = fleet_request ("POST", url, "Content-Type: application/x-www-form-urlencoded\n",
                                 form, self->setup->ca_file, self->limit_ms, &reply, error);

  fleet_tailscale_wipe (&form);
  fleet_tailscale_wipe (&escaped);
  if (!good)
    return NULL;
  if (reply.status == 200)
    token = detourctl_hujson_get_text (reply.body, reply.body_len, path);
  if (token != NULL && fleet_tailscale_is_one_word (token))
    return token;
  fleet_tailscale_wipe (&token);
  fleet_tailscale_refuse (&reply, url, error);
  return NULL;
}

FleetApi *
fleet_tailscale_open (const FleetTailscale *setup, gint64 limit_ms, GError **error)
{
  g_autoptr (FleetApi) self = g_new0 (FleetApi, 1);
  g_autofree char *tailnet = g_uri_escape_string (setup->tailnet, NULL, FALSE);
  char *secret = fleet_tailscale_read_secret (
      setup->key_file != NULL ? setup->key_file : setup->client_secret_file, error);

  if (secret == NULL)
    return NULL;
  self->setup = setup;
  self->limit_ms = limit_ms;
  self->url = g_strconcat (setup->url, "/api/v2/tailnet/", tailnet, "/acl", NULL);
  if (setup->key_file != NULL)
    {
      self->bearer = secret;
      return g_steal_pointer (&self);
    }
  self->bearer = fleet_tailscale_get_token (self, secret, error);
  fleet_tailscale_wipe (&secret);
  return self->bearer != NULL ? g_steal_pointer (&self) : NULL;
}

/* @more: further header lines */
static gboolean
fleet_tailscale_ask (const FleetApi *self, const char *method, const char *more, const char *body,
                     FleetReply *reply, GError **error)
{
  char *headers = g_strconcat ("Authorization: Bearer ", self->bearer,
                               "\nAccept: application/hujson\n", more, NULL);
  gboolean good = fleet_request (method, self->url, headers, body, self->setup->ca_file,
                                 self->limit_ms, reply, error);

  fleet_tailscale_wipe (&headers);
  return good;
}

char *
fleet_tailscale_get (FleetApi *self, GError **error)
{
  g_auto (FleetReply) reply = { 0 };

  if (!fleet_tailscale_ask (self, "GET", "", "", &reply, error))
    return NULL;
  if (reply.status != 200)
    {
      fleet_tailscale_refuse (&reply, self->url, error);
      return NULL;
    }
  g_free (self->etag);
  self->etag = fleet_request_header (&reply, "ETag");
  if (self->etag == NULL || !fleet_tailscale_is_one_word (self->etag))
    {
      g_set_error (
          error, FLEET_TAILSCALE_ERROR, FLEET_TAILSCALE_ERROR_FAILED,
          _ ("%s: it does not say which policy this is (ETag), so a change of somebody else "
             "could be lost"),
          self->url);
      return NULL;
    }
  return g_strndup (reply.body, reply.body_len);
}

gboolean
fleet_tailscale_put (FleetApi *self, const char *policy, GError **error)
{
  g_autofree char *more = g_strconcat ("Content-Type: application/hujson\nIf-Match: ", self->etag,
                                       "\n", NULL);
  g_auto (FleetReply) reply = { 0 };

  if (!fleet_tailscale_ask (self, "POST", more, policy, &reply, error))
    return FALSE;
  if (reply.status == 412)
    g_set_error (
        error, FLEET_TAILSCALE_ERROR, FLEET_TAILSCALE_ERROR_CHANGED,
        _ ("somebody else has changed the policy since it was read; it is as they left it. "
           "Run this again"));
  else if (reply.status != 200)
    fleet_tailscale_refuse (&reply, self->url, error);
  return reply.status == 200;
}
