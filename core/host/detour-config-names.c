/* detour-config-names.c: names of groups that other groups name.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-names.h"

#include <glib/gi18n-lib.h>

#include "detour-nearest.h"
#include "detour-package.h"

GPtrArray *
detour_config_names_of_kind (const DetourConfig *config, DetourKind kind)
{
  GPtrArray *names = g_ptr_array_new ();

  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (instance->kind == kind)
        g_ptr_array_add (names, instance->name);
    }
  return names;
}

void
detour_config_refuse_name (const DetourSettings *settings, const char *key, const char *kind,
                           const char *name, GPtrArray *names)
{
  g_autofree char *quoted = detour_config_quote (name);
  g_autofree char *part = g_strconcat (kind, "-", name, NULL);
  g_autofree char *package = detour_package_of (DETOUR_PACKAGES, part);
  g_autofree char *there = NULL;
  const char *nearest;

  g_ptr_array_add (names, NULL);
  nearest = detour_nearest (name, (const char *const *) names->pdata);
  there = names->len > 1 ? g_strjoinv (", ", (char **) names->pdata)
                         : g_strdup (_ ("none of this kind"));
  /* A plugin that is there needs no group of its own. */
  if (package != NULL)
    detour_settings_complain (settings, key,
                              _ ("the plugin \"%s\" is not installed; install the package %s"),
                              quoted, package);
  else if (nearest != NULL)
    detour_settings_complain (settings, key, _ ("there is no [%s %s]; did you mean \"%s\"?"), kind,
                              quoted, nearest);
  else
    detour_settings_complain (settings, key, _ ("there is no [%s %s]; there are %s"), kind, quoted,
                              there);
}
