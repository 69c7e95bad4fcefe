/* debug-certificates.c: the page with the certificates and their renewal.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-page.h"

#include <glib/gi18n-lib.h>

#include "debug-fact.h"
#include "debug-format.h"

/* Days left at which a certificate that nobody renews is a reason to look. */
#define SOON_US (7 * G_TIME_SPAN_DAY)

static void
debug_certificates_write_left (DebugPage *page, GVariant *row)
{
  DebugHtml *html = &page->html;
  gint64 left_us = (gint64) debug_row_number (row, "NotAfter") - page->now_us;
  g_autofree char *text = debug_format_span (html->language, left_us);

  debug_html_put (html, "<div>");
  debug_html_say_element (html, "dt", NULL, N_ ("Time left"));
  debug_html_element (html, "dd", left_us < SOON_US ? "bad" : NULL,
                      left_us > 0 ? text : page_language_say (html->language, N_ ("expired")));
  debug_html_put (html, "</div>\n");
}

static void
debug_certificates_write_one (GVariant *row, gpointer user)
{
  DebugPage *page = user;
  DebugHtml *html = &page->html;
  g_autofree char *names = debug_row_texts (row, "Names");

  debug_html_element (html, "h2", NULL, debug_row_text (row, "Instance"));
  debug_html_put (html, "\n<dl class=\"facts\">\n");
  debug_fact_text (html, row, N_ ("State"), "State");
  debug_html_fact (html, N_ ("Names"), names);
  debug_fact_texts (html, row, N_ ("Names it should have"), "WantedNames");
  if (debug_row_number (row, "NotAfter") > 0)
    debug_certificates_write_left (page, row);
  debug_fact_date (html, row, N_ ("Valid from"), "NotBefore");
  debug_fact_date (html, row, N_ ("Valid until"), "NotAfter");
  debug_fact_text (html, row, N_ ("Issuer"), "Issuer");
  debug_fact_text (html, row, N_ ("Authority"), "Authority");
  debug_fact_text (html, row, N_ ("Pin"), "Pin");
  debug_fact_date (html, row, N_ ("Renewed on"), "RenewTime");
  debug_fact_text (html, row, N_ ("Last fault"), "Error");
  debug_fact_text (html, row, N_ ("What helps"), "Remedy");
  debug_fact_date (html, row, N_ ("Tried again on"), "NextTry");
  debug_html_put (html, "</dl>\n");
}

gboolean
debug_certificates_write (DebugPage *page, GError **error)
{
  g_autoptr (GVariant) objects = debug_source_objects (page->source, error);

  if (objects == NULL)
    return FALSE;
  debug_html_say_element (&page->html, "h1", NULL, N_ ("Certificates"));
  debug_html_put (&page->html, "\n");
  debug_objects_each (objects, "Certificate", debug_certificates_write_one, page);
  return TRUE;
}
