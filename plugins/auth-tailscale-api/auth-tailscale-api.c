/* auth-tailscale-api.c: admits the devices that the API of Tailscale or Headscale lists.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <string.h>

#include "tailnet.h"
#include "web-address.h"

#define TAILSCALE_URL "https://api.tailscale.com"

/* Trouble that comes and goes is logged once a minute. */
#define LOG_EVERY_US G_TIME_SPAN_MINUTE

typedef enum {
  API_TAILSCALE,
  API_HEADSCALE,
} Api;

typedef struct {
  guint api;
  const char *url;
  const char *tailnet;
  const char *client_id;
  const char *client_secret_file;
  const char *key_file;
  const char *const *tags;
  const char *const *class_by_tag;
  gint64 refresh_us;
  gint64 timeout_us;
  gint64 grace_us;
} Options;

/* Main thread. */
typedef struct {
  DetourHost *host;
  DetourSettings *settings;
  Options options;
  WebClient *client;
  ApiCredential *credential;
  Tailnet *tailnet;
  DetourCounter *allowed;
  DetourCounter *denied;
  DetourCounter *unavailable;
  DetourCounter *fetches;
  DetourCounter *failures;
  DetourGauge *devices;
  char *cause; /* of the trouble that is; NULL: none */
  gint64 told_us;
  gboolean has_told;
} AuthTailscaleApi;

static const DetourConfigKey auth_tailscale_api_config[] = {
  { "api", DETOUR_CONFIG_ENUM, "tailscale", 0, 0, "whose API it is", 0, "tailscale|headscale",
    DETOUR_CONFIG_FIELD (Options, api) },
  { "url", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "where the API is, without a path of its own; needed for headscale, and "
    "https://api.tailscale.com for tailscale",
    0, NULL, DETOUR_CONFIG_FIELD (Options, url) },
  { "tailnet", DETOUR_CONFIG_STRING, "-", 0, 0,
    "name of the tailnet; -: the one that the credential belongs to", 0, NULL,
    DETOUR_CONFIG_FIELD (Options, tailnet) },
  { "client-id", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "id of an OAuth client with the scope devices:core:read", 0, NULL,
    DETOUR_CONFIG_FIELD (Options, client_id) },
  { "client-secret-file", DETOUR_CONFIG_PATH, NULL, 0, 0, "file with the secret of that client",
    DETOUR_CONFIG_ROUTE, NULL, DETOUR_CONFIG_FIELD (Options, client_secret_file) },
  { "key-file", DETOUR_CONFIG_PATH, NULL, 0, 0, "file with an API key, instead of an OAuth client",
    DETOUR_CONFIG_ROUTE, NULL, DETOUR_CONFIG_FIELD (Options, key_file) },
  { "tags", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "only devices that have one of these tags, written as tag:NAME or NAME", DETOUR_CONFIG_LIST,
    NULL, DETOUR_CONFIG_FIELD (Options, tags) },
  { "class-by-tag", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "class of the devices that have a tag, as TAG=CLASS; the first one that fits counts",
    DETOUR_CONFIG_LIST, NULL, DETOUR_CONFIG_FIELD (Options, class_by_tag) },
  { "refresh", DETOUR_CONFIG_DURATION, "1m", 1000, 86400000,
    "how often the list of devices is fetched", 0, NULL,
    DETOUR_CONFIG_FIELD (Options, refresh_us) },
  { "timeout", DETOUR_CONFIG_DURATION, "30s", 100, 600000, "time for an answer of the API", 0, NULL,
    DETOUR_CONFIG_FIELD (Options, timeout_us) },
  { "grace", DETOUR_CONFIG_DURATION, "24h", 1000, 31536000000,
    "how long the last list is believed while the API cannot be asked", 0, NULL,
    DETOUR_CONFIG_FIELD (Options, grace_us) },
  WEB_CLIENT_KEYS,
  { NULL },
};

/* Settings ------------------------------------------------------------------------------------- */

static const char *
auth_tailscale_api_url (const Options *options)
{
  return options->url != NULL ? options->url : TAILSCALE_URL;
}

static gboolean
auth_tailscale_api_check_url (const DetourSettings *settings, const Options *options,
                              GError **error)
{
  const char *url = auth_tailscale_api_url (options);
  g_autofree char *problem = web_address_check (url, "https://headscale.example.com");

  if (options->url == NULL && options->api == API_HEADSCALE)
    {
      detour_settings_error (settings, "url", error,
                             "not set; name the address of the Headscale, as "
                             "https://headscale.example.com");
      return FALSE;
    }
  if (problem == NULL && strpbrk (url, "?#") != NULL)
    problem = g_strdup ("has a query; name where the API begins, without path and query");
  if (problem != NULL)
    {
      detour_settings_error (settings, "url", error, "%s", problem);
      return FALSE;
    }
  if (g_str_has_prefix (url, "http://") && !web_address_is_local (url))
    detour_settings_warn (settings, "url",
                          "the secret goes over the network in the clear; use https://");
  return TRUE;
}

static gboolean
auth_tailscale_api_check_classes (const DetourSettings *settings, const Options *options,
                                  GError **error)
{
  for (const char *const *pair = options->class_by_tag; *pair != NULL; pair++)
    {
      const char *equals = strchr (*pair, '=');

      if (equals != NULL && equals != *pair && equals[1] != '\0')
        continue;
      detour_settings_error (settings, "class-by-tag", error,
                             "\"%s\" is not TAG=CLASS, as tag:server=servers", *pair);
      return FALSE;
    }
  return TRUE;
}

/* NULL: it is not to be had, and @error is set. */
static ApiCredential *
auth_tailscale_api_credential (const DetourSettings *settings, const Options *options,
                               GError **error)
{
  gboolean is_client = options->client_secret_file != NULL;
  const char *key = is_client ? "client-secret-file" : "key-file";
  g_autoptr (GError) why = NULL;
  ApiCredential *credential;

  if (is_client == (options->key_file != NULL))
    {
      detour_settings_error (settings, "key-file", error, "%s",
                             is_client
                                 ? "client-secret-file is set too; keep one of them"
                                 : "not set; name a file with an API key, or set client-id and "
                                   "client-secret-file of an OAuth client");
      return NULL;
    }
  if (is_client && options->client_id == NULL && options->api == API_TAILSCALE)
    {
      detour_settings_error (
          settings, "client-id", error,
          "not set; it stands beside the secret where the OAuth client was made");
      return NULL;
    }
  if (!is_client && options->client_id != NULL)
    {
      detour_settings_error (settings, "client-id", error,
                             "it belongs to client-secret-file, which is not set");
      return NULL;
    }
  credential = api_credential_new (is_client ? API_CREDENTIAL_CLIENT : API_CREDENTIAL_KEY,
                                   is_client ? options->client_secret_file : options->key_file,
                                   options->client_id, &why);
  if (credential == NULL)
    detour_settings_error (settings, key, error, "%s", why->message);
  return credential;
}

static gboolean
auth_tailscale_api_check (const DetourSettings *settings, GError **error)
{
  g_autoptr (ApiCredential) credential = NULL;
  Options options;

  detour_settings_fill (settings, &options);
  if (!auth_tailscale_api_check_url (settings, &options, error)
      || !auth_tailscale_api_check_classes (settings, &options, error))
    return FALSE;
  if (*options.tailnet == '\0')
    {
      detour_settings_error (settings, "tailnet", error,
                             "empty; leave it out for the one of the credential");
      return FALSE;
    }
  if (options.api == API_HEADSCALE && strcmp (options.tailnet, "-") != 0)
    {
      detour_settings_error (settings, "tailnet", error,
                             "a Headscale has one tailnet only; leave this out");
      return FALSE;
    }
  credential = auth_tailscale_api_credential (settings, &options, error);
  return credential != NULL && web_client_check (settings, error);
}

/* Called by the tailnet ------------------------------------------------------------------------ */

/* NULL: core decides. Free with g_free(). */
static char *
auth_tailscale_api_class (const AuthTailscaleApi *self, const Device *device)
{
  for (const char *const *pair = self->options.class_by_tag; *pair != NULL; pair++)
    {
      /* A tag has no equals sign. */
      const char *equals = strchr (*pair, '=');
      g_autofree char *tag = g_strstrip (g_strndup (*pair, (gsize) (equals - *pair)));

      if (device_has_tag (device, tag))
        return g_strstrip (g_strdup (equals + 1));
    }
  return NULL;
}

static void
auth_tailscale_api_on_answer (gpointer user, gpointer call, const TailnetAnswer *answer)
{
  AuthTailscaleApi *self = user;
  DetourAuthVerdict verdict = { .result = answer->result, .reason = answer->reason };
  g_autofree char *label = answer->device != NULL ? device_label (answer->device) : NULL;
  g_autofree char *class_ = answer->device != NULL ? auth_tailscale_api_class (self, answer->device)
                                                   : NULL;

  verdict.label = label;
  verdict.class_ = class_;
  detour_counter_add (answer->result == DETOUR_AUTH_ALLOW  ? self->allowed
                      : answer->result == DETOUR_AUTH_DENY ? self->denied
                                                           : self->unavailable,
                      1);
  detour_auth_answer (call, &verdict);
}

static void
auth_tailscale_api_tell (AuthTailscaleApi *self, const char *trouble)
{
  gint64 now_us = g_get_monotonic_time ();

  if (trouble != NULL && (self->told_us == 0 || now_us - self->told_us >= LOG_EVERY_US))
    {
      self->has_told = TRUE;
      self->told_us = now_us;
      g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "auth-down",
                        DETOUR_LOG_INSTANCE, detour_host_instance (self->host), DETOUR_LOG_REASON,
                        self->cause, "MESSAGE", "%s: %s", detour_host_instance (self->host),
                        trouble);
    }
  else if (trouble == NULL && self->has_told)
    {
      self->has_told = FALSE;
      self->told_us = 0;
      g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "auth-up",
                        DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
                        "%s: the API lists the devices again", detour_host_instance (self->host));
    }
}

static void
auth_tailscale_api_on_state (gpointer user, const char *summary, const char *trouble,
                             const char *cause)
{
  AuthTailscaleApi *self = user;

  detour_host_set_summary (self->host, "%s", summary);
  detour_host_set_trouble (self->host, trouble != NULL ? "%s" : NULL, trouble);
  if (g_strcmp0 (self->cause, cause) == 0)
    return;
  g_free (self->cause);
  self->cause = g_strdup (cause);
  auth_tailscale_api_tell (self, trouble);
}

static void
auth_tailscale_api_on_changed (gpointer user)
{
  detour_host_auth_changed (((AuthTailscaleApi *) user)->host);
}

static void
auth_tailscale_api_on_rekeyed (const guint8 *before, const guint8 *after, gpointer user)
{
  detour_host_auth_rekeyed (((AuthTailscaleApi *) user)->host, before, after);
}

static void
auth_tailscale_api_on_revoked (gpointer user, const guint8 *key)
{
  detour_host_auth_revoked (((AuthTailscaleApi *) user)->host, key);
}

static void
auth_tailscale_api_on_fetched (gpointer user, gboolean good, guint n_devices, gint64 elapsed_us)
{
  AuthTailscaleApi *self = user;

  detour_counter_add (good ? self->fetches : self->failures, 1);
  if (good)
    detour_gauge_set (self->devices, n_devices);
}

static const TailnetFuncs tailnet_funcs = {
  .answer = auth_tailscale_api_on_answer,
  .state = auth_tailscale_api_on_state,
  .rekeyed = auth_tailscale_api_on_rekeyed,
  .changed = auth_tailscale_api_on_changed,
  .revoked = auth_tailscale_api_on_revoked,
  .fetched = auth_tailscale_api_on_fetched,
};

/* Called by core ------------------------------------------------------------------------------- */

static void
auth_tailscale_api_stop (gpointer data)
{
  AuthTailscaleApi *self = data;

  g_clear_pointer (&self->tailnet, tailnet_free);
  g_clear_pointer (&self->client, web_client_free);
  g_clear_pointer (&self->credential, api_credential_free);
  detour_settings_unref (self->settings);
  g_free (self->cause);
  g_free (self);
}

static void
auth_tailscale_api_begin (AuthTailscaleApi *self)
{
  g_autofree char *name = g_strconcat (strchr (detour_host_instance (self->host), '/') + 1,
                                       ".devices", NULL);
  g_autofree char *path = g_build_filename (detour_host_state_directory (self->host), name, NULL);
  const TailnetSetup setup = {
    .api = { .url = auth_tailscale_api_url (&self->options),
             .tailnet = self->options.tailnet,
             .headscale = self->options.api == API_HEADSCALE,
             .timeout_ms = (guint) (self->options.timeout_us / G_TIME_SPAN_MILLISECOND) },
    .refresh_us = self->options.refresh_us,
    .grace_us = self->options.grace_us,
    .tags = self->options.tags,
    .path = path,
  };

  self->tailnet = tailnet_new (self->host, &setup, self->client, self->credential, &tailnet_funcs,
                               self);
}

static gpointer
auth_tailscale_api_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  AuthTailscaleApi *self = g_new0 (AuthTailscaleApi, 1);
  WebClientSetup setup = { .requests_max = 1 };
  g_autoptr (GError) why = NULL;
  const char *key = NULL;

  self->host = host;
  self->settings = detour_settings_ref (settings);
  detour_settings_fill (settings, &self->options);
  self->allowed = detour_host_counter (host, "allowed", "requests answered with allow");
  self->denied = detour_host_counter (host, "denied", "requests answered with deny");
  self->unavailable = detour_host_counter (host, "unavailable",
                                           "requests about which the list could not say anything");
  self->fetches = detour_host_counter (host, "fetches", "lists that the API gave");
  self->failures = detour_host_counter (host, "fetch_failures",
                                        "times that the API was asked and gave no list");
  self->devices = detour_host_gauge_with (
      host, &(DetourMetric) { .name = "devices", .help = "devices on the last list" });
  self->credential = auth_tailscale_api_credential (settings, &self->options, error);
  web_client_setup_from (&setup, settings);
  if (self->credential != NULL)
    self->client = web_client_new (&setup, &key, &why);
  if (why != NULL)
    detour_settings_error (settings, key, error, "%s", why->message);
  if (self->client == NULL)
    {
      auth_tailscale_api_stop (self);
      return NULL;
    }
  auth_tailscale_api_begin (self);
  return self;
}

/* The secret and the certificates may be others now, and an operator wants to see what happens. */
static void
auth_tailscale_api_reload (gpointer data)
{
  AuthTailscaleApi *self = data;
  g_autoptr (GError) error = NULL;
  gboolean changed;

  if (!api_credential_reread (self->credential, &changed, &error)
      || !web_client_reload (self->client, &changed, &error))
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "instance-trouble",
                      DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
                      "%s: what was read before stays in use: %s",
                      detour_host_instance (self->host), error->message);
  tailnet_hurry (self->tailnet);
}

static void
auth_tailscale_api_verify (gpointer data, const DetourAuthRequest *request, DetourAuthCall *call)
{
  tailnet_ask (((AuthTailscaleApi *) data)->tailnet, request->key, call);
}

static const DetourAuthFuncs auth_tailscale_api_funcs = { .verify = auth_tailscale_api_verify };

DETOUR_PLUGIN_DEFINE (.name = "auth-tailscale-api", .kind = DETOUR_KIND_AUTH,
                      .summary = "admits the devices that the API of Tailscale or Headscale lists",
                      .config = auth_tailscale_api_config, .check = auth_tailscale_api_check,
                      .start = auth_tailscale_api_start, .reload = auth_tailscale_api_reload,
                      .stop = auth_tailscale_api_stop, .funcs.auth = &auth_tailscale_api_funcs);
