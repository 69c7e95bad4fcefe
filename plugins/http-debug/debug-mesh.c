/* debug-mesh.c: the page about the mesh with other relays.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-page.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "debug-format.h"
#include "debug-table.h"

typedef struct {
  DebugPage *page;
  guint n;
} Services;

static void
debug_mesh_write_service (GVariant *row, gpointer user)
{
  Services *services = user;
  DebugHtml *html = &services->page->html;

  if (strcmp (debug_row_text (row, "Plugin"), "service-mesh") != 0)
    return;
  services->n++;
  debug_html_put (html, "<dl class=\"facts\">\n");
  debug_html_fact (html, N_ ("Instance"), debug_row_text (row, "Id"));
  debug_html_fact (html, N_ ("State"), debug_row_text (row, "State"));
  debug_html_fact (html, N_ ("How it is"), debug_row_how (row));
  debug_html_put (html, "</dl>\n");
}

/* The links ------------------------------------------------------------------------------------ */

static void
debug_mesh_put_state (DebugHtml *html, GVariant *row, const char *member)
{
  static const struct {
    const char *state, *text, *class_;
  } states[] = {
    { "waiting", N_ ("waiting"), "bad" }, { "connecting", N_ ("connecting"), "off" },
    { "up", N_ ("up"), "good" },          { "refused", N_ ("refused"), "bad" },
    { "itself", N_ ("itself"), "off" },
  };
  const char *state = debug_row_text (row, member);

  for (guint i = 0; i < G_N_ELEMENTS (states); i++)
    if (strcmp (states[i].state, state) == 0)
      {
        debug_html_say_element (html, "td", states[i].class_, states[i].text);
        return;
      }
  debug_html_cell (html, state);
}

static void
debug_mesh_put_back (DebugHtml *html, GVariant *row, const char *member)
{
  debug_html_say_element (html, "td", NULL, debug_row_bool (row, member) ? N_ ("yes") : N_ ("no"));
}

/* "12 queue, 3 gone", without those that are none. */
static void
debug_mesh_put_drops (DebugHtml *html, GVariant *row, const char *member)
{
  g_autoptr (GVariant) drops = debug_row_value (row, member, "a{sv}");
  g_autoptr (GString) text = g_string_new (NULL);
  GVariantIter iter;
  const char *reason;
  GVariant *value;

  if (drops != NULL)
    {
      g_variant_iter_init (&iter, drops);
      while (g_variant_iter_loop (&iter, "{&sv}", &reason, &value))
        {
          g_autofree char *count = debug_format_count (debug_row_number (drops, reason));

          if (debug_row_number (drops, reason) > 0)
            g_string_append_printf (text, "%s%s %s", text->len > 0 ? ", " : "", count, reason);
        }
    }
  debug_html_number_cell (html, text->len > 0 ? text->str : "0");
}

/* What went wrong, and what helps. */
static void
debug_mesh_put_fault (DebugHtml *html, GVariant *row, const char *member)
{
  const char *error = debug_row_text (row, member);
  const char *remedy = debug_row_text (row, "Remedy");
  g_autofree char *text = g_strdup_printf ("%s%s%s", error, remedy[0] != '\0' ? ": " : "", remedy);

  debug_html_element (html, "td", error[0] != '\0' ? "bad" : NULL, text);
}

static const DebugColumn peers[] = {
  { N_ ("Peer"), FALSE, "Name" },
  { N_ ("State"), FALSE, "State", debug_mesh_put_state },
  { N_ ("Since"), FALSE, "Since", debug_table_put_date },
  { N_ ("Keys behind it"), TRUE, "Keys", debug_table_put_count },
  { N_ ("Packets sent"), TRUE, "PacketsSent", debug_table_put_count },
  { N_ ("Packets received"), TRUE, "PacketsReceived", debug_table_put_count },
  { N_ ("Packets dropped"), TRUE, "Drops", debug_mesh_put_drops },
  { N_ ("Links back"), FALSE, "LinksBack", debug_mesh_put_back },
  { N_ ("Host"), FALSE, "Host" },
  { N_ ("Why there is no link"), FALSE, "Error", debug_mesh_put_fault },
  { NULL },
};

static void
debug_mesh_write_peer (GVariant *row, gpointer user)
{
  debug_table_write_row (&((DebugPage *) user)->html, peers, row);
}

static void
debug_mesh_count_peer (GVariant *row, gpointer user)
{
  (*(guint *) user)++;
}

static void
debug_mesh_write_peers (DebugPage *page, GVariant *objects)
{
  DebugHtml *html = &page->html;
  guint n = 0;

  debug_objects_each (objects, "Peer", debug_mesh_count_peer, &n);
  if (n == 0)
    {
      debug_html_say_element (html, "p", NULL, N_ ("No peers are configured."));
      debug_html_put (html, "\n");
      return;
    }
  debug_html_begin_table (html, N_ ("Links to the other servers of the region"), peers);
  debug_objects_each (objects, "Peer", debug_mesh_write_peer, page);
  debug_html_end_table (html);
}

/* Counters ------------------------------------------------------------------------------------- */

/* Counters whose name has one of these in it; those of each link are in its row. */
static gboolean
debug_mesh_is_about (const char *name)
{
  if (g_str_has_prefix (name, "mesh_link"))
    return FALSE;
  return strstr (name, "forward") != NULL || strstr (name, "mesh") != NULL
      || strstr (name, "watch") != NULL;
}

static void
debug_mesh_write_counters (DebugPage *page, GVariant *counters)
{
  static const DebugColumn columns[] = {
    { N_ ("Counter") }, { N_ ("Since the start"), TRUE }, { N_ ("About") }, { NULL }
  };
  DebugHtml *html = &page->html;
  GVariantIter iter;
  const char *name, *help;
  guint64 value;

  debug_html_begin_table (html, N_ ("Packets between relays"), columns);
  g_variant_iter_init (&iter, counters);
  while (g_variant_iter_next (&iter, "(&s@a{ss}t&s)", &name, NULL, &value, &help))
    {
      g_autofree char *text = debug_format_count (value);

      if (!debug_mesh_is_about (name))
        continue;
      debug_html_put (html, "<tr>");
      debug_html_row_head (html, name);
      debug_html_number_cell (html, text);
      debug_html_cell (html, help);
      debug_html_put (html, "</tr>\n");
    }
  debug_html_end_table (html);
}

gboolean
debug_mesh_write (DebugPage *page, GError **error)
{
  DebugHtml *html = &page->html;
  g_autoptr (GVariant) objects = debug_source_objects (page->source, error);
  g_autoptr (GVariant) answer = NULL;
  g_autoptr (GVariant) counters = NULL;
  Services services = { page, 0 };

  if (objects == NULL)
    return FALSE;
  answer = debug_source_call (page->source, "GetCounters", NULL, error);
  if (answer == NULL)
    return FALSE;
  counters = g_variant_get_child_value (answer, 0);
  debug_html_say_element (html, "h1", NULL, N_ ("Mesh"));
  debug_html_put (html, "\n");
  debug_objects_each (objects, "Plugin", debug_mesh_write_service, &services);
  if (services.n > 0)
    debug_mesh_write_peers (page, objects);
  else
    {
      debug_html_say_element (html, "p", NULL, N_ ("This relay is in no mesh."));
      debug_html_put (html, "\n");
    }
  debug_mesh_write_counters (page, counters);
  return TRUE;
}
