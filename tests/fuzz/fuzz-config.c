/* fuzz-config.c: any bytes as a configuration file, through merging, checking and dumping.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-load.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

/* One key of every type, so that every parser is reached. */
static const DetourConfigKey table[] = {
  { "string", DETOUR_CONFIG_STRING, .summary = "-" },
  { "bool", DETOUR_CONFIG_BOOL, .summary = "-" },
  { "uint", DETOUR_CONFIG_UINT, .summary = "-" },
  { "duration", DETOUR_CONFIG_DURATION, "2s", 1, 10000, "-", DETOUR_CONFIG_LIMIT },
  { "size", DETOUR_CONFIG_SIZE, .summary = "-" },
  { "rate", DETOUR_CONFIG_RATE, .summary = "-" },
  { "path", DETOUR_CONFIG_PATH, .summary = "-" },
  { "enum", DETOUR_CONFIG_ENUM, .summary = "-", .words = "one|two|three" },
  { "address", DETOUR_CONFIG_ADDRESS, .summary = "-" },
  { "listen", DETOUR_CONFIG_ADDRESS, .summary = "-", .flags = DETOUR_CONFIG_LIST },
  { "cidr", DETOUR_CONFIG_CIDR, .summary = "-", .flags = DETOUR_CONFIG_LIST },
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

static void
verify (gpointer self, const DetourAuthRequest *request, DetourAuthCall *call)
{
}

static const DetourAuthFuncs funcs = { verify };
static const DetourPlugin plugin = {
  .abi = DETOUR_PLUGIN_ABI,
  .size = sizeof (DetourPlugin),
  .name = "auth-keys",
  .kind = DETOUR_KIND_AUTH,
  .summary = "-",
  .config = table,
  .start = start,
  .stop = stop,
  .funcs.auth = &funcs,
};

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  const char *nowhere[] = { NULL };
  g_autoptr (DetourPlugins) plugins = detour_plugins_new (nowhere);
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (DetourConfig) config = NULL;
  g_auto (GStrv) lines = NULL;

  detour_plugins_add_static (plugins, &plugin);
  config = detour_config_load_text ("fuzz", (const char *) data, size, plugins, errors);
  lines = detour_config_errors_lines (errors);
  g_assert ((config == NULL) == (lines[0] != NULL));
  for (guint i = 0; lines[i] != NULL; i++)
    for (const char *p = lines[i]; *p != '\0'; p++)
      g_assert ((guint8) *p >= 0x20);
  if (config != NULL)
    {
      g_autofree char *text = detour_config_dump (config);
      g_autoptr (DetourConfigErrors) again_errors = detour_config_errors_new ();
      g_autoptr (DetourConfig)
          again = detour_config_load_text ("dump", text, strlen (text), plugins, again_errors);

      g_assert (again != NULL);
    }
  return 0;
}
