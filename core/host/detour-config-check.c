/* detour-config-check.c: checks of a whole configuration: names, files, and addresses used twice.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-check.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "detour-address.h"
#include "detour-nearest.h"
#include "detour-rate-config.h"
#include "detour-server-key.h"

/* Adds an error about @key at the place where its value was written. */
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

/* A missing key file is no error, because the daemon makes it as it starts. */
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

static gboolean
config_check_is_host (const char *name)
{
  g_autofree char *as_address = g_strdup_printf (strchr (name, ':') != NULL ? "[%s]:0" : "%s:0",
                                                 name);
  DetourAddress address;

  return name[0] != '\0' && detour_address_parse (as_address, &address, NULL);
}

/* Clients compare this name with certificates and look it up, so it has to be the bare name. */
static void
config_check_hostname (const DetourConfig *config, DetourConfigErrors *errors)
{
  const char *written = config->options.core.hostname;
  g_autofree char *bare = config_check_bare_name (written);
  g_autofree char *ascii = g_utf8_validate (bare, -1, NULL) ? g_hostname_to_ascii (bare) : NULL;
  g_autofree char *quoted = detour_config_quote (written);

  if (ascii == NULL || !config_check_is_host (ascii))
    config_check_complain (
        errors, config->core, "hostname",
        _ ("\"%s\" is neither a host name nor an address; write relay.example.com or "
           "203.0.113.5"),
        quoted);
  else if (!g_str_is_ascii (bare))
    config_check_complain (
        errors, config->core, "hostname",
        _ ("\"%s\" has letters that DNS and certificates write in another way; write %s"), quoted,
        ascii);
  else if (strcmp (bare, written) != 0)
    config_check_complain (errors, config->core, "hostname",
                           _ ("\"%s\" is more than a name; write it alone, without scheme, port, "
                              "path and a dot at the "
                              "end: %s"),
                           quoted, bare);
}

static void
config_check_core (const DetourConfig *config, DetourConfigErrors *errors)
{
  if (config->options.core.hostname != NULL)
    config_check_hostname (config, errors);
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

/* Says that there is no [cert @name], and which ones there are. */
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

static gboolean
config_check_has_cert (const DetourConfig *config)
{
  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (instance->kind == DETOUR_KIND_CERT && instance->enabled && instance->plugin != NULL)
        return TRUE;
    }
  return FALSE;
}

static void
config_check_instance (const DetourConfig *config, const DetourConfigInstance *instance,
                       DetourConfigErrors *errors)
{
  detour_settings_set_errors (instance->settings, errors);
  for (const DetourConfigKey *key = instance->plugin->config; key != NULL && key->key != NULL;
       key++)
    {
      g_autofree char *id = NULL;
      const char *name;

      if ((key->flags & DETOUR_CONFIG_CERT) == 0)
        continue;
      name = detour_settings_string (instance->settings, key->key);
      id = g_strconcat ("cert/", name, NULL);
      if (name == NULL && !config_check_has_cert (config))
        detour_settings_warn (
            instance->settings, key->key,
            _ ("no [cert NAME] is enabled, so everyone is turned away here. A group "
               "[cert main] with plugin = selfsigned needs nothing else"));
      if (name != NULL && detour_config_find (config, id) == NULL)
        config_check_refuse_cert (config, instance->settings, key->key, name, errors);
    }
  detour_settings_set_errors (instance->settings, NULL);
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
config_check_place (GArray *places, const Place *place, DetourConfigErrors *errors)
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
        config_check_complain (errors, place->instance->settings, place->key,
                               _ ("%s is there twice"), place->text);
      else if (file != NULL)
        config_check_complain (
            errors, place->instance->settings, place->key,
            _ ("%s is taken already, by %s of [%s] on line %u of %s; only one can listen there"),
            place->text, other->text, detour_settings_group (other->instance->settings), line,
            file);
      else
        config_check_complain (errors, place->instance->settings, place->key,
                               _ ("%s is taken already, by %s of [%s]; only one can listen there"),
                               place->text, other->text,
                               detour_settings_group (other->instance->settings));
      return;
    }
}

static void
config_check_places_of (const DetourConfigInstance *instance, const DetourConfigKey *key,
                        GArray *places, DetourConfigErrors *errors)
{
  const char *one[] = { NULL, NULL };
  const char *const *list = one;

  if ((key->flags & DETOUR_CONFIG_LIST) != 0)
    list = detour_settings_list (instance->settings, key->key);
  else
    one[0] = detour_settings_string (instance->settings, key->key);
  for (guint i = 0; list[i] != NULL; i++)
    {
      Place place = { instance, key->key, list[i],
                      .udp = (key->flags & DETOUR_CONFIG_LISTEN_UDP) != 0 };

      if (!detour_address_parse (list[i], &place.address, NULL))
        continue;
      config_check_place_families (&place, list);
      config_check_place (places, &place, errors);
      g_array_append_val (places, place);
    }
}

static void
config_check_addresses (const DetourConfig *config, DetourConfigErrors *errors)
{
  g_autoptr (GArray) places = g_array_new (FALSE, FALSE, sizeof (Place));

  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (!instance->enabled || instance->plugin == NULL)
        continue;
      for (const DetourConfigKey *key = instance->plugin->config; key != NULL && key->key != NULL;
           key++)
        if ((key->flags & (DETOUR_CONFIG_LISTEN_TCP | DETOUR_CONFIG_LISTEN_UDP)) != 0)
          config_check_places_of (instance, key, places, errors);
    }
}

void
detour_config_check (const DetourConfig *config, DetourConfigErrors *errors)
{
  config_check_core (config, errors);
  config_check_limits (config, errors);
  config_check_addresses (config, errors);
  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (instance->enabled && instance->plugin != NULL)
        config_check_instance (config, instance, errors);
    }
}
