/* debug-clients.c: the page with the clients, some at a time.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-page.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "debug-format.h"

#define ROWS_DEFAULT 50u
#define ROWS_MAX     100u
#define FIRST_MAX    10000000u

/* Orders, as FindClients() calls them, and their columns; "" is shown and no order. */
static const struct {
  const char *sort, *title;
  gboolean is_number;
} columns[] = {
  { "key", N_ ("Key") },
  { "label", N_ ("Label") },
  { "address", N_ ("Address") },
  { "since", N_ ("Connected for") },
  { "received", N_ ("Received"), TRUE },
  { "sent", N_ ("Sent"), TRUE },
  { "dropped", N_ ("Dropped"), TRUE },
  { "waiting", N_ ("Waiting"), TRUE },
  { "", N_ ("Application") },
};

/* What was asked for. */
typedef struct {
  const char *search, *sort;
  gboolean reverse;
  guint first, limit;
} Wish;

static const char *
debug_clients_find_sort (const char *wanted)
{
  for (guint i = 0; wanted != NULL && i < G_N_ELEMENTS (columns); i++)
    if (columns[i].sort[0] != '\0' && strcmp (columns[i].sort, wanted) == 0)
      return columns[i].sort;
  return wanted != NULL && strcmp (wanted, "traffic") == 0 ? "traffic" : "key";
}

static void
debug_clients_read (const DebugQuery *query, Wish *wish)
{
  /* The last three are derper's. */
  static const char *const names[] = { "search", "key", "ip", "app" };
  const char *search = NULL;

  for (guint i = 0; search == NULL && i < G_N_ELEMENTS (names); i++)
    search = debug_query_get (query, names[i]);
  wish->search = search != NULL ? search : "";
  wish->sort = debug_clients_find_sort (debug_query_get (query, "sort"));
  wish->reverse = debug_query_number (query, "reverse", 1, 0) != 0;
  wish->first = debug_query_number (query, "first", FIRST_MAX, 0);
  wish->limit = debug_query_number (query, "limit", ROWS_MAX, ROWS_DEFAULT);
  wish->limit = MAX (wish->limit, 1);
}

static GVariant *
debug_clients_ask (DebugPage *page, const Wish *wish, GError **error)
{
  GVariantBuilder options;

  g_variant_builder_init (&options, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&options, "{sv}", "search", g_variant_new_string (wish->search));
  g_variant_builder_add (&options, "{sv}", "sort", g_variant_new_string (wish->sort));
  g_variant_builder_add (&options, "{sv}", "reverse", g_variant_new_boolean (wish->reverse));
  g_variant_builder_add (&options, "{sv}", "first", g_variant_new_uint32 (wish->first));
  g_variant_builder_add (&options, "{sv}", "limit", g_variant_new_uint32 (wish->limit));
  return debug_source_call (page->source, "FindClients", g_variant_new ("(a{sv})", &options),
                            error);
}

/* The query of a link to the same list in another order, or at another place. */
static char *
debug_clients_query (const Wish *wish, const char *sort, gboolean reverse, guint first)
{
  GString *out = g_string_new (NULL);

  if (wish->search[0] != '\0')
    debug_query_append (out, "search", wish->search);
  debug_query_append (out, "sort", sort);
  if (reverse)
    debug_query_append (out, "reverse", "1");
  if (first > 0)
    g_string_append_printf (out, "first=%u&", first);
  if (wish->limit != ROWS_DEFAULT)
    g_string_append_printf (out, "limit=%u&", wish->limit);
  return g_string_free (out, FALSE);
}

static void
debug_clients_write_form (DebugPage *page, const Wish *wish)
{
  DebugHtml *html = &page->html;

  debug_html_put (html, "<form method=\"get\" action=\"/debug/clients/\" role=\"search\">\n"
                        "<label for=\"search\">");
  debug_html_say (html, N_ ("Key, label, address or application"));
  debug_html_put (html, "</label>\n<input id=\"search\" name=\"search\" type=\"search\" value=\"");
  debug_html_text (html, wish->search);
  debug_html_put (html, "\">\n<input type=\"hidden\" name=\"sort\" value=\"");
  debug_html_text (html, wish->sort);
  debug_html_put (html, "\">\n");
  if (html->debug_key != NULL)
    {
      debug_html_put (html, "<input type=\"hidden\" name=\"debugkey\" value=\"");
      debug_html_text (html, html->debug_key);
      debug_html_put (html, "\">\n");
    }
  debug_html_put (html, "<button type=\"submit\">");
  debug_html_say (html, N_ ("Find"));
  debug_html_put (html, "</button>\n</form>\n");
}

static void
debug_clients_write_head (DebugPage *page, const Wish *wish)
{
  DebugHtml *html = &page->html;

  debug_html_put (html, "<thead><tr>");
  for (guint i = 0; i < G_N_ELEMENTS (columns); i++)
    {
      gboolean is_this = strcmp (columns[i].sort, wish->sort) == 0;
      g_autofree char *query = debug_clients_query (wish, columns[i].sort,
                                                    is_this && !wish->reverse, 0);

      debug_html_put (html, columns[i].is_number ? "<th scope=\"col\" class=\"number\""
                                                 : "<th scope=\"col\"");
      /* Numbers come with the largest first. */
      if (is_this)
        debug_html_put (html, wish->reverse != columns[i].is_number ? " aria-sort=\"descending\">"
                                                                    : " aria-sort=\"ascending\">");
      else
        debug_html_put (html, ">");
      if (columns[i].sort[0] != '\0')
        {
          debug_html_put (html, "<a");
          debug_html_href (html, "/debug/clients/", query);
          debug_html_put (html, ">");
        }
      debug_html_say (html, columns[i].title);
      debug_html_put (html, columns[i].sort[0] != '\0' ? "</a></th>" : "</th>");
    }
  debug_html_put (html, "</tr></thead>\n");
}

static void
debug_clients_write_row (DebugPage *page, GVariant *row)
{
  DebugHtml *html = &page->html;
  const char *key = debug_row_text (row, "key");
  g_autoptr (GString) query = g_string_new (NULL);
  g_autofree char *span = debug_format_span (
      html->language, page->now_us - (gint64) debug_row_number (row, "since"));
  g_autofree char *received = debug_format_bytes (
      (double) debug_row_number (row, "bytes_received"));
  g_autofree char *sent = debug_format_bytes ((double) debug_row_number (row, "bytes_sent"));
  g_autofree char *dropped = debug_format_count (debug_row_number (row, "packets_dropped"));
  g_autofree char *waiting = debug_format_bytes ((double) debug_row_number (row, "waiting_bytes"));
  /* "nodekey:" and the first digits; the whole one is on the client's own page. */
  g_autofree char *digits = g_str_has_prefix (key, "nodekey:")
                              ? g_strndup (key + strlen ("nodekey:"), 12)
                              : g_strdup (key);

  debug_query_append (query, "key", key);
  debug_html_put (html, "<tr><th scope=\"row\"><a");
  debug_html_href (html, "/debug/client", query->str);
  debug_html_put (html, "><code>");
  debug_html_text (html, digits);
  debug_html_put (html, "…</code></a></th>");
  debug_html_cell (html, debug_row_text (row, "label"));
  debug_html_cell (html, debug_row_text (row, "address"));
  debug_html_cell (html, span);
  debug_html_number_cell (html, received);
  debug_html_number_cell (html, sent);
  debug_html_number_cell (html, dropped);
  debug_html_number_cell (html, waiting);
  debug_html_cell (html, debug_row_text (row, "app"));
  debug_html_put (html, "</tr>\n");
}

static void
debug_clients_write_step (DebugPage *page, const Wish *wish, guint first, const char *rel,
                          const char *title)
{
  DebugHtml *html = &page->html;
  g_autofree char *query = debug_clients_query (wish, wish->sort, wish->reverse, first);

  g_string_append_printf (html->out, "<li><a rel=\"%s\"", rel);
  debug_html_href (html, "/debug/clients/", query);
  debug_html_put (html, ">");
  debug_html_say (html, title);
  debug_html_put (html, "</a></li>\n");
}

static void
debug_clients_write_steps (DebugPage *page, const Wish *wish, guint64 total)
{
  DebugHtml *html = &page->html;
  gboolean has_next = wish->first + wish->limit < total;

  if (wish->first == 0 && !has_next)
    return;
  debug_html_put (html, "<nav class=\"steps\" aria-label=\"");
  debug_html_say (html, N_ ("Pages of the list"));
  debug_html_put (html, "\">\n<ul>\n");
  if (wish->first > 0)
    debug_clients_write_step (page, wish, wish->first - MIN (wish->first, wish->limit), "prev",
                              N_ ("Previous"));
  if (has_next)
    debug_clients_write_step (page, wish, wish->first + wish->limit, "next", N_ ("Next"));
  debug_html_put (html, "</ul>\n</nav>\n");
}

static void
debug_clients_write_count (DebugPage *page, const Wish *wish, guint64 n, guint64 total)
{
  DebugHtml *html = &page->html;
  g_autofree char *of = debug_format_count (total);

  debug_html_put (html, "<p class=\"count\">");
  debug_html_say (html, N_ ("Connections"));
  if (n > 0)
    g_string_append_printf (html->out, " %u–%" G_GUINT64_FORMAT " / ", wish->first + 1,
                            wish->first + n);
  else
    debug_html_put (html, " 0 / ");
  debug_html_text (html, of);
  debug_html_put (html, "</p>\n");
}

gboolean
debug_clients_write (DebugPage *page, GError **error)
{
  DebugHtml *html = &page->html;
  Wish wish;
  g_autoptr (GVariant) answer = NULL;
  g_autoptr (GVariant) rows = NULL;
  guint64 total;
  gsize n;

  debug_clients_read (page->query, &wish);
  answer = debug_clients_ask (page, &wish, error);
  if (answer == NULL)
    return FALSE;
  g_variant_get (answer, "(@aa{sv}t)", &rows, &total);
  n = g_variant_n_children (rows);
  debug_html_say_element (html, "h1", NULL, N_ ("Clients"));
  debug_html_put (html, "\n");
  debug_clients_write_form (page, &wish);
  debug_clients_write_count (page, &wish, n, total);
  debug_html_put (html, "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"");
  debug_html_say (html, N_ ("Clients"));
  debug_html_put (html, "\">\n<table>\n");
  debug_clients_write_head (page, &wish);
  debug_html_put (html, "<tbody>\n");
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);

      debug_clients_write_row (page, row);
    }
  debug_html_end_table (html);
  debug_clients_write_steps (page, &wish, total);
  return TRUE;
}
