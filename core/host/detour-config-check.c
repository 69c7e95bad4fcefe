/* detour-config-check.c: checks of a whole configuration: names, files, and addresses used twice.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-check.h"

#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <string.h>

#include "detour-address.h"
#include "detour-config-names.h"
#include "detour-rate-config.h"
#include "detour-server-key.h"

/* A missing key file is no error, because the daemon makes it as it starts. */
static void
config_check_key_file (const DetourConfig *config)
{
  const char *path = config->options.core.key_file;
  g_autoptr (DetourServerKey) key = NULL;
  g_autoptr (GError) error = NULL;

  if (path == NULL || !g_file_test (path, G_FILE_TEST_EXISTS))
    return;
  key = detour_server_key_load (path, &error);
  if (key == NULL)
    detour_settings_complain (config->core, "key-file", "%s", error->message);
}

/* The name in @text without the parts of a URL, a port and a dot at the end. */
static char *
config_check_bare_name (const char *text)
{
  const char *start = strstr (text, "://") != NULL ? strstr (text, "://") + 3 : text;
  char *name = g_strndup (start, strcspn (start, "/?#"));
  char *colon = strrchr (name, ':');
  gsize n;

  if (colon != NULL && strchr (name, ':') == colon && colon[1] != '\0'
      && strspn (colon + 1, "0123456789") == strlen (colon + 1))
    *colon = '\0';
  n = strlen (name);
  if (n > 1 && name[n - 1] == '.')
    name[n - 1] = '\0';
  if (n > 2 && name[0] == '[' && name[n - 1] == ']')
    {
      name[n - 1] = '\0';
      memmove (name, name + 1, n - 1);
    }
  return name;
}

/* Clients compare this name with certificates and look it up, so it has to be the bare name. */
static void
config_check_hostname (const DetourConfig *config)
{
  const char *written = config->options.core.hostname;
  g_autofree char *bare = config_check_bare_name (written);
  g_autofree char *ascii = g_utf8_validate (bare, -1, NULL) ? g_hostname_to_ascii (bare) : NULL;
  g_autofree char *quoted = detour_config_quote (written);

  if (ascii == NULL || !detour_address_is_host (ascii))
    detour_settings_complain (
        config->core, "hostname",
        _ ("\"%s\" is neither a host name nor an address; write relay.example.com or "
           "203.0.113.5"),
        quoted);
  else if (!g_str_is_ascii (bare))
    detour_settings_complain (
        config->core, "hostname",
        _ ("\"%s\" has letters that DNS and certificates write in another way; write %s"), quoted,
        ascii);
  else if (strcmp (bare, written) != 0)
    detour_settings_complain (
        config->core, "hostname",
        _ ("\"%s\" is more than a name; write it alone, without scheme, port, "
           "path and a dot at the "
           "end: %s"),
        quoted, bare);
}

static void
config_check_core (const DetourConfig *config)
{
  if (config->options.core.hostname != NULL)
    config_check_hostname (config);
  config_check_key_file (config);
}

/* Keys of a quota that have no effect. One that was refused is told as such, and would have had. */
static void
config_check_quota (const DetourSettings *settings, const DetourQuotaOptions *quota)
{
  static const char *const keys[] = { "quota-day", "over-quota", "slow-rate" };

  if (detour_settings_is_refused (settings, "quota"))
    return;
  for (guint i = 0; i < G_N_ELEMENTS (keys) && quota->bytes == 0; i++)
    if (detour_settings_is_written (settings, keys[i]))
      detour_settings_warn (settings, keys[i],
                            _ ("it has no effect without quota in the same group"));
  if (quota->bytes > 0 && quota->over != DETOUR_OVER_QUOTA_SLOW
      && !detour_settings_is_refused (settings, "over-quota")
      && detour_settings_is_written (settings, "slow-rate"))
    detour_settings_warn (settings, "slow-rate", _ ("it has no effect without over-quota = slow"));
}

static void
config_check_limits (const DetourConfig *config)
{
  const char *path = config->options.limits.rate_config_file;
  g_autoptr (GError) error = NULL;
  DetourRateConfig rates;

  config_check_quota (config->limits, &config->options.limits.quota);
  if (path != NULL && !detour_rate_config_load (path, &rates, &error))
    detour_settings_complain (config->limits, "rate-config-file", "%s", error->message);
}

void
detour_config_check_forgive (DetourConfig *config)
{
  const char **path = &config->options.limits.rate_config_file;
  g_autoptr (GError) error = NULL;
  DetourRateConfig rates;

  if (*path == NULL || detour_rate_config_load (*path, &rates, &error))
    return;
  detour_settings_warn (config->limits, "rate-config-file",
                        "%s; the rates of this file are not in force", error->message);
  *path = NULL;
}

static gboolean
config_check_is_family_or_none (const char *text, GSocketFamily family)
{
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (text);

  return strcmp (text, "none") == 0
      || (address != NULL && g_inet_address_get_family (address) == family);
}

static void
config_check_map (const DetourConfig *config)
{
  static const char *const keys[] = { "region", "code", "name", "format", "ipv4", "ipv6" };
  const DetourMapOptions *map = &config->options.derpmap;

  for (guint i = 0; i < G_N_ELEMENTS (keys) && map->file == NULL; i++)
    if (detour_settings_is_written (config->derpmap, keys[i])
        && !detour_settings_is_refused (config->derpmap, "file"))
      detour_settings_warn (config->derpmap, keys[i],
                            _ ("it has no effect without file in the same group"));
  if (map->file != NULL && config->options.core.hostname == NULL)
    detour_settings_complain (config->derpmap, "file",
                              _ ("an entry needs the name of the relay: [core] hostname"));
  if (map->ipv4 != NULL && !config_check_is_family_or_none (map->ipv4, G_SOCKET_FAMILY_IPV4))
    detour_settings_complain (config->derpmap, "ipv4",
                              _ ("\"%s\" is no such address; write one, or none"), map->ipv4);
  if (map->ipv6 != NULL && !config_check_is_family_or_none (map->ipv6, G_SOCKET_FAMILY_IPV6))
    detour_settings_complain (config->derpmap, "ipv6",
                              _ ("\"%s\" is no such address; write one, or none"), map->ipv6);
  if (g_strcmp0 (map->ipv4, "none") == 0 && g_strcmp0 (map->ipv6, "none") == 0)
    detour_settings_complain (config->derpmap, "ipv6",
                              _ ("with neither IPv4 nor IPv6 no client could connect"));
}

/* @key of @settings names a class that has to be there. */
static void
config_check_class_name (const DetourConfig *config, const DetourSettings *settings,
                         const char *key)
{
  const char *name = detour_settings_string (settings, key);
  g_autoptr (GPtrArray) names = NULL;

  if (name == NULL || detour_classes_find (config->classes, name) != NULL)
    return;
  names = g_ptr_array_new ();
  for (guint i = 0; i < config->classes->len; i++)
    g_ptr_array_add (names, ((const DetourClass *) config->classes->pdata[i])->name);
  detour_config_refuse_name (settings, key, "class", name, names);
}

static void
config_check_class (const DetourClass *class_)
{
  const DetourSettings *settings = class_->settings;

  config_check_quota (settings, &class_->options.quota);

  if (detour_settings_is_written (settings, "receive-burst")
      && !detour_settings_is_written (settings, "receive-rate")
      && !detour_settings_is_refused (settings, "receive-rate"))
    detour_settings_warn (settings, "receive-burst",
                          _ ("it has no effect without receive-rate in the same group"));
}

static void
config_check_instance (const DetourConfig *config, const DetourConfigInstance *instance)
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
      if (name == NULL && !detour_config_has_kind (config, DETOUR_KIND_CERT))
        detour_settings_warn (
            instance->settings, key->key,
            _ ("no [cert NAME] is enabled, so everyone is turned away here. A group "
               "[cert main] with plugin = selfsigned needs nothing else"));
      if (name != NULL && detour_config_find (config, id) == NULL)
        {
          g_autoptr (GPtrArray) names = detour_config_names_of_kind (config, DETOUR_KIND_CERT);

          detour_config_refuse_name (instance->settings, key->key, "cert", name, names);
        }
    }
}

/* ---- addresses ------------------------------------------------------------------------------- */

enum { NO_ADDRESS, ONE_ADDRESS, ALL_ADDRESSES };

/* An address that an instance listens on. */
typedef struct {
  const DetourConfigInstance *instance;
  const char *key;
  const char *text;
  DetourAddress address;
  gboolean udp;
  guint v4, v6; /* how much of each family it takes */
} Place;

/* How much of each family a listener binds: a wildcard leaves IPv4 to another entry of its list
 * that has an IPv4 address with the same port. */
static void
config_check_place_families (Place *self, const char *const *list)
{
  const DetourSettings *settings = self->instance->settings;
  DetourListenerFlags only = detour_settings_find_key (settings, "family") != NULL
                               ? detour_listener_family (settings)
                               : (DetourListenerFlags) 0;

  if (self->address.host[0] != '\0')
    {
      gboolean literal = g_hostname_is_ip_address (self->address.host);
      gboolean literal_v6 = literal && strchr (self->address.host, ':') != NULL;

      self->v4 = literal_v6                                  ? NO_ADDRESS
               : strcmp (self->address.host, "0.0.0.0") == 0 ? ALL_ADDRESSES
                                                             : ONE_ADDRESS;
      self->v6 = literal && !literal_v6 ? NO_ADDRESS : ONE_ADDRESS;
      return;
    }
  self->v4 = only == DETOUR_LISTENER_ONLY_IPV6 ? NO_ADDRESS : ALL_ADDRESSES;
  self->v6 = only == DETOUR_LISTENER_ONLY_IPV4 ? NO_ADDRESS : ALL_ADDRESSES;
  for (; self->v6 != NO_ADDRESS && *list != NULL; list++)
    {
      DetourAddress other;

      if (detour_address_parse (*list, &other, NULL) && other.port == self->address.port
          && other.host[0] != '\0' && strchr (other.host, ':') == NULL)
        self->v4 = NO_ADDRESS;
    }
}

static gboolean
config_check_places_meet (const Place *a, const Place *b)
{
  if (a->udp != b->udp)
    return FALSE;
  if (a->address.path[0] != '\0' || b->address.path[0] != '\0')
    return strcmp (a->address.path, b->address.path) == 0;
  if (a->address.port != b->address.port || a->address.port == 0)
    return FALSE;
  /* One takes all of a family, and the other a part of it. */
  return a->v4 + b->v4 > ALL_ADDRESSES || a->v6 + b->v6 > ALL_ADDRESSES
      || strcmp (a->address.host, b->address.host) == 0;
}

static void
config_check_place (GArray *places, const Place *place)
{
  for (guint i = 0; i < places->len; i++)
    {
      const Place *other = &g_array_index (places, Place, i);
      const char *file = NULL;
      guint line = 0;

      if (!config_check_places_meet (place, other))
        continue;
      detour_settings_origin (other->instance->settings, other->key, &file, &line);
      if (place->instance == other->instance)
        detour_settings_complain (place->instance->settings, place->key, _ ("%s is there twice"),
                                  place->text);
      else if (line > 0)
        detour_settings_complain (
            place->instance->settings, place->key,
            _ ("%s is taken already, by %s of [%s] on line %u of %s; only one can listen there"),
            place->text, other->text, detour_settings_group (other->instance->settings), line,
            file);
      else
        detour_settings_complain (
            place->instance->settings, place->key,
            _ ("%s is taken already, by %s of [%s]; only one can listen there"), place->text,
            other->text, detour_settings_group (other->instance->settings));
      return;
    }
}

static void
config_check_addresses (const DetourConfig *config)
{
  g_autoptr (GArray) listeners = detour_config_listeners (config);
  g_autoptr (GArray) places = g_array_new (FALSE, FALSE, sizeof (Place));

  for (guint i = 0; i < listeners->len; i++)
    {
      const DetourConfigListener *listener = &g_array_index (listeners, DetourConfigListener, i);
      Place place = { listener->instance, listener->key->key, listener->text,
                      .udp = listener->udp };
      const char *room[2];

      if (!detour_address_parse (listener->text, &place.address, NULL))
        continue;
      config_check_place_families (
          &place, detour_settings_values (listener->instance->settings, listener->key, room));
      config_check_place (places, &place);
      g_array_append_val (places, place);
    }
}

void
detour_config_check (const DetourConfig *config)
{
  config_check_core (config);
  config_check_limits (config);
  config_check_map (config);
  config_check_addresses (config);
  config_check_class_name (config, config->admission, "class");
  for (guint i = 0; i < config->tenants->len; i++)
    config_check_class_name (
        config, ((const DetourTenantGroup *) config->tenants->pdata[i])->settings, "class");
  for (guint i = 0; i < config->classes->len; i++)
    config_check_class (config->classes->pdata[i]);
  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (instance->enabled && instance->plugin != NULL)
        config_check_instance (config, instance);
    }
}
