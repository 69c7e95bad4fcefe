/* auth-url.c: admits the clients that an admission server allows, as derper and Headscale know it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <string.h>

#include "url-asker.h"
#include "web-address.h"
#include "web-client.h"

#define EXAMPLE "https://headscale.example.com/verify"

/* A state that comes and goes is logged once a minute. */
#define LOG_EVERY_US G_TIME_SPAN_MINUTE

/* An answer that the server did not give is not kept. */
#define UNAVAILABLE_TTL_US 1

/* What becomes of clients without a verdict; in the order of the words of the key. */
typedef enum {
  WITHOUT_GRACE,
  WITHOUT_ALLOW,
  WITHOUT_DENY,
} Without;

/* Main thread. */
typedef struct {
  DetourHost *host;
  DetourSettings *settings;
  WebClient *client; /* of the asker */
  UrlAsker *asker;
  Without without;
  gboolean is_stopping;
  char *file_trouble; /* files that cannot be used any more; NULL: they can */
  char *url_trouble;  /* as the asker says it; NULL: none */
  gboolean has_told;  /* of this trouble */
  gint64 told_us;     /* of one; 0: never */
  DetourCounter *allowed;
  DetourCounter *denied;
  DetourCounter *unavailable;
  DetourCounter *recoveries;
} AuthUrl;

static const DetourConfigKey auth_url_config[] = {
  { "url", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "address that is asked, as in " EXAMPLE "; of several the next one is asked when one fails",
    DETOUR_CONFIG_LIST },
  { "unavailable", DETOUR_CONFIG_ENUM, NULL, 0, 0,
    "what becomes of clients while no verdict can be had; must be chosen", 0, "grace|allow|deny" },
  { "timeout", DETOUR_CONFIG_DURATION, "4500ms", 50, 60000,
    "time for a verdict, all attempts together; keep it below [admission] timeout" },
  { "requests", DETOUR_CONFIG_UINT, "16", 1, 64, "requests at a time; the others wait" },
  WEB_CLIENT_KEYS,
  { NULL },
};

/* Judging the configuration -------------------------------------------------------------------- */

static void
auth_url_check_urls (const DetourSettings *settings)
{
  const char *const *urls = detour_settings_list (settings, "url");

  if (*urls == NULL)
    detour_settings_complain (settings, "url", "not set; write the address that is asked, as in %s",
                              EXAMPLE);
  for (guint i = 0; urls[i] != NULL; i++)
    {
      g_autofree char *fault = web_address_check (urls[i], EXAMPLE);

      if (i == URL_ASKER_SERVERS_MAX)
        {
          detour_settings_complain (settings, "url", "more than %u addresses",
                                    URL_ASKER_SERVERS_MAX);
          return;
        }
      if (fault != NULL)
        detour_settings_complain (settings, "url", "%s", fault);
      else if (g_strv_contains (urls + i + 1, urls[i]))
        detour_settings_complain (settings, "url", "\"%s\" is there twice", urls[i]);
      else if (g_ascii_strncasecmp (urls[i], "http:", 5) == 0 && !web_address_is_local (urls[i]))
        detour_settings_warn (settings, "url",
                              "\"%s\" is asked without TLS: whoever is on the way can let "
                              "everybody in; write https:// if the server has it",
                              urls[i]);
    }
}

static gboolean
auth_url_check (const DetourSettings *settings, GError **error)
{
  auth_url_check_urls (settings);
  if (!detour_settings_has (settings, "unavailable"))
    detour_settings_complain (settings, "unavailable",
                              "not set. Say what becomes of clients while the URL gives no "
                              "verdict: \"grace\" lets in who "
                              "was allowed lately and nobody else, \"allow\" everybody, \"deny\" "
                              "nobody, and closes those "
                              "that are connected");
  return web_client_check (settings, error);
}

/* Called by the asker -------------------------------------------------------------------------- */

/* There is no verdict, and the operator has chosen what that means. */
static void
auth_url_answer_without (AuthUrl *self, DetourAuthCall *call, const char *reason)
{
  static const DetourAuthResult results[] = { [WITHOUT_GRACE] = DETOUR_AUTH_UNAVAILABLE,
                                              [WITHOUT_ALLOW] = DETOUR_AUTH_ALLOW,
                                              [WITHOUT_DENY] = DETOUR_AUTH_DENY };
  Without without = self->is_stopping ? WITHOUT_GRACE : self->without;
  g_autofree char *text = without == WITHOUT_GRACE
                            ? g_strdup (reason)
                            : g_strdup_printf ("%s; unavailable = %s", reason,
                                               without == WITHOUT_ALLOW ? "allow" : "deny");
  const DetourAuthVerdict verdict = { .result = results[without],
                                      .reason = text,
                                      .ttl_us = UNAVAILABLE_TTL_US };

  detour_counter_add (self->unavailable, 1);
  detour_auth_answer (call, &verdict);
}

static void
auth_url_on_answer (gpointer user, gpointer call, const UrlAnswer *answer)
{
  AuthUrl *self = user;
  const DetourAuthVerdict verdict = { .result = answer->result,
                                      .label = answer->label,
                                      .class_ = answer->class_,
                                      .reason = answer->reason,
                                      .ttl_us = answer->ttl_us };

  if (answer->result == DETOUR_AUTH_UNAVAILABLE)
    {
      auth_url_answer_without (self, call, answer->reason);
      return;
    }
  detour_counter_add (answer->result == DETOUR_AUTH_ALLOW ? self->allowed : self->denied, 1);
  detour_auth_answer (call, &verdict);
}

static void
auth_url_tell (AuthUrl *self, const char *trouble)
{
  gint64 now_us = g_get_monotonic_time ();

  if (trouble != NULL && (self->told_us == 0 || now_us - self->told_us >= LOG_EVERY_US))
    {
      self->has_told = TRUE;
      self->told_us = now_us;
      g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "auth-down",
                        DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE", "%s: %s",
                        detour_host_instance (self->host), trouble);
    }
  else if (trouble == NULL && self->has_told)
    {
      self->has_told = FALSE;
      g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "auth-up",
                        DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
                        "%s: the admission server answers again",
                        detour_host_instance (self->host));
    }
}

static void
auth_url_show_trouble (AuthUrl *self)
{
  const char *url = self->url_trouble, *file = self->file_trouble;

  if (url != NULL && file != NULL)
    detour_host_set_trouble (self->host, "%s; %s", url, file);
  else if (url != NULL || file != NULL)
    detour_host_set_trouble (self->host, "%s", url != NULL ? url : file);
  else
    detour_host_set_trouble (self->host, NULL);
}

static void
auth_url_on_state (gpointer user, const char *summary, const char *trouble)
{
  AuthUrl *self = user;
  gboolean turned = (self->url_trouble != NULL) != (trouble != NULL);

  g_free (self->url_trouble);
  self->url_trouble = g_strdup (trouble);
  detour_host_set_summary (self->host, "%s", summary);
  auth_url_show_trouble (self);
  if (turned)
    auth_url_tell (self, trouble);
}

static void
auth_url_on_recovered (gpointer user)
{
  AuthUrl *self = user;

  detour_counter_add (self->recoveries, 1);
  detour_host_auth_changed (self->host);
}

static const UrlAskerFuncs asker_funcs = { auth_url_on_answer, auth_url_on_state,
                                           auth_url_on_recovered };

/* Life ----------------------------------------------------------------------------------------- */

static void
auth_url_get_counters (AuthUrl *self)
{
  self->allowed = detour_host_counter (self->host, "allowed",
                                       "requests that an admission server allowed");
  self->denied = detour_host_counter (self->host, "denied",
                                      "requests that an admission server denied");
  self->unavailable = detour_host_counter (self->host, "unavailable",
                                           "requests on which no admission server gave a verdict");
  self->recoveries = detour_host_counter (self->host, "changes",
                                          "times that verdicts could be had again");
}

static gpointer
auth_url_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  static const char *const words[] = { "grace", "allow", "deny" };
  AuthUrl *self;
  WebClientSetup setup = { .requests_max = (guint) detour_settings_uint (settings, "requests") };
  g_autoptr (GError) local_error = NULL;
  const char *key = NULL;
  WebClient *client;

  web_client_setup_from (&setup, settings);
  client = web_client_new (&setup, &key, &local_error);
  if (client == NULL)
    {
      detour_settings_error (settings, key, error, "%s", local_error->message);
      return NULL;
    }
  self = g_new0 (AuthUrl, 1);
  self->host = host;
  self->settings = detour_settings_ref (settings);
  self->client = client;
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    if (g_strcmp0 (detour_settings_string (settings, "unavailable"), words[i]) == 0)
      self->without = (Without) i;
  auth_url_get_counters (self);
  self->asker = url_asker_new (
      detour_settings_list (settings, "url"),
      (guint) (detour_settings_duration_us (settings, "timeout") / G_TIME_SPAN_MILLISECOND), client,
      &asker_funcs, self);
  return self;
}

/* Certificates are often written anew by another program. */
static void
auth_url_reload (gpointer data)
{
  AuthUrl *self = data;
  g_autoptr (GError) error = NULL;
  gboolean changed = FALSE;

  g_clear_pointer (&self->file_trouble, g_free);
  if (!web_client_reload (self->client, &changed, &error))
    {
      self->file_trouble = g_strdup_printf ("what was read before is in use: %s", error->message);
      g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_INSTANCE,
                        detour_host_instance (self->host), "MESSAGE", "%s: %s",
                        detour_host_instance (self->host), self->file_trouble);
    }
  else if (changed)
    url_asker_begin_anew (self->asker);
  auth_url_show_trouble (self);
}

static void
auth_url_stop (gpointer data)
{
  AuthUrl *self = data;

  self->is_stopping = TRUE;
  url_asker_free (self->asker);
  detour_settings_unref (self->settings);
  g_free (self->file_trouble);
  g_free (self->url_trouble);
  g_free (self);
}

static void
auth_url_verify (gpointer data, const DetourAuthRequest *request, DetourAuthCall *call)
{
  url_asker_ask (((AuthUrl *) data)->asker, request->key, request->address, call);
}

static const DetourAuthFuncs auth_url_funcs = { .verify = auth_url_verify };

DETOUR_PLUGIN_DEFINE (.name = "auth-url", .kind = DETOUR_KIND_AUTH,
                      .summary = "admits the clients that an admission server allows",
                      .config = auth_url_config, .check = auth_url_check, .start = auth_url_start,
                      .reload = auth_url_reload, .stop = auth_url_stop,
                      .funcs.auth = &auth_url_funcs);
