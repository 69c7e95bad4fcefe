/* test-bus-reader.c: what tailscaled tells unasked, whole and in pieces, long and broken.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus-reader.h"

#include <string.h>

#include "node-store.h"

#define KEY   "abababababababababababababababababababababababababababababababab"
#define NULLS "\"ErrMessage\":null,\"LoginFinished\":null,\"Prefs\":null,\"BrowseToURL\":null"

static void
on_node (gpointer user, const BusNode *node)
{
  g_string_append_printf (user, "node %" G_GINT64_FORMAT " %s%s%s;", node->id,
                          node->stable[0] != '\0' ? node->stable : "-", node->has_key ? " key" : "",
                          node->is_expired ? " expired" : "");
  g_assert_true (!node->has_key || node->key[0] == 0xab);
}

static void
on_removed (gpointer user, gint64 id)
{
  g_string_append_printf (user, "removed %" G_GINT64_FORMAT ";", id);
}

static void
on_map (gpointer user, gboolean begins)
{
  g_string_append (user, begins ? "map " : "end;");
}

static void
on_state (gpointer user)
{
  g_string_append (user, "state;");
}

static const BusReaderFuncs funcs = { on_node, on_removed, on_map, on_state };

static const struct {
  const char *path;
  const char *stream;
  const char *told; /* "broken" at the end: nothing after it is read */
} cases[] = {
  { "/bus-reader/nothing", "", "" },
  { "/bus-reader/all-null", "{\"Version\":\"1.104.7\",\"State\":null,\"NetMap\":null," NULLS "}\n",
    "" },
  { "/bus-reader/state", "{\"State\":6," NULLS "}\n{\"State\":4}\n", "state;state;" },
  { "/bus-reader/removed", "{\"PeersRemoved\":[3,40000000000]}", "removed 3;removed 40000000000;" },
  { "/bus-reader/removed-null", "{\"PeersRemoved\":null}", "" },
  { "/bus-reader/removed-by-nonsense", "{\"PeersRemoved\":[\"3\",-1,1e3,[5],{\"ID\":6},0]}", "" },
  { "/bus-reader/changed",
    "{\"PeersChanged\":[{\"ID\":7,\"StableID\":\"n7\",\"Key\":\"nodekey:" KEY
    "\",\"Tags\":[\"x\"]},"
    "{\"Key\":\"nodekey:" KEY "\",\"ID\":8}]}",
    "node 7 n7 key;node 8 - key;" },
  { "/bus-reader/expired",
    "{\"PeersChanged\":[{\"ID\":7,\"Key\":\"nodekey-expired:" KEY "\",\"Expired\":true}]}",
    "node 7 - expired;" },
  { "/bus-reader/members-of-members",
    "{\"PeersChanged\":[{\"ID\":7,\"Hostinfo\":{\"ID\":9,\"Key\":\"nodekey:" KEY
    "\",\"Expired\":true},\"List\":[{\"ID\":10}]}]}",
    "node 7 -;" },
  { "/bus-reader/elsewhere",
    "{\"Prefs\":{\"PeersRemoved\":[1],\"State\":2,\"ID\":3},\"SelfChange\":{\"ID\":4,\"Key\":"
    "\"nodekey:" KEY "\"},\"PeerChangedPatch\":[{\"NodeID\":5,\"Online\":true}]}",
    "" },
  { "/bus-reader/map",
    "{\"NetMap\":{\"SelfNode\":{\"ID\":1,\"Peers\":[{\"ID\":2}]},\"Peers\":[{\"ID\":7,\"Key\":"
    "\"nodekey:" KEY "\"},{\"ID\":8}],\"Else\":[{\"ID\":9}]}}\n{\"PeersRemoved\":[7]}",
    "map node 7 - key;node 8 -;end;removed 7;" },
  { "/bus-reader/empty-map", "{\"NetMap\":{\"Peers\":[]}}", "map end;" },
  { "/bus-reader/map-without-nodes", "{\"NetMap\":{\"Peers\":null}}", "" },
  { "/bus-reader/escapes",
    "{\"Pr\\\"efs\":\"}]\\\\\",\"Peers\\u0052emoved\":[1],\"PeersRemoved\":[2],\"x\":"
    "\"\\\"State\\\":6\"}",
    "removed 2;" },
  { "/bus-reader/short-key", "{\"PeersChanged\":[{\"ID\":7,\"Key\":\"nodekey:ab\"}]}",
    "node 7 -;" },
  { "/bus-reader/closes-too-much", "{\"PeersRemoved\":[1]}}{\"PeersRemoved\":[2]}",
    "removed 1;broken" },
  { "/bus-reader/closes-otherwise", "{\"PeersRemoved\":[1}", "removed 1;broken" },
  { "/bus-reader/no-json", "<html>", "broken" },
  { "/bus-reader/an-array", "[1]", "broken" },
};

static void
test_case (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  gsize len = strlen (cases[i].stream);

  for (gsize piece = 1; piece <= len + 1; piece++)
    {
      g_autoptr (GString) told = g_string_new (NULL);
      g_autoptr (BusReader) reader = bus_reader_new (&funcs, told);
      gboolean is_good = TRUE;

      for (gsize at = 0; at < len && is_good; at += piece)
        is_good = bus_reader_feed (reader, cases[i].stream + at, MIN (piece, len - at));
      if (!is_good)
        g_string_append (told, "broken");
      g_assert_cmpstr (told->str, ==, cases[i].told);
      bus_reader_reset (reader);
      g_assert_true (bus_reader_feed (reader, "{}", 2));
    }
}

/* As long as a tailnet of many nodes, and longer names than any that is looked for. */
static void
test_long (void)
{
  g_autoptr (GString) told = g_string_new (NULL);
  g_autoptr (BusReader) reader = bus_reader_new (&funcs, told);
  g_autofree char *block = g_strnfill (65536, 'x');

  g_assert_true (bus_reader_feed (reader, "{\"", 2));
  for (guint i = 0; i < 256; i++)
    g_assert_true (bus_reader_feed (reader, block, 65536));
  g_assert_true (bus_reader_feed (reader, "\":", 2));
  memset (block, '7', 65536);
  for (guint i = 0; i < 256; i++)
    g_assert_true (bus_reader_feed (reader, block, 65536));
  g_assert_true (bus_reader_feed (reader, ",\"PeersRemoved\":[5]}", 20));
  g_assert_cmpstr (told->str, ==, "removed 5;");
}

static void
test_deep (void)
{
  g_autoptr (GString) told = g_string_new (NULL);
  g_autoptr (BusReader) reader = bus_reader_new (&funcs, told);

  g_assert_true (bus_reader_feed (reader, "{\"x\":", 5));
  for (guint i = 1; i < BUS_READER_DEPTH_MAX; i++)
    g_assert_true (bus_reader_feed (reader, "[", 1));
  g_assert_false (bus_reader_feed (reader, "[", 1));
  g_assert_false (bus_reader_feed (reader, "]", 1));
}

static BusNode
node_of (gint64 id, const char *stable, guint8 byte)
{
  BusNode node = { .id = id, .has_key = TRUE };

  g_strlcpy (node.stable, stable, sizeof node.stable);
  memset (node.key, byte, sizeof node.key);
  return node;
}

static gboolean
put (NodeTable *table, gint64 id, const char *stable, guint8 byte, guint8 before)
{
  BusNode node = node_of (id, stable, byte);
  guint8 key[DETOUR_KEY_SIZE];
  gboolean has_changed = node_table_put (table, &node, key);

  g_assert_true (!has_changed || key[DETOUR_KEY_SIZE - 1] == before);
  return has_changed;
}

static void
test_table (void)
{
  g_autoptr (NodeTable) table = node_table_new (3);

  g_assert_false (put (table, 1, "n1", 1, 0));
  g_assert_false (put (table, 1, "n1", 1, 0));
  g_assert_true (put (table, 1, "n1", 2, 1));
  /* The number of another node, in another network. */
  g_assert_false (put (table, 1, "else", 3, 0));
  g_assert_false (put (table, 2, "", 4, 0));
  g_assert_false (put (table, 3, "", 5, 0));
  g_assert_false (put (table, 1, "else", 3, 0));
  g_assert_false (put (table, 4, "", 6, 0));
  g_assert_cmpuint (node_table_size (table), ==, 3);
  g_assert_false (node_table_has (table, 2));
  g_assert_true (node_table_remove (table, 4));
  g_assert_false (node_table_remove (table, 4));

  node_table_mark (table);
  g_assert_true (put (table, 3, "", 7, 5));
  g_assert_cmpuint (node_table_sweep (table), ==, 1);
  g_assert_true (node_table_has (table, 3));
  g_assert_false (node_table_has (table, 1));
  g_assert_cmpuint (node_table_sweep (table), ==, 0);
}

static void
test_store (void)
{
  g_autoptr (NodeTable) table = node_table_new (10);
  g_autoptr (NodeTable) again = node_table_new (10);
  g_autoptr (GString) text = NULL;
  g_autoptr (GString) same = NULL;

  put (table, 7, "n7CNTRL", 1, 0);
  put (table, G_MAXINT64, "", 2, 0);
  text = node_store_format (table, "/run/a b.sock");
  g_assert_true (node_store_parse (text->str, text->len, "/run/a b.sock", again));
  same = node_store_format (again, "/run/a b.sock");
  g_assert_cmpstr (same->str, ==, text->str);
  g_assert_true (put (again, 7, "n7CNTRL", 3, 1));

  for (gsize len = 0; len < text->len; len++)
    {
      g_autoptr (NodeTable) part = node_table_new (10);

      g_assert_false (node_store_parse (text->str, len, "/run/a b.sock", part));
      g_assert_false (node_store_parse (text->str, text->len, "/run/b.sock", part));
      g_assert_cmpuint (node_table_size (part), <=, 2);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_test_add_data_func (cases[i].path, GUINT_TO_POINTER (i), test_case);
  g_test_add_func ("/bus-reader/long", test_long);
  g_test_add_func ("/bus-reader/deep", test_deep);
  g_test_add_func ("/node-table", test_table);
  g_test_add_func ("/node-store", test_store);
  return g_test_run ();
}
