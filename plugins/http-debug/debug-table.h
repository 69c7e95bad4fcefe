/* debug-table.h: rows of the daemon as a table, of which each column shows one member.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "debug-html.h"

G_BEGIN_DECLS

/* Ways to write a cell, for DebugColumn. */
void debug_table_put_texts (DebugHtml *html, GVariant *row, const char *member); /* of an `as` */
void debug_table_put_date (DebugHtml *html, GVariant *row, const char *member);
void debug_table_put_count (DebugHtml *html, GVariant *row, const char *member);

/* @row: a{sv}; the first column is a text and heads it. */
void debug_table_write_row (DebugHtml *html, const DebugColumn *columns, GVariant *row);

/* A heading, and below it the table, or @none as a sentence. @rows: (nullable): an array of a{sv}
 */
void debug_table_write (DebugHtml *html, const char *heading, const char *caption,
                        const DebugColumn *columns, GVariant *rows, const char *none);

G_END_DECLS
