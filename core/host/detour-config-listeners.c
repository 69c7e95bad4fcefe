/* detour-config-listeners.c: keys of listeners that have no effect, or not the one that was meant.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-listeners.h"

#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <ifaddrs.h>
#include <string.h>

#include "detour-forward-table.h"

/* Written in a file, and not only the fallback. */
static gboolean
config_listeners_is_written (const DetourSettings *settings, const char *key)
{
  const char *file = NULL;
  guint line = 0;

  return detour_settings_find_key (settings, key) != NULL
      && detour_settings_text (settings, key) != NULL
      && detour_settings_origin (settings, key, &file, &line);
}

static const char *const *
config_listeners_forward (const DetourSettings *settings)
{
  static const char *const none[] = { NULL };

  return detour_settings_find_key (settings, "forward") != NULL
           ? detour_settings_list (settings, "forward")
           : none;
}

/* ---- where forwarded connections go ---------------------------------------------------------- */

/* One of the addresses that this host has now. */
static gboolean
config_listeners_is_here (GInetAddress *address)
{
  struct ifaddrs *all = NULL;
  gboolean found = g_inet_address_get_is_loopback (address);

  if (found || getifaddrs (&all) < 0)
    return found;
  for (const struct ifaddrs *each = all; each != NULL && !found; each = each->ifa_next)
    {
      char text[DETOUR_ADDRESS_TEXT_MAX];
      g_autoptr (GInetAddress) other = NULL;

      if (each->ifa_addr == NULL
          || (each->ifa_addr->sa_family != AF_INET && each->ifa_addr->sa_family != AF_INET6))
        continue;
      other = g_inet_address_new_from_string (detour_address_format_host (each->ifa_addr, text));
      found = other != NULL && g_inet_address_equal (address, other);
    }
  freeifaddrs (all);
  return found;
}

/* Both are literals. */
static gboolean
config_listeners_reaches (const DetourAddress *target, const DetourAddress *place,
                          DetourListenerFlags only)
{
  /* The wildcard as a target is this host. */
  const char *host = strcmp (target->host, "0.0.0.0") == 0 ? "127.0.0.1" : target->host;
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (host);
  gboolean is_v4;

  if (target->path[0] != '\0' || place->path[0] != '\0')
    return strcmp (target->path, place->path) == 0;
  if (address == NULL || target->port != place->port)
    return FALSE;
  is_v4 = g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV4;
  if (place->host[0] == '\0')
    return config_listeners_is_here (address)
        && only != (is_v4 ? DETOUR_LISTENER_ONLY_IPV6 : DETOUR_LISTENER_ONLY_IPV4);
  if (strcmp (place->host, "0.0.0.0") == 0)
    return is_v4 && config_listeners_is_here (address);
  return g_ascii_strcasecmp (host, place->host) == 0;
}

/* The transport that listens at @target; @self goes before others. NULL: none. */
static const DetourConfigInstance *
config_listeners_find (const DetourConfig *config, const DetourConfigInstance *self,
                       const DetourAddress *target)
{
  const DetourConfigInstance *found = NULL;

  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *other = config->instances->pdata[i];

      if (other->kind != DETOUR_KIND_TRANSPORT || !other->enabled || other->plugin == NULL
          || detour_settings_find_key (other->settings, "listen") == NULL
          || detour_settings_find_key (other->settings, "family") == NULL)
        continue;
      for (const char *const *text = detour_settings_list (other->settings, "listen");
           *text != NULL; text++)
        {
          DetourAddress place;

          if (detour_address_parse (*text, &place, NULL)
              && config_listeners_reaches (target, &place, detour_listener_family (other->settings))
              && (found == NULL || other == self))
            found = other;
        }
    }
  return found;
}

static void
config_listeners_check_target (const DetourConfig *config, const DetourConfigInstance *self,
                               const char *entry)
{
  g_auto (GStrv) parts = g_strsplit (entry, "=", 2);
  const DetourConfigInstance *other;
  DetourAddress target;

  if (!detour_address_parse (g_strstrip (parts[1]), &target, NULL))
    return;
  other = config_listeners_find (config, self, &target);
  if (other == self)
    detour_settings_complain (self->settings, "forward",
                              _ ("\"%s\" leads back to this listener; write the address of the "
                                 "other server, or %s=own for a name that stays here"),
                              entry, g_strstrip (parts[0]));
  else if (other != NULL)
    detour_settings_warn (self->settings, "forward",
                          _ ("\"%s\" leads to [%s] of this relay; write the address of the other "
                             "server, or %s=own for a name that stays here"),
                          entry, detour_settings_group (other->settings), g_strstrip (parts[0]));
}

static void
config_listeners_check_forward (const DetourConfig *config, const DetourConfigInstance *instance)
{
  const char *const *entries = config_listeners_forward (instance->settings);
  g_autoptr (DetourForwardTable) alone = detour_forward_table_new (entries, NULL, NULL);
  g_autoptr (DetourForwardTable) table = NULL;
  g_autoptr (GError) problem = NULL;
  gboolean leads_on = FALSE;

  /* What is wrong with an entry by itself was said by the transport. */
  if (entries[0] == NULL || alone == NULL)
    return;
  table = detour_forward_table_new (entries, config->options.core.hostname, &problem);
  if (table == NULL)
    detour_settings_complain (instance->settings, "forward", "%s", problem->message);
  for (guint i = 0; entries[i] != NULL; i++)
    {
      g_auto (GStrv) parts = g_strsplit (entries[i], "=", 2);

      leads_on |= strcmp (g_strstrip (parts[1]), "own") != 0;
      config_listeners_check_target (config, instance, entries[i]);
    }
  if (!leads_on)
    detour_settings_warn (instance->settings, "forward",
                          _ ("\"%s\": nothing is forwarded, because `own` only takes a name out of "
                             "another entry such as *.example.com=127.0.0.1:8443"),
                          detour_settings_text (instance->settings, "forward"));
}

/* ---- keys that belong to others -------------------------------------------------------------- */

static gboolean
config_listeners_has_unix (const DetourSettings *settings)
{
  if (detour_settings_has (settings, "socket"))
    return FALSE;
  for (const char *const *text = detour_settings_list (settings, "listen"); *text != NULL; text++)
    if (g_str_has_prefix (*text, "unix:"))
      return TRUE;
  return FALSE;
}

static void
config_listeners_warn_unused (const DetourSettings *settings, const char *key, const char *expected)
{
  if (config_listeners_is_written (settings, key))
    detour_settings_warn (settings, key, _ ("\"%s\" has no effect without %s"),
                          detour_settings_text (settings, key), expected);
}

static void
config_listeners_check_company (const DetourSettings *settings)
{
  if (config_listeners_forward (settings)[0] == NULL)
    {
      config_listeners_warn_unused (settings, "forward-proxy-protocol", "forward=NAME=ADDRESS");
      config_listeners_warn_unused (settings, "forward-idle", "forward=NAME=ADDRESS");
      config_listeners_warn_unused (settings, "forward-connections", "forward=NAME=ADDRESS");
    }
  if (!config_listeners_has_unix (settings))
    {
      config_listeners_warn_unused (settings, "unix-mode", "listen=unix:/PATH");
      config_listeners_warn_unused (settings, "unix-owner", "listen=unix:/PATH");
    }
  if (strcmp (detour_settings_string (settings, "proxy-protocol"), "off") == 0
      && !config_listeners_is_written (settings, "real-ip-header"))
    config_listeners_warn_unused (settings, "trusted-proxies",
                                  detour_settings_find_key (settings, "real-ip-header") != NULL
                                      ? "proxy-protocol=require, =accept or real-ip-header"
                                      : "proxy-protocol=require or =accept");
}

/* Of either family. */
static void
config_listeners_check_trusted (const DetourSettings *settings)
{
  for (const char *const *text = detour_settings_list (settings, "trusted-proxies"); *text != NULL;
       text++)
    if (g_str_has_suffix (*text, "/0"))
      detour_settings_warn (settings, "trusted-proxies",
                            _ ("\"%s\" is every address, so everybody may claim to be any client; "
                               "write the addresses of the proxies, as in 192.0.2.7"),
                            *text);
}

void
detour_config_check_listeners (const DetourConfig *config)
{
  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (instance->kind != DETOUR_KIND_TRANSPORT || !instance->enabled || instance->plugin == NULL
          || detour_settings_find_key (instance->settings, "trusted-proxies") == NULL)
        continue;
      config_listeners_check_forward (config, instance);
      config_listeners_check_company (instance->settings);
      config_listeners_check_trusted (instance->settings);
    }
}
