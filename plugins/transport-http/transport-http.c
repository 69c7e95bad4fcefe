/* transport-http.c: listeners whose connections speak HTTP in the clear.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <string.h>

static const DetourConfigKey transport_http_config[] = {
  { "listen", DETOUR_CONFIG_ADDRESS, .summary = "addresses to listen at",
    .flags = DETOUR_CONFIG_LIST | DETOUR_CONFIG_LISTEN_TCP },
  { "socket", DETOUR_CONFIG_STRING,
    .summary = "name of the service manager's socket to use instead of `listen`" },
  DETOUR_LISTENER_FAMILY_KEY,
  { "derp", DETOUR_CONFIG_BOOL, "true", .summary = "clients may use the relay here" },
  { "redirect", DETOUR_CONFIG_ENUM, "none",
    .summary = "where requests go that no route for plain HTTP answers", .words = "none|https" },
  { NULL },
};

static gboolean
transport_http_check (const DetourSettings *settings, GError **error)
{
  if (detour_settings_list (settings, "listen")[0] == NULL
      && !detour_settings_has (settings, "socket"))
    {
      detour_settings_error (settings, "listen", error,
                             "not set, and `socket` neither; write one, as in listen=:80");
      return FALSE;
    }
  return TRUE;
}

static gpointer
transport_http_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  gboolean derp = detour_settings_bool (settings, "derp");
  gboolean redirect = strcmp (detour_settings_string (settings, "redirect"), "https") == 0;
  const DetourListenerSpec spec = {
    .addresses = detour_settings_list (settings, "listen"),
    .socket_name = detour_settings_string (settings, "socket"),
    .key = detour_settings_has (settings, "socket") ? "socket" : "listen",
    .protocol = "http",
    .flags = (derp ? DETOUR_LISTENER_DERP : 0) | (redirect ? DETOUR_LISTENER_REDIRECT_HTTPS : 0)
           | detour_listener_family (settings),
  };

  return detour_host_listen (host, settings, &spec, error) ? host : NULL;
}

static void
transport_http_stop (gpointer self)
{
  /* Core closes what it bound for the instance; the plugin has no state of its own. */
}

DETOUR_PLUGIN_DEFINE (.name = "transport-http", .kind = DETOUR_KIND_TRANSPORT,
                      .summary = "listens for connections that speak HTTP in the clear",
                      .config = transport_http_config, .check = transport_http_check,
                      .start = transport_http_start, .stop = transport_http_stop);
