/* detour-config-peers.c: checks of the [peer NAME] groups against the rest of the configuration.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-peers.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "detour-config-errors.h"

/* A bundle of all authorities of a system has some 250 KB. */
#define CA_FILE_MAX ((gsize) 4 << 20)

static void
config_peers_check_target (const DetourSettings *settings, const char *key, const char *text,
                           const DetourMeshTarget *target)
{
  g_autofree char *quoted = NULL;

  if (text == NULL || target->host != NULL)
    return;
  quoted = detour_config_quote (text);
  detour_settings_complain (settings, key,
                            _ ("\"%s\" is neither a name nor an address; write a host, with a port "
                               "if it is not 443, as in b.example.com:8443"),
                            quoted);
}

static void
config_peers_check_pins (const DetourMeshPeerGroup *group)
{
  guint n_keys = 0;

  for (const char *const *pin = group->options.pin; *pin != NULL; pin++)
    {
      g_autofree char *quoted = detour_config_quote (*pin);

      if (!detour_mesh_peer_pin_is_valid (*pin))
        detour_settings_complain (group->settings, "pin",
                                  _ ("\"%s\" is no pin; write sha256-raw: and the 64 hex digits of "
                                     "the certificate, as `detourctl derpmap` of that relay shows "
                                     "them, or nodekey: and the 64 of its key, as its `detourctl "
                                     "status --json` shows them"),
                                  quoted);
      else if (g_str_has_prefix (*pin, DETOUR_MESH_PIN_KEY) && ++n_keys == 2)
        detour_settings_complain (group->settings, "pin",
                                  _ ("there are two keys; a server has one"));
    }
}

static void
config_peers_check_ca_file (const DetourMeshPeerGroup *group)
{
  g_auto (DetourFile) file = { 0 };
  g_autoptr (GError) error = NULL;

  if (group->options.ca_file == NULL)
    return;
  if (group->peer.pin != NULL)
    detour_settings_warn (group->settings, "ca-file",
                          _ ("nobody is asked to vouch for the certificate, because it is known by "
                             "its pin"));
  else if (!detour_file_read (group->options.ca_file, CA_FILE_MAX, 0, &file, &error))
    detour_settings_complain (group->settings, "ca-file", "%s", error->message);
  else if (strstr (file.data, "-----BEGIN CERTIFICATE-----") == NULL)
    detour_settings_complain (group->settings, "ca-file", _ ("%s holds no certificate in PEM"),
                              group->options.ca_file);
}

static gboolean
config_peers_is_same (const DetourMeshPeerGroup *a, const DetourMeshPeerGroup *b)
{
  return a->peer.host != NULL && b->peer.host != NULL
      && g_ascii_strcasecmp (a->peer.host, b->peer.host) == 0
      && g_ascii_strcasecmp (a->peer.address, b->peer.address) == 0
      && a->peer.host_port == b->peer.host_port && a->peer.port == b->peer.port;
}

static void
config_peers_check_twins (const DetourConfig *config, guint nth)
{
  const DetourMeshPeerGroup *group = config->peers->pdata[nth];

  for (guint i = 0; i < nth; i++)
    {
      const DetourMeshPeerGroup *other = config->peers->pdata[i];

      if (config_peers_is_same (group, other))
        {
          detour_settings_complain (group->settings, "host",
                                    _ ("[peer %s] is the same server; it is dialled once"),
                                    other->peer.name);
          return;
        }
    }
}

/* "service mesh" of the first plugin that would dial; NULL: there is none. */
static char *
config_peers_find_dialling (DetourPlugins *plugins)
{
  g_auto (GStrv) names = detour_plugins_names (plugins, DETOUR_N_KINDS);

  for (guint i = 0; names[i] != NULL; i++)
    {
      const DetourPlugin *plugin = detour_plugins_load (plugins, names[i], NULL);

      if (plugin != NULL && plugin->peers != NULL)
        return g_strdelimit (g_strdup (names[i]), "-", ' ');
    }
  return NULL;
}

/* There has to be one instance, and not two, to whom the groups mean something. */
static void
config_peers_check_instances (const DetourConfig *config, DetourPlugins *plugins)
{
  const DetourMeshPeerGroup *first = config->peers->pdata[0];
  const DetourConfigInstance *dialling = NULL;
  g_autofree char *name = NULL;

  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (instance->plugin == NULL || instance->plugin->peers == NULL)
        continue;
      if (dialling != NULL && dialling->enabled && instance->enabled)
        detour_settings_complain (instance->settings, NULL,
                                  _ ("%s dials the peers already; leave one of the two out"),
                                  dialling->id);
      if (dialling == NULL || instance->enabled)
        dialling = instance;
    }
  if (dialling != NULL && !dialling->enabled)
    detour_settings_warn (first->settings, NULL, _ ("%s is not enabled, so no peer is dialled"),
                          dialling->id);
  if (dialling != NULL)
    return;
  name = config_peers_find_dialling (plugins);
  if (name != NULL)
    detour_settings_complain (first->settings, NULL,
                              _ ("nobody dials peers here; there has to be a group [%s]"), name);
  else
    detour_settings_complain (first->settings, NULL, _ ("no plugin is installed that dials peers"));
}

void
detour_config_check_peers (const DetourConfig *config, DetourPlugins *plugins)
{
  for (guint i = 0; i < config->peers->len; i++)
    {
      const DetourMeshPeerGroup *group = config->peers->pdata[i];
      const char *missing = detour_settings_missing (group->settings);

      if (missing != NULL)
        detour_settings_complain (group->settings, missing, _ ("not set, but needed: %s"),
                                  detour_settings_find_key (group->settings, missing)->summary);
      config_peers_check_target (group->settings, "host", group->options.host, &group->host);
      config_peers_check_target (group->settings, "address", group->options.address,
                                 &group->address);
      if (group->options.port != 0 && group->host.port != 0)
        detour_settings_complain (group->settings, "port",
                                  _ ("`host` has port %u already; write it once"),
                                  group->host.port);
      config_peers_check_pins (group);
      config_peers_check_ca_file (group);
      config_peers_check_twins (config, i);
    }
  if (config->peers->len > 0)
    config_peers_check_instances (config, plugins);
}
