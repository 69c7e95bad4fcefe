/* debug-client.c: the page about one client: its connections, its path, and who admitted it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-page.h"

#include <glib/gi18n-lib.h>

#include "debug-fact.h"
#include "debug-format.h"
#include "debug-table.h"

/* "home, watcher": what is true of it. */
static void
debug_client_traits (DebugHtml *html, GVariant *row)
{
  static const struct {
    const char *member, *text;
  } traits[] = {
    { "home", N_ ("this relay is its home") }, { "mesh", N_ ("mesh connection") },
    { "watcher", N_ ("watches who is here") }, { "prober", N_ ("prober") },
    { "blocked", N_ ("takes nothing now") },
  };
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (traits); i++)
    if (debug_row_bool (row, traits[i].member))
      g_string_append_printf (text, "%s%s", text->len > 0 ? ", " : "",
                              page_language_say (html->language, traits[i].text));
  if (text->len > 0)
    debug_html_fact (html, N_ ("Is"), text->str);
}

static void
debug_client_write_connection (DebugPage *page, GVariant *row)
{
  DebugHtml *html = &page->html;
  g_autofree char *since = debug_format_date (debug_row_number (row, "since"));

  debug_html_put (html, "<h2>");
  debug_html_say (html, N_ ("Connection"));
  g_string_append_printf (html->out, " %" G_GUINT64_FORMAT "</h2>\n<dl class=\"facts\">\n",
                          debug_row_number (row, "connection"));
  debug_fact_text (html, row, N_ ("Address"), "address");
  debug_fact_text (html, row, N_ ("Label"), "label");
  debug_fact_text (html, row, N_ ("Class"), "class");
  debug_fact_text (html, row, N_ ("Tenant"), "tenant");
  debug_fact_text (html, row, N_ ("Application"), "app");
  debug_fact_text (html, row, N_ ("Kind of program"), "kind");
  debug_html_fact (html, N_ ("Since"), since);
  debug_fact_text (html, row, N_ ("Listener"), "listener");
  debug_fact_text (html, row, N_ ("Way"), "way");
  debug_fact_text (html, row, N_ ("TLS"), "tls");
  debug_fact_text (html, row, N_ ("Slowed by"), "slowed");
  debug_client_traits (html, row);
  debug_fact_texts (html, row, N_ ("Its user is told of"), "told");
  debug_fact_bytes (html, row, N_ ("Received"), "bytes_received");
  debug_fact_count (html, row, N_ ("Packets received"), "packets_received");
  debug_fact_bytes (html, row, N_ ("Sent"), "bytes_sent");
  debug_fact_count (html, row, N_ ("Packets sent"), "packets_sent");
  debug_fact_count (html, row, N_ ("Packets dropped"), "packets_dropped");
  debug_fact_bytes (html, row, N_ ("Waiting for it"), "waiting_bytes");
  debug_html_put (html, "</dl>\n");
}

/* ---- path ------------------------------------------------------------------------------------ */

/* How long a connection is watched for a page. */
#define WATCH_US G_USEC_PER_SEC

static void
debug_client_time (DebugHtml *html, GVariant *row, const char *name, const char *member)
{
  g_autofree char *text = g_strdup_printf ("%.1f ms",
                                           (double) debug_row_number (row, member) / 1000);

  if (debug_row_number (row, member) > 0)
    debug_html_fact (html, name, text);
}

static void
debug_client_share (DebugHtml *html, GVariant *row, const char *name, const char *member)
{
  double share = 0;
  g_autofree char *text = NULL;

  if (!g_variant_lookup (row, member, "d", &share))
    return;
  text = g_strdup_printf ("%.0f %%", share * 100);
  debug_html_fact (html, name, text);
}

static void
debug_client_write_report (DebugHtml *html, GVariant *report)
{
  g_autofree char *rate = debug_format_rate ((double) debug_row_number (report, "delivery_rate"));

  debug_html_put (html, "<p>");
  debug_html_element (html, "strong", NULL, debug_row_text (report, "cause"));
  debug_html_put (html, ": ");
  debug_html_text (html, debug_row_text (report, "text"));
  debug_html_put (html, "</p>\n<dl class=\"facts\">\n");
  debug_client_time (html, report, N_ ("Round trip"), "round_trip_us");
  debug_client_time (html, report, N_ ("Shortest round trip"), "round_trip_min_us");
  debug_client_time (html, report, N_ ("Wait in the relay"), "queue_delay_us");
  if (debug_row_number (report, "delivery_rate") > 0)
    debug_html_fact (html, N_ ("Delivery rate"), rate);
  debug_fact_bytes (html, report, N_ ("Waiting in the relay"), "waiting_bytes");
  debug_fact_bytes (html, report, N_ ("Unsent in the socket"), "unsent_bytes");
  debug_client_share (html, report, N_ ("Sent again"), "resent");
  debug_client_share (html, report, N_ ("Line busy"), "busy");
  debug_client_share (html, report, N_ ("Client had no room"), "limited_by_window");
  debug_client_share (html, report, N_ ("Send buffer too small"), "limited_by_buffer");
  debug_fact_count (html, report, N_ ("Clients that send to it"), "sender_count");
  debug_client_share (html, report, N_ ("Worker busy"), "worker_busy");
  debug_html_put (html, "</dl>\n");
}

static void
debug_client_watch (DebugPage *page, const char *key)
{
  DebugHtml *html = &page->html;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) answer = NULL;
  g_autoptr (GVariant) report = NULL;
  GVariantBuilder options;

  g_variant_builder_init (&options, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&options, "{sv}", "duration", g_variant_new_uint64 (WATCH_US));
  answer = debug_source_call (page->source, "Path", g_variant_new ("(sa{sv})", key, &options),
                              &error);
  if (answer == NULL)
    {
      debug_html_element (html, "p", "bad", error->message);
      debug_html_put (html, "\n");
      return;
    }
  report = g_variant_get_child_value (answer, 0);
  debug_client_write_report (html, report);
}

/* Watching takes a second, so it is done only for who asks for it. */
static void
debug_client_write_path (DebugPage *page, const char *key)
{
  DebugHtml *html = &page->html;
  g_autoptr (GString) query = g_string_new (NULL);

  debug_html_say_element (html, "h2", NULL, N_ ("Path"));
  debug_html_put (html, "\n");
  if (debug_query_number (page->query, "path", 1, 0) != 0)
    debug_client_watch (page, key);
  debug_query_append (query, "key", key);
  debug_query_append (query, "path", "1");
  debug_html_put (html, "<p><a");
  debug_html_href (html, "/debug/client", query->str);
  debug_html_put (html, ">");
  debug_html_say (html, N_ ("Watch its connection for a second"));
  debug_html_put (html, "</a></p>\n");
}

/* ---- verdicts -------------------------------------------------------------------------------- */

static void
debug_client_write_verdicts (DebugPage *page, const char *key)
{
  static const DebugColumn columns[] = {
    { N_ ("Verdict"), FALSE, "verdict" },
    { N_ ("From"), FALSE, "source" },
    { N_ ("Reason"), FALSE, "reason" },
    { N_ ("Address"), FALSE, "address" },
    { N_ ("First"), FALSE, "first", debug_table_put_date },
    { N_ ("Last"), FALSE, "last", debug_table_put_date },
    { N_ ("Times"), TRUE, "count", debug_table_put_count },
    { NULL },
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant)
      answer = debug_source_call (page->source, "Why", g_variant_new ("(s)", key), &error);
  g_autoptr (GVariant) rows = answer != NULL ? g_variant_get_child_value (answer, 0) : NULL;

  debug_table_write (&page->html, N_ ("Admission"), N_ ("Verdicts, the latest first"), columns,
                     rows, N_ ("Nothing is known of verdicts on it."));
}

gboolean
debug_client_write (DebugPage *page, GError **error)
{
  DebugHtml *html = &page->html;
  const char *key = debug_query_get (page->query, "key");
  g_autoptr (GVariant) answer = NULL;
  g_autoptr (GVariant) rows = NULL;
  g_autoptr (GVariant) first = NULL;

  if (key == NULL)
    key = "";
  answer = debug_source_call (page->source, "GetClient", g_variant_new ("(s)", key), error);
  if (answer == NULL)
    {
      page->status = 404;
      return FALSE;
    }
  rows = g_variant_get_child_value (answer, 0);
  first = g_variant_get_child_value (rows, 0);
  debug_html_say_element (html, "h1", NULL, N_ ("Client"));
  debug_html_put (html, "\n<p><code>");
  debug_html_text (html, debug_row_text (first, "key"));
  debug_html_put (html, "</code></p>\n");
  for (gsize i = 0; i < g_variant_n_children (rows); i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);

      debug_client_write_connection (page, row);
    }
  debug_client_write_path (page, debug_row_text (first, "key"));
  debug_client_write_verdicts (page, debug_row_text (first, "key"));
  return TRUE;
}
