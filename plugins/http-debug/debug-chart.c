/* debug-chart.c: a small picture of a series of values, as SVG within a page.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-chart.h"

#include <glib/gi18n-lib.h>

#define WIDTH  360.0
#define HEIGHT 72.0

/* Numbers with a point, whatever the locale. */
static void
debug_chart_append_point (GString *out, char command, double x, double y)
{
  char bytes[2][G_ASCII_DTOSTR_BUF_SIZE];

  g_ascii_formatd (bytes[0], sizeof bytes[0], "%.1f", x);
  g_ascii_formatd (bytes[1], sizeof bytes[1], "%.1f", y);
  g_string_append_printf (out, "%c%s %s", command, bytes[0], bytes[1]);
}

static void
debug_chart_append_line (GString *out, const DebugRingView *view, guint capacity, double most)
{
  double step = WIDTH / (capacity - 1);
  double left = WIDTH - step * (view->n - 1);

  for (guint i = 0; i < view->n; i++)
    debug_chart_append_point (out, i == 0 ? 'M' : 'L', left + step * i,
                              HEIGHT - 1 - (most > 0 ? view->values[i] / most : 0) * (HEIGHT - 4));
}

static void
debug_chart_write_picture (DebugHtml *html, const DebugRingView *view, guint capacity, double most)
{
  g_autoptr (GString) line = g_string_new (NULL);

  debug_chart_append_line (line, view, capacity, most);
  debug_html_put (html, "<svg viewBox=\"0 0 360 72\" preserveAspectRatio=\"none\" "
                        "aria-hidden=\"true\" focusable=\"false\">"
                        "<path class=\"grid\" d=\"M0 71.5H360M0 36H360M0 .5H360\"/>");
  if (view->n > 1)
    {
      g_string_append_printf (html->out, "<path class=\"area\" d=\"%sL360 71L", line->str);
      debug_chart_append_point (html->out, ' ', WIDTH - WIDTH / (capacity - 1) * (view->n - 1),
                                HEIGHT - 1);
      g_string_append_printf (html->out, "Z\"/><path class=\"line\" d=\"%s\"/>", line->str);
    }
  debug_html_put (html, "</svg>\n");
}

void
debug_chart_write (DebugHtml *html, const char *title, DebugSpan span, const DebugRingView *view,
                   DebugFormat format)
{
  double most = 0;
  g_autofree char *last_text = NULL, *most_text = NULL;

  for (guint i = 0; i < view->n; i++)
    most = MAX (most, view->values[i]);
  last_text = format (view->n > 0 ? view->values[view->n - 1] : 0);
  most_text = format (most);
  debug_html_put (html, "<figure>\n<figcaption><span class=\"title\">");
  debug_html_say (html, title);
  debug_html_put (html, "</span> ");
  debug_html_say (html, span == DEBUG_SPAN_HOUR ? N_ ("last hour") : N_ ("last day"));
  debug_html_put (html, "</figcaption>\n");
  debug_chart_write_picture (html, view, debug_ring_capacity (span), most);
  debug_html_put (html, "<p class=\"values\">");
  if (view->n == 0)
    debug_html_say (html, N_ ("no values yet"));
  else
    {
      debug_html_say (html, N_ ("now"));
      debug_html_put (html, " <b>");
      debug_html_text (html, last_text);
      debug_html_put (html, "</b>, ");
      debug_html_say (html, N_ ("at most"));
      debug_html_put (html, " <b>");
      debug_html_text (html, most_text);
      debug_html_put (html, "</b>");
    }
  debug_html_put (html, "</p>\n</figure>\n");
}
