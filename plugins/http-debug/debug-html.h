/* debug-html.h: writes the HTML of a page, in which every text is escaped.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Markup comes from this program alone; whatever else is in a page goes through debug_html_text().
 */
#pragma once

#include "page-words.h"

G_BEGIN_DECLS

typedef struct {
  GString *out;
  const PageLanguage *language;
  const char *debug_key; /* that the request brought in its query, for links; NULL: none */
} DebugHtml;

/* @markup: static */
void debug_html_put (DebugHtml *self, const char *markup);
/* Whatever it is: bytes that are no UTF-8 and control characters are shown as replaced. */
void debug_html_text (DebugHtml *self, const char *text);
/* The translation of @text. */
void debug_html_say (DebugHtml *self, const char *text);

/* `<tag class="class">text</tag>`; @class_: (nullable) */
void debug_html_element (DebugHtml *self, const char *tag, const char *class_, const char *text);
void debug_html_say_element (DebugHtml *self, const char *tag, const char *class_,
                             const char *text);

/* Appends ` href="path?query"`, the key of the request included. @query: (nullable): as
 * debug_query_append() makes it */
void debug_html_href (DebugHtml *self, const char *path, const char *query);

typedef struct {
  const char *title;
  gboolean is_number;
  /* For debug_table_write_row(): which member of a row, and how its cell is written; NULL: as a
   * text. */
  const char *member;
  void (*put) (DebugHtml *self, GVariant *row, const char *member);
} DebugColumn;

/* A table that can be scrolled sideways by keyboard, and its head. @columns: ends with { NULL } */
void debug_html_begin_table (DebugHtml *self, const char *caption, const DebugColumn *columns);
void debug_html_end_table (DebugHtml *self);
/* Cells; the first one of a row heads it. */
void debug_html_row_head (DebugHtml *self, const char *text);
void debug_html_cell (DebugHtml *self, const char *text);
void debug_html_number_cell (DebugHtml *self, const char *text);

/* A pair of a list of facts, in <dl>. */
void debug_html_fact (DebugHtml *self, const char *name, const char *text);

G_END_DECLS
