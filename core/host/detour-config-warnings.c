/* detour-config-warnings.c: what a configuration may say, and what an operator may not have meant.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-warnings.h"

#include <glib/gi18n-lib.h>

static void config_warnings_add (GPtrArray *lines, const DetourSettings *settings, const char *key,
                                 const char *format, ...) G_GNUC_PRINTF (4, 5);

/* @key: (nullable): of @settings; NULL: the group as a whole */
static void
config_warnings_add (GPtrArray *lines, const DetourSettings *settings, const char *key,
                     const char *format, ...)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  detour_settings_error (settings, key, &error, "%s", text);
  g_ptr_array_add (lines, g_strdup (error->message));
}

/* A name of the chain. */
static void
config_warnings_of_link (const DetourConfig *config, const char *name, GPtrArray *lines)
{
  g_autofree char *id = g_strconcat ("auth/", name, NULL);
  const DetourConfigInstance *instance = detour_config_find (config, id);

  if (g_str_equal (name, "open"))
    config_warnings_add (lines, config->admission, "chain",
                         _ ("everyone may use this relay, because the chain is \"open\""));
  else if (instance != NULL && !instance->enabled)
    config_warnings_add (lines, config->admission, "chain",
                         _ ("%s is not enabled, so the chain goes on without it"), id);
}

/* An [auth NAME] group. */
static void
config_warnings_of_auth (const DetourConfig *config, const DetourConfigInstance *instance,
                         GPtrArray *lines)
{
  if (instance->enabled && !g_strv_contains (config->options.admission.chain, instance->name))
    config_warnings_add (lines, instance->settings, NULL,
                         _ ("it decides about nobody, because [admission] chain does not name it; "
                            "add it there, or take the group out"));
}

GStrv
detour_config_warnings (const DetourConfig *config)
{
  GPtrArray *lines = g_ptr_array_new ();

  for (const char *const *name = config->options.admission.chain; *name != NULL; name++)
    config_warnings_of_link (config, *name, lines);
  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (instance->kind == DETOUR_KIND_AUTH)
        config_warnings_of_auth (config, instance, lines);
    }
  g_ptr_array_add (lines, NULL);
  return (GStrv) g_ptr_array_free (lines, FALSE);
}
