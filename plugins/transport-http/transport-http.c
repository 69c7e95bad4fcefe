/* transport-http.c: listeners whose connections speak HTTP in the clear.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <string.h>

static const DetourConfigKey transport_http_config[] = {
  DETOUR_LISTENER_KEYS,
  { "real-ip-header", DETOUR_CONFIG_STRING,
    .summary = "header in which trusted proxies write the client's address, as X-Forwarded-For or "
               "X-Real-IP" },
  { "derp", DETOUR_CONFIG_BOOL, "true", .summary = "clients may use the relay here" },
  { "redirect", DETOUR_CONFIG_ENUM, "none",
    .summary = "where requests go that no route for plain HTTP answers", .words = "none|https" },
  { NULL },
};

static gpointer
transport_http_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  gboolean derp = detour_settings_bool (settings, "derp");
  gboolean redirect = strcmp (detour_settings_string (settings, "redirect"), "https") == 0;
  DetourListenerSpec spec = {
    .protocol = "http",
    .flags = (derp ? DETOUR_LISTENER_DERP : 0) | (redirect ? DETOUR_LISTENER_REDIRECT_HTTPS : 0),
  };

  detour_listener_fill (settings, &spec);
  return detour_host_listen (host, settings, &spec, error) ? host : NULL;
}

static void
transport_http_stop (gpointer self)
{
  /* Core closes what it bound for the instance; the plugin has no state of its own. */
}

DETOUR_PLUGIN_DEFINE (.name = "transport-http", .kind = DETOUR_KIND_TRANSPORT,
                      .summary = "listens for connections that speak HTTP in the clear",
                      .config = transport_http_config, .check = detour_listener_check,
                      .start = transport_http_start, .stop = transport_http_stop);
