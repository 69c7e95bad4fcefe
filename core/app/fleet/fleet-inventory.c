/* fleet-inventory.c: reads the file that names the relays of a fleet and how each is reached.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-inventory.h"

#include <gio/gio.h>
#include <string.h>

#include "detour-config-file.h"
#include "detour-config-value.h"
#include "detour-nearest.h"

#define RELAYS_MAX 1000u
/* Of the name of a relay, as tables have a column for it. */
#define NAME_MAX_BYTES 64u
#define REGION_MAX     65535u

enum { FLEET_PARALLEL, FLEET_N };
static const DetourConfigKey fleet_keys[] = {
  [FLEET_PARALLEL] = { "parallel", DETOUR_CONFIG_UINT, "8", 1, 64,
                       "relays that are asked at once" },
  { NULL },
};

enum { REGION_CODE, REGION_NAME, REGION_N };
static const DetourConfigKey region_keys[] = {
  [REGION_CODE] = { "code", DETOUR_CONFIG_STRING, NULL, 0, 0, "short name of the region" },
  [REGION_NAME] = { "name", DETOUR_CONFIG_STRING, NULL, 0, 0, "long name of the region" },
  { NULL },
};

enum {
  RELAY_REGION,
  RELAY_SOCKET,
  RELAY_SSH,
  RELAY_COMMAND,
  RELAY_NODE,
  RELAY_HOSTNAME,
  RELAY_IPV4,
  RELAY_IPV6,
  RELAY_N,
};
static const DetourConfigKey relay_keys[] = {
  [RELAY_REGION] = { "region", DETOUR_CONFIG_UINT, NULL, 1, REGION_MAX, "number of its region" },
  [RELAY_SOCKET] = { "socket", DETOUR_CONFIG_PATH, NULL, 0, 0, "control socket on this host" },
  [RELAY_SSH] = { "ssh", DETOUR_CONFIG_STRING, NULL, 0, 0, "where ssh connects to" },
  [RELAY_COMMAND] = { "command", DETOUR_CONFIG_STRING, NULL, 0, 0,
                      "program that runs detourctl there" },
  [RELAY_NODE] = { "node", DETOUR_CONFIG_STRING, NULL, 0, 0, "name of the node in the map" },
  [RELAY_HOSTNAME] = { "hostname", DETOUR_CONFIG_STRING, NULL, 0, 0, "name in the map" },
  [RELAY_IPV4] = { "ipv4", DETOUR_CONFIG_STRING, NULL, 0, 0, "IPv4 address in the map" },
  [RELAY_IPV6] = { "ipv6", DETOUR_CONFIG_STRING, NULL, 0, 0, "IPv6 address in the map" },
  { NULL },
};

enum { HEADSCALE_FILE, HEADSCALE_FORMAT, HEADSCALE_N };
static const DetourConfigKey headscale_keys[] = {
  [HEADSCALE_FILE] = { "file", DETOUR_CONFIG_PATH, NULL, 0, 0, "file that Headscale reads" },
  [HEADSCALE_FORMAT] = { "format", DETOUR_CONFIG_ENUM, "headscale", 0, 0, "its form", 0,
                         "headscale|json" },
  { NULL },
};

enum {
  TAILSCALE_URL,
  TAILSCALE_TAILNET,
  TAILSCALE_CLIENT_ID,
  TAILSCALE_SECRET,
  TAILSCALE_KEY,
  TAILSCALE_CA,
  TAILSCALE_N,
};
static const DetourConfigKey tailscale_keys[] = {
  [TAILSCALE_URL] = { "url", DETOUR_CONFIG_STRING, "https://api.tailscale.com", 0, 0,
                      "where the API is" },
  [TAILSCALE_TAILNET] = { "tailnet", DETOUR_CONFIG_STRING, "-", 0, 0, "whose policy it is" },
  [TAILSCALE_CLIENT_ID] = { "client-id", DETOUR_CONFIG_STRING, NULL, 0, 0, "of an OAuth client" },
  [TAILSCALE_SECRET] = { "client-secret-file", DETOUR_CONFIG_PATH, NULL, 0, 0,
                         "secret of an OAuth client" },
  [TAILSCALE_KEY] = { "key-file", DETOUR_CONFIG_PATH, NULL, 0, 0, "API key instead of a client" },
  [TAILSCALE_CA] = { "ca-file", DETOUR_CONFIG_PATH, NULL, 0, 0, "authorities to trust" },
  { NULL },
};

#define VALUES_MAX RELAY_N
G_STATIC_ASSERT ((int) TAILSCALE_N <= (int) VALUES_MAX);

/* Values of one group by the places of their keys. */
typedef struct {
  const DetourConfigEntry *entries[VALUES_MAX]; /* NULL: not written */
  DetourConfigValue values[VALUES_MAX];
} Values;

typedef struct {
  Fleet *fleet;
  const char *file;
  const DetourConfigGroup *group;
  DetourConfigErrors *errors;
} Reader;

/* One fault of the group that is read; @entry: (nullable) */
static void fleet_inventory_fault (const Reader *reader, const DetourConfigEntry *entry,
                                   const char *format, ...) G_GNUC_PRINTF (3, 4);

static void
fleet_inventory_fault (const Reader *reader, const DetourConfigEntry *entry, const char *format,
                       ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  detour_config_errors_add (reader->errors, reader->file,
                            entry != NULL ? entry->line : reader->group->line, reader->group->name,
                            entry != NULL ? entry->key : NULL, "%s", text);
}

/* Values ----------------------------------------------------------------------------------------
 */

static void
fleet_inventory_clear_values (Values *values)
{
  for (guint i = 0; i < VALUES_MAX; i++)
    detour_config_value_clear (&values->values[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Values, fleet_inventory_clear_values)

static void
fleet_inventory_refuse_key (const Reader *reader, const DetourConfigKey *keys,
                            const DetourConfigEntry *entry)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_autofree char *all = NULL;
  const char *nearest;

  for (const DetourConfigKey *key = keys; key->key != NULL; key++)
    g_ptr_array_add (names, (gpointer) key->key);
  g_ptr_array_add (names, NULL);
  nearest = detour_nearest_key (entry->key, (const char *const *) names->pdata);
  all = g_strjoinv (", ", (char **) names->pdata);
  if (nearest != NULL)
    fleet_inventory_fault (reader, entry, "no such key; did you mean \"%s\"?", nearest);
  else
    fleet_inventory_fault (reader, entry, "no such key; there are %s", all);
}

/* What is absent has its fallback. */
static void
fleet_inventory_read_values (const Reader *reader, const DetourConfigKey *keys, Values *out)
{
  for (guint i = 0; keys[i].key != NULL; i++)
    if (keys[i].fallback != NULL
        && !detour_config_value_parse (&keys[i], keys[i].fallback, &out->values[i], NULL))
      g_assert_not_reached ();
  for (guint i = 0; i < reader->group->entries->len; i++)
    {
      const DetourConfigEntry *entry = &g_array_index (reader->group->entries, DetourConfigEntry,
                                                       i);
      g_autoptr (GError) error = NULL;
      guint at = 0;

      while (keys[at].key != NULL && strcmp (keys[at].key, entry->key) != 0)
        at++;
      if (keys[at].key == NULL)
        {
          fleet_inventory_refuse_key (reader, keys, entry);
          continue;
        }
      detour_config_value_clear (&out->values[at]);
      out->entries[at] = entry;
      if (!detour_config_value_parse (&keys[at], entry->value, &out->values[at], &error))
        fleet_inventory_fault (reader, entry, "%s", error->message);
    }
}

/* A text that is not empty; NULL: none, or its fault is known. */
static char *
fleet_inventory_take_text (const Reader *reader, Values *values, guint at)
{
  const char *text = values->values[at].string;

  if (text == NULL)
    return NULL;
  if (*text == '\0')
    {
      fleet_inventory_fault (reader, values->entries[at], "is empty; expected a text");
      return NULL;
    }
  return g_strdup (text);
}

/* Groups ----------------------------------------------------------------------------------------
 */

static void
fleet_inventory_relay_free (gpointer data)
{
  FleetRelay *self = data;

  g_free (self->name);
  g_free (self->socket);
  g_free (self->ssh);
  g_strfreev (self->command);
  g_free (self->node);
  g_free (self->host_name);
  g_free (self->ipv4);
  g_free (self->ipv6);
  g_free (self);
}

static void
fleet_inventory_region_free (gpointer data)
{
  FleetRegion *self = data;

  g_free (self->code);
  g_free (self->name);
  g_free (self);
}

/* ssh would take `-x` for an option, and a blank for the end of the name. */
static gboolean
fleet_inventory_is_destination (const char *text)
{
  if (*text == '-')
    return FALSE;
  for (const char *p = text; *p != '\0'; p++)
    if (!g_ascii_isgraph (*p) || strchr ("'\"\\`$;&|<>()*?!#{}", *p) != NULL)
      return FALSE;
  return TRUE;
}

static void
fleet_inventory_check_address (const Reader *reader, const Values *values, guint at,
                               GSocketFamily family)
{
  const char *text = values->values[at].string;
  g_autoptr (GInetAddress) address = NULL;

  if (values->entries[at] == NULL || text == NULL || strcmp (text, "none") == 0)
    return;
  address = g_inet_address_new_from_string (text);
  if (address != NULL && g_inet_address_get_family (address) == family)
    return;
  fleet_inventory_fault (reader, values->entries[at],
                         "\"%s\" is no such address; write one, or none", text);
}

static void
fleet_inventory_read_way (const Reader *reader, Values *values, FleetRelay *relay)
{
  const DetourConfigEntry *command = values->entries[RELAY_COMMAND],
                          *ssh = values->entries[RELAY_SSH];
  guint n = (values->entries[RELAY_SOCKET] != NULL) + (ssh != NULL) + (command != NULL);
  g_autoptr (GError) error = NULL;

  if (n != 1)
    {
      fleet_inventory_fault (reader, NULL,
                             "%s of socket, ssh and command; expected one, which says how the "
                             "relay is reached",
                             n == 0 ? "none" : "more than one");
      return;
    }
  relay->socket = fleet_inventory_take_text (reader, values, RELAY_SOCKET);
  relay->ssh = fleet_inventory_take_text (reader, values, RELAY_SSH);
  if (relay->ssh != NULL && !fleet_inventory_is_destination (relay->ssh))
    fleet_inventory_fault (reader, ssh,
                           "\"%s\" is nothing that ssh connects to; expected user@host, or "
                           "ssh://user@host:2222",
                           relay->ssh);
  if (command != NULL && values->values[RELAY_COMMAND].string != NULL
      && !g_shell_parse_argv (values->values[RELAY_COMMAND].string, NULL, &relay->command, &error))
    fleet_inventory_fault (reader, command,
                           "\"%s\" cannot be taken apart into words: %s; expected a program and "
                           "its arguments, as in ssh -p 2222 relay2 detourctl",
                           values->values[RELAY_COMMAND].string, error->message);
}

static void
fleet_inventory_read_relay (const Reader *reader, const char *name)
{
  g_auto (Values) values = { 0 };
  FleetRelay *relay = g_new0 (FleetRelay, 1);

  relay->name = g_strdup (name);
  relay->line = reader->group->line;
  g_ptr_array_add (reader->fleet->relays, relay);
  fleet_inventory_read_values (reader, relay_keys, &values);
  if (strpbrk (name, " \t=") != NULL || *name == '#' || *name == '-')
    fleet_inventory_fault (reader, NULL,
                           "the name of a relay is one word, which begins with neither # nor -");
  if (strlen (name) > NAME_MAX_BYTES)
    fleet_inventory_fault (reader, NULL,
                           "the name has %" G_GSIZE_FORMAT " bytes; expected %u at most",
                           strlen (name), NAME_MAX_BYTES);
  fleet_inventory_read_way (reader, &values, relay);
  if (values.entries[RELAY_REGION] == NULL)
    fleet_inventory_fault (reader, NULL,
                           "region is missing; expected the number of the relay's region in the "
                           "DERP map, 900 to 999 for relays of one's own");
  relay->region = values.values[RELAY_REGION].number;
  relay->node = fleet_inventory_take_text (reader, &values, RELAY_NODE);
  relay->host_name = fleet_inventory_take_text (reader, &values, RELAY_HOSTNAME);
  fleet_inventory_check_address (reader, &values, RELAY_IPV4, G_SOCKET_FAMILY_IPV4);
  fleet_inventory_check_address (reader, &values, RELAY_IPV6, G_SOCKET_FAMILY_IPV6);
  relay->ipv4 = fleet_inventory_take_text (reader, &values, RELAY_IPV4);
  relay->ipv6 = fleet_inventory_take_text (reader, &values, RELAY_IPV6);
}

static void
fleet_inventory_read_region (const Reader *reader, const char *number)
{
  g_auto (Values) values = { 0 };
  const FleetRegion *before;
  FleetRegion *region;
  guint64 id = 0;

  fleet_inventory_read_values (reader, region_keys, &values);
  if (!g_ascii_string_to_unsigned (number, 10, 1, REGION_MAX, &id, NULL))
    {
      fleet_inventory_fault (reader, NULL,
                             "\"%s\" is no number of a region; expected one from 1 to %u", number,
                             REGION_MAX);
      return;
    }
  before = fleet_inventory_region (reader->fleet, id);
  if (before != NULL)
    fleet_inventory_fault (reader, NULL, "this region is already on line %u; a file has it once",
                           before->line);
  region = g_new0 (FleetRegion, 1);
  region->id = id;
  region->line = reader->group->line;
  region->code = fleet_inventory_take_text (reader, &values, REGION_CODE);
  region->name = fleet_inventory_take_text (reader, &values, REGION_NAME);
  g_ptr_array_add (reader->fleet->regions, region);
}

static void
fleet_inventory_read_fleet (const Reader *reader)
{
  g_auto (Values) values = { 0 };

  fleet_inventory_read_values (reader, fleet_keys, &values);
  reader->fleet->parallel = (guint) values.values[FLEET_PARALLEL].number;
}

static void
fleet_inventory_read_headscale (const Reader *reader)
{
  g_auto (Values) values = { 0 };
  FleetHeadscale *headscale = &reader->fleet->headscale;

  fleet_inventory_read_values (reader, headscale_keys, &values);
  headscale->file = fleet_inventory_take_text (reader, &values, HEADSCALE_FILE);
  headscale->is_json = g_strcmp0 (values.values[HEADSCALE_FORMAT].string, "json") == 0;
  if (values.entries[HEADSCALE_FILE] == NULL)
    fleet_inventory_fault (reader, NULL,
                           "file is missing; expected the path of a file that stands in derp.paths "
                           "of Headscale");
}

static void
fleet_inventory_read_tailscale (const Reader *reader)
{
  g_auto (Values) values = { 0 };
  FleetTailscale *tailscale = &reader->fleet->tailscale;

  fleet_inventory_read_values (reader, tailscale_keys, &values);
  tailscale->url = fleet_inventory_take_text (reader, &values, TAILSCALE_URL);
  tailscale->tailnet = fleet_inventory_take_text (reader, &values, TAILSCALE_TAILNET);
  tailscale->client_id = fleet_inventory_take_text (reader, &values, TAILSCALE_CLIENT_ID);
  tailscale->client_secret_file = fleet_inventory_take_text (reader, &values, TAILSCALE_SECRET);
  tailscale->key_file = fleet_inventory_take_text (reader, &values, TAILSCALE_KEY);
  tailscale->ca_file = fleet_inventory_take_text (reader, &values, TAILSCALE_CA);
  if ((values.entries[TAILSCALE_SECRET] != NULL) == (values.entries[TAILSCALE_KEY] != NULL))
    fleet_inventory_fault (reader, NULL,
                           "expected client-secret-file with client-id (an OAuth client with the "
                           "scope policy_file), or key-file (an API key)");
  if (tailscale->url != NULL && !g_str_has_prefix (tailscale->url, "https://")
      && !g_str_has_prefix (tailscale->url, "http://127.0.0.1:"))
    fleet_inventory_fault (reader, values.entries[TAILSCALE_URL],
                           "\"%s\" is no address that a secret is sent to; expected https://HOST",
                           tailscale->url);
}

static void
fleet_inventory_read_group (const Reader *reader)
{
  const char *name = reader->group->name;

  if (strcmp (name, "fleet") == 0)
    fleet_inventory_read_fleet (reader);
  else if (strcmp (name, "headscale") == 0)
    fleet_inventory_read_headscale (reader);
  else if (strcmp (name, "tailscale") == 0)
    fleet_inventory_read_tailscale (reader);
  else if (g_str_has_prefix (name, "relay "))
    fleet_inventory_read_relay (reader, name + strlen ("relay "));
  else if (g_str_has_prefix (name, "region "))
    fleet_inventory_read_region (reader, name + strlen ("region "));
  else
    fleet_inventory_fault (reader, NULL,
                           "no such group; expected [fleet], [headscale], [tailscale], [region "
                           "NUMBER] or [relay NAME]");
}

/* All of it -------------------------------------------------------------------------------------
 */

/* What no group alone can have wrong. */
static void
fleet_inventory_check (const Fleet *self, DetourConfigErrors *errors)
{
  if (self->relays->len == 0)
    detour_config_errors_add (errors, self->path, 0, NULL, NULL,
                              "no relay; expected a group [relay NAME] for each");
  if (self->relays->len > RELAYS_MAX)
    detour_config_errors_add (errors, self->path, 0, NULL, NULL, "%u relays; expected %u at most",
                              self->relays->len, RELAYS_MAX);
  for (guint i = 0; i < self->regions->len; i++)
    {
      const FleetRegion *region = self->regions->pdata[i];
      gboolean is_used = FALSE;

      for (guint k = 0; k < self->relays->len; k++)
        is_used |= ((const FleetRelay *) self->relays->pdata[k])->region == region->id;
      if (!is_used)
        {
          g_autofree char *group = g_strdup_printf ("region %" G_GUINT64_FORMAT, region->id);

          detour_config_errors_add (errors, self->path, region->line, group, NULL,
                                    "no relay is in this region; expected one with region = "
                                    "%" G_GUINT64_FORMAT,
                                    region->id);
        }
    }
}

static Fleet *
fleet_inventory_take (DetourConfigFile *file, DetourConfigErrors *errors)
{
  g_autoptr (Fleet) self = g_new0 (Fleet, 1);

  self->path = g_strdup (file->name);
  self->relays = g_ptr_array_new_with_free_func (fleet_inventory_relay_free);
  self->regions = g_ptr_array_new_with_free_func (fleet_inventory_region_free);
  self->parallel = (guint) g_ascii_strtoull (fleet_keys[FLEET_PARALLEL].fallback, NULL, 10);
  for (guint i = 0; i < file->groups->len; i++)
    {
      const Reader reader = { self, file->name, file->groups->pdata[i], errors };

      fleet_inventory_read_group (&reader);
    }
  fleet_inventory_check (self, errors);
  return detour_config_errors_count (errors) == 0 ? g_steal_pointer (&self) : NULL;
}

Fleet *
fleet_inventory_parse (const char *name, const char *data, gsize len, DetourConfigErrors *errors)
{
  g_autoptr (DetourConfigFile) file = NULL;

  detour_config_errors_add_file (errors, name);
  file = detour_config_file_parse (name, data, len, errors);
  return !file->is_unread ? fleet_inventory_take (file, errors) : NULL;
}

Fleet *
fleet_inventory_load (const char *path, DetourConfigErrors *errors)
{
  g_autoptr (DetourConfigFile) file = NULL;

  detour_config_errors_add_file (errors, path);
  file = detour_config_file_load (path, errors);
  return !file->is_unread ? fleet_inventory_take (file, errors) : NULL;
}

void
fleet_inventory_free (Fleet *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->relays);
  g_ptr_array_unref (self->regions);
  g_free (self->headscale.file);
  g_free (self->tailscale.url);
  g_free (self->tailscale.tailnet);
  g_free (self->tailscale.client_id);
  g_free (self->tailscale.client_secret_file);
  g_free (self->tailscale.key_file);
  g_free (self->tailscale.ca_file);
  g_free (self->path);
  g_free (self);
}

const FleetRelay *
fleet_inventory_relay (const Fleet *self, const char *name)
{
  for (guint i = 0; i < self->relays->len; i++)
    {
      const FleetRelay *relay = self->relays->pdata[i];

      if (strcmp (relay->name, name) == 0)
        return relay;
    }
  return NULL;
}

const FleetRegion *
fleet_inventory_region (const Fleet *self, guint64 id)
{
  for (guint i = 0; i < self->regions->len; i++)
    {
      const FleetRegion *region = self->regions->pdata[i];

      if (region->id == id)
        return region;
    }
  return NULL;
}

GStrv
fleet_inventory_way (const FleetRelay *relay, const char *own, gint64 limit_ms)
{
  g_autoptr (GStrvBuilder) words = g_strv_builder_new ();

  if (relay->ssh != NULL)
    {
      g_autofree char *limit = g_strdup_printf ("ConnectTimeout=%" G_GINT64_FORMAT,
                                                limit_ms > 0 ? (limit_ms + 999) / 1000 : 60);

      /* Nobody is there to be asked for a password. */
      g_strv_builder_add_many (words, "ssh", "-o", "BatchMode=yes", "-o", limit, "--", relay->ssh,
                               "detourctl", NULL);
    }
  else if (relay->command != NULL)
    {
      g_strv_builder_addv (words, (const char **) relay->command);
    }
  else
    {
      g_strv_builder_add_many (words, own, "--socket", relay->socket, NULL);
    }
  return g_strv_builder_end (words);
}
