/* debug-overview.c: the page with what matters most, and the pictures of the last hour and day.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-page.h"

#include <glib/gi18n-lib.h>

#include "debug-chart.h"
#include "debug-fact.h"
#include "debug-format.h"

static char *
debug_overview_format_number (double n)
{
  return debug_format_count ((guint64) n);
}

static const struct {
  const char *title;
  DebugSeries series;
  DebugFormat format;
} charts[] = {
  { N_ ("Traffic from clients"), DEBUG_SERIES_BYTES_IN, debug_format_rate },
  { N_ ("Traffic to clients"), DEBUG_SERIES_BYTES_OUT, debug_format_rate },
  { N_ ("Clients"), DEBUG_SERIES_CLIENTS, debug_overview_format_number },
  { N_ ("Dropped packets"), DEBUG_SERIES_DROPS, debug_format_per_second },
  { N_ ("Logins"), DEBUG_SERIES_LOGINS, debug_format_per_second },
  { N_ ("Memory"), DEBUG_SERIES_MEMORY, debug_format_bytes },
};

static void
debug_overview_write_charts (DebugPage *page)
{
  DebugHtml *html = &page->html;
  DebugRingView view;

  debug_html_say_element (html, "h2", NULL, N_ ("Over time"));
  debug_html_put (html, "\n<div class=\"charts\">\n");
  for (guint i = 0; i < G_N_ELEMENTS (charts); i++)
    {
      debug_html_put (html, "<div class=\"pair\">\n");
      for (guint span = 0; span < DEBUG_N_SPANS; span++)
        {
          g_mutex_lock (page->ring_lock);
          debug_ring_view (page->ring, charts[i].series, (DebugSpan) span, &view);
          g_mutex_unlock (page->ring_lock);
          debug_chart_write (html, charts[i].title, (DebugSpan) span, &view, charts[i].format);
        }
      debug_html_put (html, "</div>\n");
    }
  debug_html_put (html, "</div>\n");
}

static const char *
debug_overview_state (GVariant *manager)
{
  if (debug_row_bool (manager, "Draining"))
    return N_ ("draining");
  return debug_row_bool (manager, "Ready") ? N_ ("ready") : N_ ("not ready");
}

/* What happened in a span, of LastMinute or LastHour. */
static void
debug_overview_write_span (DebugPage *page, GVariant *manager, const char *property,
                           const char *title)
{
  DebugHtml *html = &page->html;
  g_autoptr (GVariant) row = debug_row_value (manager, property, "a{sv}");
  double seconds;
  g_autofree char *in = NULL, *out = NULL;

  if (row == NULL)
    return;
  seconds = MAX ((double) debug_row_number (row, "duration_us") / G_USEC_PER_SEC, 0.001);
  in = debug_format_rate ((double) debug_row_number (row, "bytes_received") / seconds);
  out = debug_format_rate ((double) debug_row_number (row, "bytes_sent") / seconds);
  debug_html_put (html, "<tr>");
  debug_html_row_head (html, page_language_say (html->language, title));
  debug_html_number_cell (html, in);
  debug_html_number_cell (html, out);
  for (guint i = 0; i < 4; i++)
    {
      static const char *const counts[] = { "packets_dropped", "joined", "left", "refused" };
      g_autofree char *text = debug_format_count (debug_row_number (row, counts[i]));

      debug_html_number_cell (html, text);
    }
  debug_html_put (html, "</tr>\n");
}

static void
debug_overview_write_spans (DebugPage *page, GVariant *manager)
{
  static const DebugColumn columns[] = {
    { N_ ("Span") },
    { N_ ("From clients"), TRUE },
    { N_ ("To clients"), TRUE },
    { N_ ("Dropped"), TRUE },
    { N_ ("Joined"), TRUE },
    { N_ ("Left"), TRUE },
    { N_ ("Refused"), TRUE },
    { NULL },
  };

  debug_html_begin_table (&page->html, N_ ("Lately"), columns);
  debug_overview_write_span (page, manager, "Recent", N_ ("last seconds"));
  debug_overview_write_span (page, manager, "LastMinute", N_ ("last minute"));
  debug_overview_write_span (page, manager, "LastHour", N_ ("last hour"));
  debug_html_end_table (&page->html);
}

static void
debug_overview_write_drops (DebugPage *page, GVariant *manager)
{
  static const DebugColumn columns[] = { { N_ ("Reason") }, { N_ ("Packets"), TRUE }, { NULL } };
  g_autoptr (GVariant) drops = debug_row_value (manager, "DropReasons", "a{st}");
  GVariantIter iter;
  const char *reason;
  guint64 n;

  if (drops == NULL)
    return;
  debug_html_begin_table (&page->html, N_ ("Packets that were dropped since the start"), columns);
  g_variant_iter_init (&iter, drops);
  while (g_variant_iter_next (&iter, "{&st}", &reason, &n))
    {
      g_autofree char *text = debug_format_count (n);

      debug_html_put (&page->html, "<tr>");
      debug_html_row_head (&page->html, reason);
      debug_html_number_cell (&page->html, text);
      debug_html_put (&page->html, "</tr>\n");
    }
  debug_html_end_table (&page->html);
}

gboolean
debug_overview_write (DebugPage *page, GError **error)
{
  DebugHtml *html = &page->html;
  g_autoptr (GVariant) manager = debug_source_manager (page->source, error);
  g_autofree char *uptime = NULL;
  const char *hostname;

  if (manager == NULL)
    return FALSE;
  hostname = debug_row_text (manager, "Hostname");
  debug_html_element (html, "h1", NULL, hostname[0] != '\0' ? hostname : "Detour");
  uptime = debug_format_span (html->language, (gint64) debug_row_number (manager, "Uptime"));
  debug_html_put (html, "\n<dl class=\"facts\">\n");
  debug_html_fact (html, N_ ("State"),
                   page_language_say (html->language, debug_overview_state (manager)));
  debug_html_fact (html, N_ ("Running for"), uptime);
  debug_html_fact (html, N_ ("Version"), debug_row_text (manager, "Version"));
  debug_fact_count (html, manager, N_ ("Clients"), "ClientCount");
  debug_fact_count (html, manager, N_ ("Connections"), "ConnectionCount");
  debug_fact_count (html, manager, N_ ("Keys with several connections"), "DuplicateCount");
  debug_fact_count (html, manager, N_ ("Connections that log in"), "HalfOpenCount");
  debug_fact_count (html, manager, N_ ("Refused clients that are held"), "HeldCount");
  debug_fact_count (html, manager, N_ ("Descriptors left"), "DescriptorsLeft");
  debug_html_fact (html, N_ ("Server key"), debug_row_text (manager, "ServerKey"));
  debug_html_put (html, "</dl>\n");
  debug_overview_write_charts (page);
  debug_html_say_element (html, "h2", NULL, N_ ("In numbers"));
  debug_html_put (html, "\n");
  debug_overview_write_spans (page, manager);
  debug_overview_write_drops (page, manager);
  return TRUE;
}
