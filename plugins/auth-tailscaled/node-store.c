/* node-store.c: the nodes that a tailscaled has vouched for, on disk.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "node-store.h"

#include <string.h>

#define FIRST_LINE "detour-nodes 1"

static void
node_store_add (const BusNode *node, gpointer data)
{
  GString *out = data;

  for (gsize i = 0; i < DETOUR_KEY_SIZE; i++)
    g_string_append_printf (out, "%02x", node->key[i]);
  g_string_append_printf (out, " %" G_GINT64_FORMAT " %s\n", node->id, node->stable);
}

GString *
node_store_format (const NodeTable *table, const char *socket)
{
  GString *out = g_string_sized_new (256 + 128 * (gsize) node_table_size (table));

  g_string_append_printf (out, FIRST_LINE "\n%s\n", socket);
  node_table_foreach (table, node_store_add, out);
  g_string_append_printf (out, "end %u\n", node_table_size (table));
  return out;
}

/* Ends the line at *@at and moves that behind it; NULL: there is no whole line. */
static char *
node_store_take_line (char **at)
{
  char *line = *at;
  char *end = strchr (line, '\n');

  if (end == NULL)
    return NULL;
  *end = '\0';
  *at = end + 1;
  return line;
}

/* "KEY ID STABLE" */
static gboolean
node_store_read_node (const char *line, BusNode *node)
{
  g_auto (GStrv) fields = g_strsplit (line, " ", 3);

  *node = (BusNode) { .has_key = TRUE };
  if (g_strv_length (fields) != 3 || !bus_node_read_key (fields[0], node->key)
      || strlen (fields[2]) >= sizeof node->stable
      || !g_ascii_string_to_signed (fields[1], 10, 1, G_MAXINT64, &node->id, NULL))
    return FALSE;
  g_strlcpy (node->stable, fields[2], sizeof node->stable);
  return TRUE;
}

gboolean
node_store_parse (const char *text, gsize len, const char *socket, NodeTable *table)
{
  g_autofree char *copy = g_strndup (text, len);
  g_autofree char *end = NULL;
  char *at = copy;
  const char *first = node_store_take_line (&at);
  const char *place = first != NULL ? node_store_take_line (&at) : NULL;
  char *line;

  if (place == NULL || strcmp (first, FIRST_LINE) != 0 || strcmp (place, socket) != 0)
    return FALSE;
  while ((line = node_store_take_line (&at)) != NULL && !g_str_has_prefix (line, "end "))
    {
      guint8 before[DETOUR_KEY_SIZE];
      BusNode node;

      if (!node_store_read_node (line, &node))
        return FALSE;
      node_table_put (table, &node, before);
    }
  end = g_strdup_printf ("end %u", node_table_size (table));
  return line != NULL && strcmp (line, end) == 0 && *at == '\0';
}

void
node_store_read (const char *path, const char *socket, NodeTable *table)
{
  g_auto (DetourFile) file = { 0 };

  if (detour_file_read (path, NODE_STORE_MAX,
                        DETOUR_FILE_PRIVATE | DETOUR_FILE_PROTECTED | DETOUR_FILE_OWNED, &file,
                        NULL))
    node_store_parse (file.data, file.len, socket, table);
}

gboolean
node_store_write (const char *path, const NodeTable *table, const char *socket, GError **error)
{
  g_autoptr (GString) text = node_store_format (table, socket);

  return g_file_set_contents_full (path, text->str, (gssize) text->len,
                                   G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                   0600, error);
}
