/* debug-chart.h: a small picture of a series of values, as SVG within a page.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "debug-html.h"
#include "debug-ring.h"

G_BEGIN_DECLS

/* How values are written: debug_format_rate() and the like. */
typedef char *(*DebugFormat) (double value);

/* A <figure>: the picture, which fills as the values come, and the last and the largest value in
 * words, so that nobody has to see it. */
void debug_chart_write (DebugHtml *html, const char *title, DebugSpan span,
                        const DebugRingView *view, DebugFormat format);

G_END_DECLS
