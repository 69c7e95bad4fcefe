/* debug-mesh.c: the page about the mesh with other relays.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-page.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "debug-format.h"

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

/* Counters whose name has one of these in it. */
static gboolean
debug_mesh_is_about (const char *name)
{
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
  if (services.n == 0)
    {
      debug_html_say_element (html, "p", NULL, N_ ("This relay is in no mesh."));
      debug_html_put (html, "\n");
    }
  debug_mesh_write_counters (page, counters);
  return TRUE;
}
