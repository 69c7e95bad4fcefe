/* device-list.c: reads the answers in which an API lists devices.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "device-list.h"

#include <json-glib/json-glib.h>
#include <string.h>

/* A text is cut behind so many bytes; no device has longer ones. */
#define TEXT_MAX 255u

static G_DEFINE_QUARK (device-list-error, device_list_error);

/* A piece of JSON that has been checked: nothing in it has to be doubted any more. */
typedef struct {
  const char *p, *end;
} Piece;

static const char *
device_list_skip_space (const char *p, const char *end)
{
  while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
    p++;
  return p;
}

/* Behind the string at @p. */
static const char *
device_list_skip_string (const char *p, const char *end)
{
  for (p++; p < end && *p != '"'; p++)
    p += *p == '\\';
  return MIN (p + 1, end);
}

/* Behind the value at @p. */
static const char *
device_list_skip_value (const char *p, const char *end)
{
  guint depth = 0;

  while (p < end)
    {
      char c = *p;

      if (c == '"')
        p = device_list_skip_string (p, end);
      else if (depth == 0 && strchr (",]} \t\r\n", c) != NULL)
        return p;
      else
        p++;
      depth += c == '{' || c == '[';
      depth -= c == '}' || c == ']';
      if (depth == 0 && (c == '"' || c == '}' || c == ']'))
        return p;
    }
  return p;
}

/* Takes the next value of the array, or the next member's name and value of the object, whose
 * inside begins at @rest. @name: NULL for an array. FALSE: there is none. */
static gboolean
device_list_next (Piece *rest, Piece *name, Piece *value)
{
  const char *p = device_list_skip_space (rest->p, rest->end);

  if (p < rest->end && *p == ',')
    p = device_list_skip_space (p + 1, rest->end);
  if (p >= rest->end || *p == ']' || *p == '}')
    return FALSE;
  if (name != NULL)
    {
      name->p = p;
      name->end = p = device_list_skip_string (p, rest->end);
      p = device_list_skip_space (p, rest->end);
      p = device_list_skip_space (p + 1, rest->end); /* the colon */
    }
  value->p = p;
  value->end = rest->p = device_list_skip_value (p, rest->end);
  return TRUE;
}

static gboolean
device_list_is (const Piece *piece, const char *text)
{
  gsize len = strlen (text);

  return (gsize) (piece->end - piece->p) == len && memcmp (piece->p, text, len) == 0;
}

/* Members ------------------------------------------------------------------------------------- */

/* NULL: absent or null. */
static JsonNode *
device_list_member (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);

  return node != NULL && !JSON_NODE_HOLDS_NULL (node) ? node : NULL;
}

static gboolean
device_list_holds (JsonNode *node, GType type)
{
  return JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == type;
}

/* "" when it is absent. FALSE: it is no string. */
static gboolean
device_list_get_string (JsonObject *object, const char *name, const char **out)
{
  JsonNode *node = device_list_member (object, name);

  *out = "";
  if (node == NULL)
    return TRUE;
  if (!device_list_holds (node, G_TYPE_STRING))
    return FALSE;
  *out = json_node_get_string (node);
  return TRUE;
}

static gboolean
device_list_get_bool (JsonObject *object, const char *name, gboolean fallback, gboolean *out)
{
  JsonNode *node = device_list_member (object, name);

  *out = fallback;
  if (node == NULL)
    return TRUE;
  if (!device_list_holds (node, G_TYPE_BOOLEAN))
    return FALSE;
  *out = json_node_get_boolean (node);
  return TRUE;
}

/* A time of RFC 3339 in Unix seconds; 0 for none, which Go writes as the year 1. */
static gboolean
device_list_get_time (JsonObject *object, const char *name, gint64 *out)
{
  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();
  g_autoptr (GDateTime) time = NULL;
  const char *text;

  *out = 0;
  if (!device_list_get_string (object, name, &text))
    return FALSE;
  if (*text == '\0')
    return TRUE;
  time = g_date_time_new_from_iso8601 (text, utc);
  if (time == NULL)
    return FALSE;
  *out = MAX (g_date_time_to_unix (time), 0);
  return TRUE;
}

/* Adds the tags of an array, each one once. A tag with a comma is none. */
static gboolean
device_list_add_tags (JsonObject *object, const char *name, GString *tags)
{
  JsonNode *node = device_list_member (object, name);
  JsonArray *array;

  if (node == NULL)
    return TRUE;
  if (!JSON_NODE_HOLDS_ARRAY (node))
    return FALSE;
  array = json_node_get_array (node);
  for (guint i = 0; i < json_array_get_length (array); i++)
    {
      JsonNode *element = json_array_get_element (array, i);
      const Device so_far = { .tags = tags->str };
      const char *tag;

      if (!device_list_holds (element, G_TYPE_STRING))
        return FALSE;
      tag = json_node_get_string (element);
      if (*tag == '\0' || strchr (tag, ',') != NULL || strlen (tag) > TEXT_MAX
          || device_has_tag (&so_far, tag))
        continue;
      g_string_append_printf (tags, "%s%s", tags->len > 0 ? "," : "", tag);
    }
  return TRUE;
}

/* The first one that is not empty, cut to what is kept. @ends: where it ends as well; "": nowhere.
 */
static const char *
device_list_choose (const char *first, const char *second, const char *third, const char *ends,
                    char out[TEXT_MAX + 1])
{
  const char *text = *first != '\0' ? first : *second != '\0' ? second : third;
  gsize len = strcspn (text, ends);
  const char *end;

  len = MIN (len, TEXT_MAX);
  /* Not in the middle of a character. */
  g_utf8_validate (text, (gssize) len, &end);
  len = (gsize) (end - text);
  memcpy (out, text, len);
  out[len] = '\0';
  return out;
}

/* The texts that a Device borrows until it is in the table. */
typedef struct {
  GString *tags;
  char id[TEXT_MAX + 1], name[TEXT_MAX + 1], owner[TEXT_MAX + 1];
} Texts;

/* A member of `devices`. */
static gboolean
device_list_read_device (JsonObject *object, Texts *texts, Device *device)
{
  const char *node_id, *id, *name, *hostname, *user;
  gboolean never;

  if (!device_list_get_string (object, "nodeId", &node_id)
      || !device_list_get_string (object, "id", &id)
      || !device_list_get_string (object, "name", &name)
      || !device_list_get_string (object, "hostname", &hostname)
      || !device_list_get_string (object, "user", &user)
      || !device_list_get_bool (object, "authorized", TRUE, &device->authorized)
      || !device_list_get_bool (object, "keyExpiryDisabled", FALSE, &never)
      || !device_list_get_time (object, "expires", &device->expires)
      || !device_list_add_tags (object, "tags", texts->tags))
    return FALSE;
  if (never)
    device->expires = 0;
  device->id = device_list_choose (node_id, id, "", "", texts->id);
  device->name = device_list_choose (name, hostname, "", ".", texts->name);
  device->owner = device_list_choose (user, "", "", "", texts->owner);
  return TRUE;
}

/* A member of `nodes`. */
static gboolean
device_list_read_node (JsonObject *object, Texts *texts, Device *device)
{
  JsonNode *user = device_list_member (object, "user");
  const char *id, *given, *name, *email = "", *login = "", *display = "";

  device->authorized = TRUE;
  if (!device_list_get_string (object, "id", &id)
      || !device_list_get_string (object, "givenName", &given)
      || !device_list_get_string (object, "name", &name)
      || !device_list_get_time (object, "expiry", &device->expires)
      || !device_list_add_tags (object, "tags", texts->tags)
      || !device_list_add_tags (object, "forcedTags", texts->tags)
      || !device_list_add_tags (object, "validTags", texts->tags)
      || (user != NULL && !JSON_NODE_HOLDS_OBJECT (user)))
    return FALSE;
  if (user != NULL
      && (!device_list_get_string (json_node_get_object (user), "email", &email)
          || !device_list_get_string (json_node_get_object (user), "name", &login)
          || !device_list_get_string (json_node_get_object (user), "displayName", &display)))
    return FALSE;
  device->id = device_list_choose (id, "", "", "", texts->id);
  device->name = device_list_choose (given, name, "", ".", texts->name);
  device->owner = device_list_choose (email, login, display, "", texts->owner);
  return TRUE;
}

typedef gboolean (*DeviceListRead) (JsonObject *object, Texts *texts, Device *device);

static gboolean
device_list_read_entry (JsonParser *parser, const Piece *entry, DeviceListRead read, Texts *texts,
                        Device *device)
{
  JsonNode *root;
  const char *key;

  if (!json_parser_load_from_data (parser, entry->p, entry->end - entry->p, NULL))
    return FALSE;
  root = json_parser_get_root (parser);
  return root != NULL && JSON_NODE_HOLDS_OBJECT (root)
      && device_list_get_string (json_node_get_object (root), "nodeKey", &key)
      && device_parse_key (key, device->key) && read (json_node_get_object (root), texts, device);
}

/* One entry is read at a time, so that a long list does not have to be in memory as a tree. */
static DeviceTable *
device_list_read_all (Piece entries, DeviceListRead read, GCancellable *cancellable,
                      guint *n_skipped, GError **error)
{
  g_autoptr (DeviceTable) table = device_table_new ();
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GString) tags = g_string_new (NULL);
  Texts texts = { .tags = tags };
  Piece entry;

  while (device_list_next (&entries, NULL, &entry))
    {
      Device device = { 0 };

      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return NULL;
      g_string_truncate (tags, 0);
      device.tags = "";
      if (!device_list_read_entry (parser, &entry, read, &texts, &device))
        {
          ++*n_skipped;
          continue;
        }
      device.tags = tags->str;
      if (!device_table_add (table, &device))
        {
          g_set_error (error, device_list_error_quark (), 0, "it lists more than %u devices",
                       DEVICE_TABLE_MAX);
          return NULL;
        }
    }
  device_table_seal (table);
  if (*n_skipped > device_table_size (table))
    {
      g_set_error (error, device_list_error_quark (), 0,
                   "%u of its entries cannot be read: they have no node key, or members of wrong "
                   "types",
                   *n_skipped);
      return NULL;
    }
  return g_steal_pointer (&table);
}

/* Neither API has pages. If one should get them, a part of the list must not be taken for the
 * whole. */
static gboolean
device_list_means_more (const Piece *name, const Piece *value)
{
  static const char *const names[] = { "\"nextPageToken\"", "\"nextCursor\"", "\"nextPage\"",
                                       "\"cursor\"", "\"next\"" };

  if (device_list_is (value, "null") || device_list_is (value, "\"\"")
      || device_list_is (value, "false"))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (device_list_is (name, names[i]))
      return TRUE;
  return FALSE;
}

DeviceTable *
device_list_parse (const char *text, gsize len, GCancellable *cancellable, guint *n_skipped,
                   GError **error)
{
  Piece rest = { text, text + len }, name, value, entries = { NULL, NULL };
  DeviceListRead read = NULL;

  *n_skipped = 0;
  if (!detour_json_check (text, len, DEVICE_LIST_MAX, error))
    {
      g_prefix_error (error, "it is not JSON: ");
      return NULL;
    }
  rest.p = device_list_skip_space (rest.p, rest.end);
  if (*rest.p != '{')
    {
      g_set_error (error, device_list_error_quark (), 0, "it is JSON, but not an object");
      return NULL;
    }
  rest.p++;
  while (device_list_next (&rest, &name, &value))
    {
      gboolean devices = device_list_is (&name, "\"devices\"");

      if (device_list_means_more (&name, &value))
        {
          g_set_error (error, device_list_error_quark (), 0,
                       "it is one page of a list, and this version reads no pages");
          return NULL;
        }
      if (!devices && !device_list_is (&name, "\"nodes\""))
        continue;
      if (read != NULL || *value.p != '[')
        {
          g_set_error (error, device_list_error_quark (), 0, "%.*s is %s",
                       (int) (name.end - name.p), name.p,
                       read != NULL ? "there twice" : "not an array");
          return NULL;
        }
      read = devices ? device_list_read_device : device_list_read_node;
      entries = (Piece) { value.p + 1, value.end };
    }
  if (read == NULL)
    {
      g_set_error (error, device_list_error_quark (), 0,
                   "it has neither \"devices\" nor \"nodes\"");
      return NULL;
    }
  return device_list_read_all (entries, read, cancellable, n_skipped, error);
}
