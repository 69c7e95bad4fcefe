/* detour-config-tenants.c: checks of the [tenant NAME] groups against the rest of the
 * configuration.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-tenants.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "detour-config-chain.h"
#include "detour-config-names.h"

/* What each name and each listener belongs to: folded, to DetourTenantGroup. */
typedef struct {
  const DetourConfig *config;
  GHashTable *names;
  GHashTable *listeners;
  gboolean has_tls; /* some listener speaks it */
} Check;

/* FALSE: it was there already, which has been said. */
static gboolean
config_tenants_claim (GHashTable *table, const DetourTenantGroup *group, const char *key,
                      const char *written, char *folded)
{
  const DetourTenantGroup *other = g_hash_table_lookup (table, folded);

  if (other == NULL)
    {
      g_hash_table_insert (table, folded, (gpointer) group);
      return TRUE;
    }
  if (other == group)
    detour_settings_complain (group->settings, key, _ ("\"%s\" is there twice"), written);
  else
    detour_settings_complain (group->settings, key,
                              _ ("\"%s\" belongs to [tenant %s] already; a client can be of one "
                                 "tenant only"),
                              written, other->name);
  g_free (folded);
  return FALSE;
}

/* ---- names ----------------------------------------------------------------------------------- */

static gboolean
config_tenants_runs (const DetourConfigInstance *instance, DetourKind kind)
{
  return instance->kind == kind && instance->enabled && instance->plugin != NULL;
}

static gboolean
config_tenants_has_tls (const DetourConfig *config)
{
  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (config_tenants_runs (instance, DETOUR_KIND_TRANSPORT)
          && detour_settings_find_key (instance->settings, "min-version") != NULL)
        return TRUE;
    }
  return FALSE;
}

static gboolean
config_tenants_covers (const char *certified, const char *folded, const char *wild)
{
  g_autofree char *name = detour_tenant_name_fold (certified);

  return strcmp (name, folded) == 0 || (wild != NULL && strcmp (name, wild) == 0);
}

/* Whether a certificate may have the name; one whose names stand in a file only is believed to. */
static gboolean
config_tenants_may_be_certified (const DetourConfig *config, const char *folded)
{
  g_autofree char *wild = detour_tenant_name_wild (folded);

  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];
      const char *const *names;

      if (!config_tenants_runs (instance, DETOUR_KIND_CERT))
        continue;
      if (detour_settings_find_key (instance->settings, "names") == NULL
          || (detour_settings_find_key (instance->settings, "chain-file") != NULL
              && detour_settings_has (instance->settings, "chain-file")))
        return TRUE;
      names = detour_settings_list (instance->settings, "names");
      if (names[0] == NULL && config->options.core.hostname != NULL
          && config_tenants_covers (config->options.core.hostname, folded, wild))
        return TRUE;
      for (; *names != NULL; names++)
        if (config_tenants_covers (*names, folded, wild))
          return TRUE;
    }
  return FALSE;
}

/* A name that a listener hands on to another server never comes here. */
static void
config_tenants_warn_of_forward (const DetourConfig *config, const DetourTenantGroup *group,
                                const char *folded)
{
  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (!config_tenants_runs (instance, DETOUR_KIND_TRANSPORT)
          || detour_settings_find_key (instance->settings, "forward") == NULL)
        continue;
      for (const char *const *entry = detour_settings_list (instance->settings, "forward");
           *entry != NULL; entry++)
        {
          g_auto (GStrv) parts = g_strsplit (*entry, "=", 2);
          g_autofree char *name = detour_tenant_name_fold (parts[0]);

          if (parts[1] != NULL && strcmp (parts[1], "own") != 0 && strcmp (name, folded) == 0)
            detour_settings_warn (group->settings, "names",
                                  _ ("clients that ask %s for \"%s\" are forwarded to %s and never "
                                     "come to this tenant"),
                                  instance->id, folded, parts[1]);
        }
    }
}

static void
config_tenants_check_names (Check *check, const DetourTenantGroup *group)
{
  const char *const *names = group->options.names;

  if (names[0] != NULL && !check->has_tls)
    detour_settings_warn (group->settings, "names",
                          _ ("no listener speaks TLS here, so nobody can ask for a name; write "
                             "listeners=NAME instead"));
  for (; *names != NULL; names++)
    {
      g_autofree char *quoted = detour_config_quote (*names);
      char *folded;

      if (!detour_tenant_name_is_valid (*names))
        {
          detour_settings_complain (group->settings, "names",
                                    _ ("\"%s\" is no name that a client can ask for in TLS; write "
                                       "a host name, as in relay.example.com or *.example.com"),
                                    quoted);
          continue;
        }
      folded = detour_tenant_name_fold (*names);
      config_tenants_warn_of_forward (check->config, group, folded);
      if (config_tenants_claim (check->names, group, "names", quoted, folded) && check->has_tls
          && !config_tenants_may_be_certified (check->config, folded))
        detour_settings_warn (group->settings, "names",
                              _ ("no certificate has the name \"%s\", so clients that ask for it "
                                 "do not trust this relay; add it to `names` of a [cert NAME]"),
                              quoted);
    }
}

/* ---- listeners ------------------------------------------------------------------------------- */

static void
config_tenants_check_listeners (Check *check, const DetourTenantGroup *group)
{
  for (const char *const *name = group->options.listeners; *name != NULL; name++)
    {
      g_autofree char *quoted = detour_config_quote (*name);
      char *id = detour_tenant_listener_id (*name);
      const DetourConfigInstance *instance = detour_config_find (check->config, id);

      if (instance == NULL)
        {
          g_autoptr (GPtrArray)
              names = detour_config_names_of_kind (check->config, DETOUR_KIND_TRANSPORT);

          detour_config_refuse_name (group->settings, "listeners", "transport", *name, names);
          g_free (id);
          continue;
        }
      if (!instance->enabled)
        detour_settings_warn (group->settings, "listeners",
                              _ ("%s is not enabled, so nobody comes in there"), id);
      config_tenants_claim (check->listeners, group, "listeners", quoted, id);
    }
}

static void
config_tenants_warn_of_chain (const DetourConfig *config, const DetourTenantGroup *group)
{
  for (const char *const *name = group->options.chain; *name != NULL; name++)
    {
      g_autofree char *id = g_strconcat ("auth/", *name, NULL);
      const DetourConfigInstance *instance = detour_config_find (config, id);

      if (strcmp (*name, "open") == 0)
        detour_settings_warn (group->settings, "chain",
                              _ ("everyone who comes to this tenant may use it, because the chain "
                                 "is \"open\""));
      else if (instance != NULL && !instance->enabled)
        detour_settings_warn (group->settings, "chain",
                              _ ("%s is not enabled, so the chain goes on without it"), id);
    }
}

void
detour_config_check_tenants (const DetourConfig *config)
{
  g_autoptr (GHashTable) names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GHashTable) listeners = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Check check = { config, names, listeners, config_tenants_has_tls (config) };

  for (guint i = 0; i < config->tenants->len; i++)
    {
      const DetourTenantGroup *group = config->tenants->pdata[i];

      if (group->options.names[0] == NULL && group->options.listeners[0] == NULL)
        detour_settings_complain (group->settings, NULL,
                                  _ ("nobody would belong to it; write names=NAME, asked for in "
                                     "TLS, or listeners=NAME"));
      config_tenants_check_names (&check, group);
      config_tenants_check_listeners (&check, group);
      detour_config_check_chain (config, group->settings);
      config_tenants_warn_of_chain (config, group);
    }
}
