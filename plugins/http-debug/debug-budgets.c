/* debug-budgets.c: the page with quotas and the rooms that are bounded.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-page.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "debug-format.h"

/* @most: bytes; 0: there is no limit. Free with g_free(). */
static char *
debug_budgets_format_limit (DebugHtml *html, guint64 most)
{
  return most > 0 ? debug_format_bytes ((double) most)
                  : g_strdup (page_language_say (html->language, N_ ("none")));
}

static void
debug_budgets_write_row (DebugHtml *html, GVariant *row)
{
  const char *level = debug_row_text (row, "level"), *name = debug_row_text (row, "name");
  g_autofree char *used = debug_format_bytes ((double) debug_row_number (row, "used"));
  g_autofree char *quota = debug_budgets_format_limit (html, debug_row_number (row, "quota"));
  g_autofree char *until = debug_format_date (debug_row_number (row, "until"));
  g_autofree char *title = g_strconcat (debug_row_text (row, "kind"), name[0] != '\0' ? " " : NULL,
                                        name, NULL);

  debug_html_put (html, "<tr>");
  debug_html_row_head (html, title);
  debug_html_number_cell (html, used);
  debug_html_number_cell (html, quota);
  debug_html_element (html, "td", strcmp (level, "ok") == 0 ? "good" : "bad", level);
  debug_html_cell (html, debug_row_text (row, "over_quota"));
  debug_html_cell (html, until);
  debug_html_put (html, "</tr>\n");
}

static void
debug_budgets_write_room (DebugHtml *html, GVariant *rooms, const char *title, const char *used,
                          const char *limit)
{
  g_autofree char *held = debug_format_bytes ((double) debug_row_number (rooms, used));
  g_autofree char *most = debug_budgets_format_limit (html, debug_row_number (rooms, limit));

  debug_html_put (html, "<tr>");
  debug_html_row_head (html, page_language_say (html->language, title));
  debug_html_number_cell (html, held);
  debug_html_number_cell (html, most);
  debug_html_put (html, "</tr>\n");
}

static void
debug_budgets_write_rooms (DebugPage *page, GVariant *manager)
{
  static const DebugColumn columns[] = {
    { N_ ("What for") }, { N_ ("Used"), TRUE }, { N_ ("At most"), TRUE }, { NULL }
  };
  DebugHtml *html = &page->html;
  g_autoptr (GVariant) rooms = debug_row_value (manager, "MemoryBudgets", "a{sv}");
  guint64 most = debug_row_number (manager, "DescriptorLimit");
  g_autofree char *used = debug_format_count (most - debug_row_number (manager, "DescriptorsLeft"));
  g_autofree char *limit = debug_format_count (most);

  debug_html_begin_table (html, N_ ("Memory and descriptors"), columns);
  if (rooms != NULL)
    {
      debug_budgets_write_room (html, rooms, N_ ("Connections that log in"), "half_open",
                                "half_open_limit");
      debug_budgets_write_room (html, rooms, N_ ("Packets that wait for clients"), "queues",
                                "queues_limit");
    }
  debug_html_put (html, "<tr>");
  debug_html_row_head (html, page_language_say (html->language, N_ ("Descriptors")));
  debug_html_number_cell (html, used);
  debug_html_number_cell (html, limit);
  debug_html_put (html, "</tr>\n");
  debug_html_end_table (html);
}

gboolean
debug_budgets_write (DebugPage *page, GError **error)
{
  static const DebugColumn columns[] = {
    { N_ ("Whose") },
    { N_ ("Used this month"), TRUE },
    { N_ ("Quota"), TRUE },
    { N_ ("Level") },
    { N_ ("Beyond it") },
    { N_ ("Until") },
    { NULL },
  };
  DebugHtml *html = &page->html;
  g_autoptr (GVariant) manager = debug_source_manager (page->source, error);
  g_autoptr (GVariant) answer = NULL;
  g_autoptr (GVariant) rows = NULL;

  if (manager == NULL)
    return FALSE;
  answer = debug_source_call (page->source, "ListBudgets", g_variant_new ("(a{sv})", NULL), error);
  if (answer == NULL)
    return FALSE;
  rows = g_variant_get_child_value (answer, 0);
  debug_html_say_element (html, "h1", NULL, N_ ("Budgets"));
  debug_html_put (html, "\n");
  debug_html_begin_table (html, N_ ("Quotas"), columns);
  for (gsize i = 0; i < g_variant_n_children (rows); i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);

      debug_budgets_write_row (html, row);
    }
  debug_html_end_table (html);
  debug_budgets_write_rooms (page, manager);
  return TRUE;
}
