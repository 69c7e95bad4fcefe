/* detour-config-check.c: what no single value shows: whether what a configuration names is there.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-check.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "detour-address.h"
#include "detour-nearest.h"
#include "detour-rate-config.h"
#include "detour-server-key.h"

/* Says of @key, which is set, what is wrong with it. */
static void config_check_complain (DetourConfigErrors *errors, const DetourSettings *settings,
                                   const char *key, const char *format, ...) G_GNUC_PRINTF (4, 5);

static void
config_check_complain (DetourConfigErrors *errors, const DetourSettings *settings, const char *key,
                       const char *format, ...)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  const char *file = NULL;
  guint line = 0;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  detour_settings_origin (settings, key, &file, &line);
  detour_settings_error (settings, key, &error, "%s", text);
  detour_config_errors_add_line (errors, file, line, error->message);
}

/* One that is missing is made later. */
static void
config_check_key_file (const DetourConfig *config, DetourConfigErrors *errors)
{
  const char *path = config->options.core.key_file;
  g_autoptr (DetourServerKey) key = NULL;
  g_autoptr (GError) error = NULL;

  if (path == NULL || !g_file_test (path, G_FILE_TEST_EXISTS))
    return;
  key = detour_server_key_load (path, &error);
  if (key == NULL)
    config_check_complain (errors, config->core, "key-file", "%s", error->message);
}

static void
config_check_core (const DetourConfig *config, DetourConfigErrors *errors)
{
  const char *hostname = config->options.core.hostname;

  if (hostname != NULL)
    {
      g_autofree char *as_address = g_strdup_printf (
          strchr (hostname, ':') != NULL ? "[%s]:0" : "%s:0", hostname);
      g_autofree char *quoted = detour_config_quote (hostname);
      DetourAddress address;

      if (hostname[0] == '\0' || !detour_address_parse (as_address, &address, NULL))
        config_check_complain (
            errors, config->core, "hostname",
            _ ("\"%s\" is neither a host name nor an address; write relay.example.com or "
               "203.0.113.5"),
            quoted);
    }
  config_check_key_file (config, errors);
}

static void
config_check_limits (const DetourConfig *config, DetourConfigErrors *errors)
{
  const char *path = config->options.limits.rate_config_file;
  g_autoptr (GError) error = NULL;
  DetourRateConfig rates;

  if (path != NULL && !detour_rate_config_load (path, &rates, &error))
    config_check_complain (errors, config->limits, "rate-config-file", "%s", error->message);
}

/* There is no [cert @name]. */
static void
config_check_refuse_cert (const DetourConfig *config, const DetourSettings *settings,
                          const char *key, const char *name, DetourConfigErrors *errors)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_autofree char *quoted = detour_config_quote (name);
  g_autofree char *there = NULL;
  const char *nearest;

  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (instance->kind == DETOUR_KIND_CERT)
        g_ptr_array_add (names, instance->name);
    }
  g_ptr_array_add (names, NULL);
  nearest = detour_nearest (name, (const char *const *) names->pdata);
  there = names->len > 1 ? g_strjoinv (", ", (char **) names->pdata)
                         : g_strdup (_ ("none of this kind"));
  if (nearest != NULL)
    config_check_complain (errors, settings, key, _ ("there is no [cert %s]; did you mean \"%s\"?"),
                           quoted, nearest);
  else
    config_check_complain (errors, settings, key, _ ("there is no [cert %s]; there are %s"), quoted,
                           there);
}

static void
config_check_instance (const DetourConfig *config, const DetourConfigInstance *instance,
                       DetourConfigErrors *errors)
{
  for (const DetourConfigKey *key = instance->plugin->config; key != NULL && key->key != NULL;
       key++)
    {
      g_autofree char *id = NULL;
      const char *name;

      if ((key->flags & DETOUR_CONFIG_CERT) == 0)
        continue;
      name = detour_settings_string (instance->settings, key->key);
      id = g_strconcat ("cert/", name, NULL);
      if (name != NULL && detour_config_find (config, id) == NULL)
        config_check_refuse_cert (config, instance->settings, key->key, name, errors);
    }
}

void
detour_config_check (const DetourConfig *config, DetourConfigErrors *errors)
{
  config_check_core (config, errors);
  config_check_limits (config, errors);
  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (instance->enabled && instance->plugin != NULL)
        config_check_instance (config, instance, errors);
    }
}
