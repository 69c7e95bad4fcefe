/* detour-config-warnings.c: what a configuration may say, and what an operator may not have meant.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-warnings.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "detour-address.h"

#define HTTPS_PORT 443u
#define HTTP_PORT  80u

/* A name of the chain. */
static void
config_warnings_of_link (const DetourConfig *config, const char *name)
{
  g_autofree char *id = g_strconcat ("auth/", name, NULL);
  const DetourConfigInstance *instance = detour_config_find (config, id);

  if (g_str_equal (name, "open"))
    detour_settings_warn (config->admission, "chain",
                          _ ("everyone may use this relay, because the chain is \"open\""));
  else if (instance != NULL && !instance->enabled)
    detour_settings_warn (config->admission, "chain",
                          _ ("%s is not enabled, so the chain goes on without it"), id);
}

static gboolean
config_warnings_is_asked (const DetourConfig *config, const char *auth)
{
  if (g_strv_contains (config->options.admission.chain, auth))
    return TRUE;
  for (guint i = 0; i < config->tenants->len; i++)
    if (g_strv_contains (((const DetourTenantGroup *) config->tenants->pdata[i])->options.chain,
                         auth))
      return TRUE;
  return FALSE;
}

/* An [auth NAME] group. */
static void
config_warnings_of_auth (const DetourConfig *config, const DetourConfigInstance *instance)
{
  if (instance->enabled && !config_warnings_is_asked (config, instance->name))
    detour_settings_warn (instance->settings, NULL,
                          _ ("it decides about nobody, because no chain names it, neither that of "
                             "[admission] nor one of a [tenant NAME]; add it there, or take the "
                             "group out"));
}

static gboolean
config_warnings_has_port (const DetourConfigInstance *instance, guint port)
{
  const char *const *listen = detour_settings_list (instance->settings, "listen");
  DetourAddress address;

  /* Which port a socket of the service manager has is not known here. */
  if (detour_settings_has (instance->settings, "socket"))
    return TRUE;
  for (guint i = 0; listen[i] != NULL; i++)
    if (detour_address_parse (listen[i], &address, NULL) && address.port == port)
      return TRUE;
  return FALSE;
}

/* @port: 0: any. Of a transport. */
static gboolean
config_warnings_has_plugin (const DetourConfig *config, const char *name, guint port)
{
  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (instance->enabled && instance->plugin != NULL && strcmp (instance->plugin_name, name) == 0
          && (port == 0 || config_warnings_has_port (instance, port)))
        return TRUE;
    }
  return FALSE;
}

/* A [cert NAME] group of cert-acme: whether somebody answers the authority. */
static void
config_warnings_of_acme (const DetourConfig *config, const DetourConfigInstance *instance)
{
  const DetourSettings *settings = instance->settings;
  const char *challenge = detour_settings_string (settings, "challenge");
  gboolean is_auto = strcmp (challenge, "auto") == 0;
  gboolean is_forwarded = detour_settings_bool (settings, "assume-port-forwarded");

  if ((!is_auto && strcmp (challenge, "http-01") != 0)
      || config_warnings_has_plugin (config, "http-acme", 0))
    return;
  if (is_auto
      && (detour_settings_has (settings, "dns-hook")
          || config_warnings_has_plugin (config, "transport-tls", is_forwarded ? 0 : HTTPS_PORT)
          || !config_warnings_has_plugin (config, "transport-http", is_forwarded ? 0 : HTTP_PORT)))
    return;
  detour_settings_warn (settings, NULL,
                        _ ("http-01 is the only way to prove names here, and no [http acme] is "
                           "enabled that would answer the authority; add that group"));
}

void
detour_config_warnings (const DetourConfig *config)
{
  for (const char *const *name = config->options.admission.chain; *name != NULL; name++)
    config_warnings_of_link (config, *name);
  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (instance->kind == DETOUR_KIND_AUTH)
        config_warnings_of_auth (config, instance);
      else if (instance->enabled && instance->plugin != NULL
               && g_str_equal (instance->plugin_name, "cert-acme"))
        config_warnings_of_acme (config, instance);
    }
}
