/* debug-fact.c: values of the daemon as pairs of a list of facts, in <dl>.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-fact.h"

#include "debug-format.h"
#include "debug-source.h"

static void
debug_fact_unless_empty (DebugHtml *html, const char *name, const char *text)
{
  if (text[0] != '\0')
    debug_html_fact (html, name, text);
}

void
debug_fact_text (DebugHtml *html, GVariant *row, const char *name, const char *member)
{
  debug_fact_unless_empty (html, name, debug_row_text (row, member));
}

void
debug_fact_texts (DebugHtml *html, GVariant *row, const char *name, const char *member)
{
  g_autofree char *text = debug_row_texts (row, member);

  debug_fact_unless_empty (html, name, text);
}

void
debug_fact_date (DebugHtml *html, GVariant *row, const char *name, const char *member)
{
  g_autofree char *text = debug_format_date (debug_row_number (row, member));

  debug_fact_unless_empty (html, name, text);
}

void
debug_fact_count (DebugHtml *html, GVariant *row, const char *name, const char *member)
{
  g_autofree char *text = debug_format_count (debug_row_number (row, member));

  debug_html_fact (html, name, text);
}

void
debug_fact_bytes (DebugHtml *html, GVariant *row, const char *name, const char *member)
{
  g_autofree char *text = debug_format_bytes ((double) debug_row_number (row, member));

  debug_html_fact (html, name, text);
}
