/* static-plugins.c: a few plugins that are linked into tests of the configuration.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "static-plugins.h"

static const DetourConfigKey auth_keys_config[] = {
  { "file", DETOUR_CONFIG_PATH, .summary = "one key a line", .flags = DETOUR_CONFIG_REQUIRED },
  { "password", DETOUR_CONFIG_STRING, .summary = "a secret", .flags = DETOUR_CONFIG_SECRET },
  { NULL },
};

static const DetourConfigKey log_config[] = {
  { "level", DETOUR_CONFIG_ENUM, "message", .summary = "least grave",
    .words = "debug|info|message|warning" },
  { NULL },
};

static const DetourConfigKey log_file_config[] = {
  { "path", DETOUR_CONFIG_PATH, .summary = "where to", .flags = DETOUR_CONFIG_REQUIRED },
  { NULL },
};

static const DetourConfigKey stun_config[] = {
  { "listen", DETOUR_CONFIG_ADDRESS, "[::]:3478", .summary = "where", .flags = DETOUR_CONFIG_LIST },
  { "compat", DETOUR_CONFIG_ENUM, "tailscale", .summary = "who is answered",
    .words = "tailscale|any" },
  { "must-be-even", DETOUR_CONFIG_UINT, .summary = "what only check() knows" },
  { NULL },
};

static const DetourConfigKey tls_config[] = {
  { "listen", DETOUR_CONFIG_ADDRESS, .summary = "where", .flags = DETOUR_CONFIG_LIST },
  { "cert", DETOUR_CONFIG_STRING, .summary = "which one", .flags = DETOUR_CONFIG_CERT },
  { NULL },
};

static gpointer
start (DetourHost *host, DetourSettings *settings, GError **error)
{
  return host;
}

static void
stop (gpointer self)
{
}

static gboolean
stun_check (const DetourSettings *settings, GError **error)
{
  guint64 value = detour_settings_uint (settings, "must-be-even");

  if (value == 100)
    detour_settings_warn (settings, "must-be-even", "this is a lot");
  if (value % 2 == 0)
    return TRUE;
  if (value > 100)
    detour_settings_complain (settings, NULL, "it is in no mood for more than 100");
  detour_settings_error (settings, "must-be-even", error, "\"%" G_GUINT64_FORMAT "\" is odd",
                         value);
  return FALSE;
}

static void
verify (gpointer self, const DetourAuthRequest *request, DetourAuthCall *call)
{
  const DetourAuthVerdict deny = { .result = DETOUR_AUTH_DENY };

  detour_auth_answer (call, &deny);
}

static void
write_record (gpointer self, const DetourLogRecord *record)
{
}

static const DetourAuthFuncs auth_funcs = { verify };
static guint
suits (void)
{
  return 1;
}

static const DetourLogFuncs log_funcs = { write_record };
static const DetourLogFuncs chosen_log_funcs = { write_record, suits };

#define PLUGIN(...)                                                                  \
  {                                                                                  \
    .abi = DETOUR_PLUGIN_ABI, .size = sizeof (DetourPlugin), .summary = "for tests", \
    .start = start, .stop = stop, __VA_ARGS__                                        \
  }

static const DetourPlugin static_plugins[] = {
  PLUGIN (.name = "auth-keys", .kind = DETOUR_KIND_AUTH, .config = auth_keys_config,
          .funcs.auth = &auth_funcs),
  PLUGIN (.name = "auth-tailscaled", .kind = DETOUR_KIND_AUTH, .funcs.auth = &auth_funcs),
  PLUGIN (.name = "auth-url", .kind = DETOUR_KIND_AUTH, .funcs.auth = &auth_funcs),
  PLUGIN (.name = "cert-file", .kind = DETOUR_KIND_CERT),
  PLUGIN (.name = "log-file", .kind = DETOUR_KIND_LOG, .config = log_file_config,
          .funcs.log = &log_funcs),
  PLUGIN (.name = "log-stderr", .kind = DETOUR_KIND_LOG, .config = log_config,
          .funcs.log = &chosen_log_funcs),
  PLUGIN (.name = "service-stun", .kind = DETOUR_KIND_SERVICE, .config = stun_config,
          .check = stun_check),
  PLUGIN (.name = "transport-tls", .kind = DETOUR_KIND_TRANSPORT, .config = tls_config),
};

DetourPlugins *
static_plugins_new (void)
{
  const char *nowhere[] = { NULL };
  DetourPlugins *plugins = detour_plugins_new (nowhere);

  for (guint i = 0; i < G_N_ELEMENTS (static_plugins); i++)
    {
      g_autoptr (GError) error = NULL;

      detour_plugins_check (&static_plugins[i], static_plugins[i].name, "static", &error);
      g_assert_no_error (error);
      detour_plugins_add_static (plugins, &static_plugins[i]);
    }
  return plugins;
}
