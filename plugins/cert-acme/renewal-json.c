/* renewal-json.c: objects of JSON that came from a file or from the client program, of which
 * nothing is certain.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-json.h"

#include <gio/gio.h>

#include "detour-plugin.h"

JsonObject *
renewal_json_parse (const char *text, gsize len, gsize len_max, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  JsonNode *root;

  if (!detour_json_check (text, len, len_max, error)
      || !json_parser_load_from_data (parser, text, (gssize) len, error))
    return NULL;
  root = json_parser_get_root (parser);
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "no object of JSON");
      return NULL;
    }
  return json_object_ref (json_node_get_object (root));
}

const char *
renewal_json_text (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node)
      || json_node_get_value_type (node) != G_TYPE_STRING)
    return NULL;
  return json_node_get_string (node);
}

gint64
renewal_json_int (JsonObject *object, const char *name, gint64 min, gint64 max)
{
  JsonNode *node = json_object_get_member (object, name);
  gint64 value;

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node)
      || json_node_get_value_type (node) != G_TYPE_INT64)
    return 0;
  value = json_node_get_int (node);
  return value >= min && value <= max ? value : 0;
}

void
renewal_json_put (JsonObject *object, const char *name, const char *text)
{
  if (text != NULL)
    json_object_set_string_member (object, name, text);
}
