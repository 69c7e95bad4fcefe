/* detour-config-chain.c: checks of a chain, of [admission] or of a tenant.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-chain.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "detour-config-names.h"

static void
config_chain_refuse_name (const DetourConfig *config, const DetourSettings *settings,
                          const char *name)
{
  g_autoptr (GPtrArray) names = detour_config_names_of_kind (config, DETOUR_KIND_AUTH);

  g_ptr_array_add (names, (gpointer) "open");
  detour_config_refuse_name (settings, "chain", "auth", name, names);
}

void
detour_config_check_chain (const DetourConfig *config, const DetourSettings *settings)
{
  const char *const *chain = detour_settings_list (settings, "chain");

  for (guint i = 0; chain[i] != NULL; i++)
    {
      g_autofree char *id = g_strconcat ("auth/", chain[i], NULL);

      for (guint k = 0; k < i; k++)
        if (strcmp (chain[i], chain[k]) == 0)
          detour_settings_complain (settings, "chain", _ ("\"%s\" is there twice"), chain[i]);
      if (strcmp (chain[i], "open") == 0)
        {
          if (chain[1] != NULL)
            detour_settings_complain (settings, "chain",
                                      _ ("\"open\" lets everyone in and must stand alone"));
        }
      else if (detour_config_find (config, id) == NULL)
        config_chain_refuse_name (config, settings, chain[i]);
    }
}
