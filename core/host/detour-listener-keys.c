/* detour-listener-keys.c: what the keys that listeners have in common say.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-listener-keys.h"

#include "detour-config-errors.h"
#include "detour-forward-table.h"
#include "detour-settings.h"

#include <glib/gi18n-lib.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#define MODE_MAX 0777u

/* Octal digits and nothing else. */
static gboolean
listener_keys_parse_mode (const char *text, guint *mode)
{
  guint64 value;

  if (text[0] == '\0' || strspn (text, "01234567") != strlen (text)
      || !g_ascii_string_to_unsigned (text, 8, 1, MODE_MAX, &value, NULL))
    return FALSE;
  *mode = (guint) value;
  return TRUE;
}

gboolean
detour_listener_keys_find_owner (const char *text, uid_t *uid, gid_t *gid, GError **error)
{
  const char *colon = strchr (text, ':');
  g_autofree char *user = g_strndup (text, strcspn (text, ":"));
  const struct passwd *found_user = user[0] != '\0' ? getpwnam (user) : NULL;
  const struct group *found_group = colon != NULL ? getgrnam (colon + 1) : NULL;

  *uid = found_user != NULL ? found_user->pw_uid : (uid_t) -1;
  *gid = found_group != NULL ? found_group->gr_gid : (gid_t) -1;
  if (user[0] != '\0' && found_user == NULL)
    g_set_error (error, DETOUR_CONFIG_ERROR, DETOUR_CONFIG_ERROR_VALUE,
                 _ ("this host has no user \"%s\""), user);
  else if (colon != NULL && found_group == NULL)
    g_set_error (error, DETOUR_CONFIG_ERROR, DETOUR_CONFIG_ERROR_VALUE,
                 _ ("this host has no group \"%s\""), colon + 1);
  else
    return TRUE;
  return FALSE;
}

static gboolean
listener_keys_is_unix (const DetourSettings *settings)
{
  const char *const *listen = detour_settings_list (settings, "listen");

  for (; *listen != NULL; listen++)
    if (!g_str_has_prefix (*listen, "unix:"))
      return FALSE;
  return !detour_settings_has (settings, "socket");
}

gboolean
detour_listener_check_unix (const DetourSettings *settings, GError **error)
{
  const char *mode = detour_settings_string (settings, "unix-mode");
  const char *owner = detour_settings_string (settings, "unix-owner");
  g_autoptr (GError) problem = NULL;
  guint bits;
  uid_t uid;
  gid_t gid;

  if (!listener_keys_parse_mode (mode, &bits))
    {
      detour_settings_error (settings, "unix-mode", error,
                             _ ("\"%s\" are no permissions; write octal digits from 1 to 0777, "
                                "as in 0660"),
                             mode);
      return FALSE;
    }
  if (owner != NULL && !detour_listener_keys_find_owner (owner, &uid, &gid, &problem))
    {
      detour_settings_error (settings, "unix-owner", error, "%s", problem->message);
      return FALSE;
    }
  return TRUE;
}

void
detour_listener_fill_unix (const DetourSettings *settings, DetourListenerSpec *spec)
{
  spec->unix_owner = detour_settings_string (settings, "unix-owner");
  /* The check has seen that it is one. */
  if (!listener_keys_parse_mode (detour_settings_string (settings, "unix-mode"), &spec->unix_mode))
    spec->unix_mode = 0;
}

/* Only headers whose entries are addresses alone can be read. */
static gboolean
listener_keys_check_real_ip (const DetourSettings *settings, GError **error)
{
  /* That requests have for something else. */
  static const char *const without_address[] = {
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Cache-Control",
    "Connection",
    "Content-Length",
    "Content-Type",
    "Cookie",
    "Derp-Fast-Start",
    "Host",
    "Keep-Alive",
    "Origin",
    "Referer",
    "Transfer-Encoding",
    "Upgrade",
    "User-Agent",
    "Via",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Proto",
  };
  const char *header = detour_settings_string (settings, "real-ip-header");

  if (g_ascii_strcasecmp (header, "Forwarded") == 0)
    {
      detour_settings_error (settings, "real-ip-header", error,
                             _ ("Forwarded is not read; have the proxy write X-Forwarded-For or "
                                "X-Real-IP, and write its name"));
      return FALSE;
    }
  for (guint i = 0; i < G_N_ELEMENTS (without_address); i++)
    if (g_ascii_strcasecmp (header, without_address[i]) == 0)
      {
        detour_settings_error (settings, "real-ip-header", error,
                               _ ("\"%s\" has no client's address; write the header in which the "
                                  "proxy writes it, as X-Forwarded-For or X-Real-IP"),
                               header);
        return FALSE;
      }
  for (const char *p = header; *p != '\0'; p++)
    if (!g_ascii_isalnum (*p) && *p != '-' && *p != '_')
      {
        detour_settings_error (settings, "real-ip-header", error,
                               _ ("\"%s\" is not the name of a header; write one such as "
                                  "X-Forwarded-For"),
                               header);
        return FALSE;
      }
  return TRUE;
}

static gboolean
listener_keys_check_forward (const DetourSettings *settings, GError **error)
{
  g_autoptr (DetourForwardTable) table = NULL;
  g_autoptr (GError) problem = NULL;

  if (detour_settings_find_key (settings, "forward") == NULL)
    return TRUE;
  table = detour_forward_table_new (detour_settings_list (settings, "forward"), NULL, &problem);
  if (table == NULL)
    detour_settings_error (settings, "forward", error, "%s", problem->message);
  return table != NULL;
}

gboolean
detour_listener_check (const DetourSettings *settings, GError **error)
{
  gboolean real_ip = detour_settings_find_key (settings, "real-ip-header") != NULL
                  && detour_settings_has (settings, "real-ip-header");
  gboolean proxy = strcmp (detour_settings_string (settings, "proxy-protocol"), "off") != 0;

  if (detour_settings_list (settings, "listen")[0] == NULL
      && !detour_settings_has (settings, "socket"))
    {
      detour_settings_error (settings, "listen", error,
                             _ ("not set, and `socket` neither; write one, as in listen=:443"));
      return FALSE;
    }
  if (!detour_listener_check_unix (settings, error)
      || (real_ip && !listener_keys_check_real_ip (settings, error))
      || !listener_keys_check_forward (settings, error))
    return FALSE;
  if ((proxy || real_ip) && detour_settings_list (settings, "trusted-proxies")[0] == NULL
      && !listener_keys_is_unix (settings))
    {
      detour_settings_error (settings, proxy ? "proxy-protocol" : "real-ip-header", error,
                             _ ("nobody is trusted to say whose connection it hands on; write the "
                                "addresses of the proxies, as in trusted-proxies=192.0.2.7"));
      return FALSE;
    }
  return TRUE;
}

static void
listener_keys_fill_forward (const DetourSettings *settings, DetourListenerSpec *spec)
{
  const char *header;

  if (detour_settings_find_key (settings, "forward") == NULL)
    return;
  header = detour_settings_string (settings, "forward-proxy-protocol");
  spec->forward = detour_settings_list (settings, "forward");
  spec->forward_version = strcmp (header, "off") == 0 ? 0 : strcmp (header, "v1") == 0 ? 1 : 2;
  spec->forward_idle_us = detour_settings_duration_us (settings, "forward-idle");
  spec->forward_most = (guint) detour_settings_uint (settings, "forward-connections");
}

void
detour_listener_fill (const DetourSettings *settings, DetourListenerSpec *spec)
{
  const char *mode = detour_settings_string (settings, "proxy-protocol");

  spec->addresses = detour_settings_list (settings, "listen");
  spec->socket_name = detour_settings_string (settings, "socket");
  spec->key = spec->socket_name != NULL ? "socket" : "listen";
  spec->flags |= detour_listener_family (settings);
  spec->proxy_protocol = strcmp (mode, "off") == 0    ? DETOUR_PROXY_OFF
                       : strcmp (mode, "accept") == 0 ? DETOUR_PROXY_ACCEPT
                                                      : DETOUR_PROXY_REQUIRE;
  spec->trusted_proxies = detour_settings_list (settings, "trusted-proxies");
  if (detour_settings_find_key (settings, "real-ip-header") != NULL)
    spec->real_ip_header = detour_settings_string (settings, "real-ip-header");
  listener_keys_fill_forward (settings, spec);
  detour_listener_fill_unix (settings, spec);
}
