/* debug-table.c: rows of the daemon as a table, of which each column shows one member.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-table.h"

#include "debug-format.h"
#include "debug-source.h"

void
debug_table_put_texts (DebugHtml *html, GVariant *row, const char *member)
{
  g_autofree char *text = debug_row_texts (row, member);

  debug_html_cell (html, text);
}

void
debug_table_put_date (DebugHtml *html, GVariant *row, const char *member)
{
  g_autofree char *text = debug_format_date (debug_row_number (row, member));

  debug_html_cell (html, text);
}

void
debug_table_put_count (DebugHtml *html, GVariant *row, const char *member)
{
  g_autofree char *text = debug_format_count (debug_row_number (row, member));

  debug_html_number_cell (html, text);
}

void
debug_table_write_row (DebugHtml *html, const DebugColumn *columns, GVariant *row)
{
  debug_html_put (html, "<tr>");
  debug_html_row_head (html, debug_row_text (row, columns->member));
  for (columns++; columns->title != NULL; columns++)
    if (columns->put != NULL)
      columns->put (html, row, columns->member);
    else
      debug_html_cell (html, debug_row_text (row, columns->member));
  debug_html_put (html, "</tr>\n");
}

void
debug_table_write (DebugHtml *html, const char *heading, const char *caption,
                   const DebugColumn *columns, GVariant *rows, const char *none)
{
  gsize n = rows != NULL ? g_variant_n_children (rows) : 0;

  debug_html_say_element (html, "h2", NULL, heading);
  debug_html_put (html, "\n");
  if (n == 0)
    {
      debug_html_say_element (html, "p", NULL, none);
      debug_html_put (html, "\n");
      return;
    }
  debug_html_begin_table (html, caption, columns);
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);

      debug_table_write_row (html, columns, row);
    }
  debug_html_end_table (html);
}
