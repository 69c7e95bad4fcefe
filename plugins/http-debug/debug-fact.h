/* debug-fact.h: values of the daemon as pairs of a list of facts, in <dl>.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * @row: an a{sv} of the daemon; @name: what the value is called on the page, to be translated;
 * @member: what it is called in @row. */
#pragma once

#include "debug-html.h"

G_BEGIN_DECLS

/* These are left out where there is nothing to say: "", an empty list, and the time 0. */
void debug_fact_text (DebugHtml *html, GVariant *row, const char *name, const char *member);
void debug_fact_texts (DebugHtml *html, GVariant *row, const char *name, const char *member);
void debug_fact_date (DebugHtml *html, GVariant *row, const char *name, const char *member);

/* These are not. */
void debug_fact_count (DebugHtml *html, GVariant *row, const char *name, const char *member);
void debug_fact_bytes (DebugHtml *html, GVariant *row, const char *name, const char *member);

G_END_DECLS
