/* debug-page.c: what all pages have around them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-page.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "debug-format.h"

const DebugPageClass debug_pages[] = {
  { "/debug/", N_ ("Overview"), debug_overview_write },
  { "/debug/clients/", N_ ("Clients"), debug_clients_write },
  { "/debug/plugins", N_ ("Plugins"), debug_plugins_write },
  { "/debug/certificates", N_ ("Certificates"), debug_certificates_write },
  { "/debug/admission", N_ ("Admission"), debug_admission_write },
  { "/debug/budgets", N_ ("Budgets"), debug_budgets_write },
  { "/debug/mesh", N_ ("Mesh"), debug_mesh_write },
  { "/debug/config", N_ ("Configuration"), debug_config_write },
  { "/debug/check", N_ ("Check"), debug_check_write, debug_check_write_plain },
  { "/debug/client", NULL, debug_client_write },
  { NULL },
};

static void
debug_page_write_head (DebugPage *page, const DebugPageClass *cls)
{
  DebugHtml *html = &page->html;

  debug_html_put (html, "<!DOCTYPE html>\n<html lang=\"");
  debug_html_text (html, page_language_tag (html->language));
  debug_html_put (html, "\">\n<head>\n<meta charset=\"utf-8\">\n"
                        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                        "<meta name=\"color-scheme\" content=\"light dark\">\n"
                        "<meta name=\"robots\" content=\"noindex\">\n<title>");
  debug_html_say (html, cls->title != NULL ? cls->title : N_ ("Client"));
  debug_html_put (html, " – Detour</title>\n<link rel=\"stylesheet\"");
  debug_html_href (html, "/debug/style.css", NULL);
  debug_html_put (html, ">\n<link rel=\"icon\" href=\"data:,\">\n</head>\n<body>\n"
                        "<a class=\"skip\" href=\"#main\">");
  debug_html_say (html, N_ ("Go to the content"));
  debug_html_put (html, "</a>\n");
}

static void
debug_page_look_for_probe (GVariant *row, gpointer user)
{
  if (strcmp (debug_row_text (row, "Plugin"), "service-probe") == 0
      && strcmp (debug_row_text (row, "State"), "running") == 0)
    *(gboolean *) user = TRUE;
}

/* The page that another plugin has, when it runs. */
static void
debug_page_write_link_of_probe (DebugPage *page)
{
  g_autoptr (GVariant) objects = debug_source_objects (page->source, NULL);
  gboolean is_there = FALSE;

  if (objects != NULL)
    debug_objects_each (objects, "Plugin", debug_page_look_for_probe, &is_there);
  if (!is_there)
    return;
  debug_html_put (&page->html, "<li><a");
  debug_html_href (&page->html, "/debug/probe", NULL);
  debug_html_put (&page->html, ">");
  debug_html_say (&page->html, N_ ("Probe"));
  debug_html_put (&page->html, "</a></li>\n");
}

static void
debug_page_write_links (DebugPage *page, const DebugPageClass *cls)
{
  DebugHtml *html = &page->html;

  debug_html_put (html, "<header>\n<p class=\"name\">Detour</p>\n<nav aria-label=\"");
  debug_html_say (html, N_ ("Pages"));
  debug_html_put (html, "\">\n<ul>\n");
  for (const DebugPageClass *other = debug_pages; other->path != NULL; other++)
    {
      if (other->title == NULL)
        continue;
      debug_html_put (html, "<li><a");
      debug_html_href (html, other->path, NULL);
      debug_html_put (html, other == cls ? " aria-current=\"page\">" : ">");
      debug_html_say (html, other->title);
      debug_html_put (html, "</a></li>\n");
    }
  debug_page_write_link_of_probe (page);
  debug_html_put (html, "</ul>\n</nav>\n</header>\n");
}

static void
debug_page_write_end (DebugPage *page)
{
  DebugHtml *html = &page->html;
  g_autofree char *date = debug_format_date ((guint64) page->now_us);

  debug_html_put (html, "</main>\n<footer><p>Detour " DETOUR_VERSION ", ");
  debug_html_text (html, date);
  debug_html_put (html, "</p></footer>\n</body>\n</html>\n");
}

void
debug_page_write (DebugPage *page, const DebugPageClass *cls)
{
  DebugHtml *html = &page->html;
  g_autoptr (GError) error = NULL;
  gsize begin;

  debug_page_write_head (page, cls);
  debug_page_write_links (page, cls);
  debug_html_put (html, "<main id=\"main\" tabindex=\"-1\">\n");
  begin = html->out->len;
  if (!cls->write (page, &error))
    {
      if (page->status == 200)
        page->status = 503;
      g_string_truncate (html->out, begin);
      debug_html_say_element (html, "h1", NULL, N_ ("This cannot be shown"));
      debug_html_put (html, "\n");
      debug_html_element (html, "p", "bad", error->message);
      debug_html_put (html, "\n");
    }
  debug_page_write_end (page);
}

void
debug_page_write_plain (DebugPage *page, const DebugPageClass *cls)
{
  g_autoptr (GError) error = NULL;

  if (cls->write_plain (page, &error))
    return;
  page->status = 503;
  g_string_printf (page->html.out, "%s\n", error->message);
}
