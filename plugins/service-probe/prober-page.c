/* prober-page.c: what the last look saw, as a page for people and as the document of the program.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "prober-page.h"

#include <glib/gi18n-lib.h>

#define PAGE_PATH     "/debug/probe"
#define DOCUMENT_PATH "/debug/probe.json"

struct _ProberPage {
  PageWords *words;
  GMutex lock;          /* of what follows */
  ProberReport *report; /* NULL: nothing was looked at yet */
  char *document;       /* NULL likewise */
  char *when;           /* NULL likewise */
};

/* ---- the page -------------------------------------------------------------------------------- */

/* @class: (nullable): for the colour */
static void
prober_page_put_cell (GString *out, const char *class, const char *text)
{
  g_autofree char *escaped = g_markup_escape_text (text, -1);

  if (class != NULL)
    g_string_append_printf (out, "<td class=\"%s\">%s</td>", class, escaped);
  else
    g_string_append_printf (out, "<td>%s</td>", escaped);
}

static const char *
prober_page_class (ProberStatus status)
{
  static const char *const classes[] = { "good", "bad", "bad", "off" };

  return classes[status];
}

static void
prober_page_put_check (GString *out, const ProberCheck *check, const PageLanguage *language)
{
  static const char *const names[] = { N_ ("good"), N_ ("warning"), N_ ("failed"), N_ ("skipped") };

  g_autofree char *time = check->took_us >= 0
                            ? g_strdup_printf ("%.1f ms", (double) check->took_us / 1000)
                            : g_strdup ("");

  g_string_append (out, "<tr>");
  prober_page_put_cell (out, NULL, check->region);
  prober_page_put_cell (out, NULL, check->node);
  prober_page_put_cell (out, NULL, check->check);
  prober_page_put_cell (out, prober_page_class (check->status),
                        page_language_say (language, names[check->status]));
  prober_page_put_cell (out, NULL, time);
  prober_page_put_cell (out, NULL, check->text);
  g_string_append (out, "</tr>\n");
}

static void
prober_page_put_element (GString *out, const PageLanguage *language, const char *tag,
                         const char *text)
{
  g_autofree char *escaped = g_markup_escape_text (page_language_say (language, text), -1);

  g_string_append_printf (out, "<%s>%s</%s>", tag, escaped, tag);
}

/* The way back to the pages of others. The query has the key, if any. */
static void
prober_page_put_head (GString *out, const PageLanguage *language, const char *query)
{
  g_autofree char *escaped = g_markup_escape_text (query, -1);
  const char *mark = *query != '\0' ? "?" : "";

  g_string_append_printf (
      out,
      "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>%s – Detour</title>\n<link rel=\"stylesheet\" href=\"/debug/style.css%s%s\">\n"
      "</head>\n<body>\n<header>\n<p class=\"name\">Detour</p>\n<nav>\n<ul>\n<li><a "
      "href=\"/debug/%s%s\">",
      page_language_tag (language), page_language_say (language, N_ ("Probe")), mark, escaped, mark,
      escaped);
  g_string_append_printf (out,
                          "%s</a></li>\n<li><a aria-current=\"page\" href=\"" PAGE_PATH
                          "%s%s\">%s</a></li>\n</ul>\n</nav>\n</header>\n",
                          page_language_say (language, N_ ("Overview")), mark, escaped,
                          page_language_say (language, N_ ("Probe")));
}

static void
prober_page_put_counts (GString *out, const ProberReport *report, const char *when,
                        const PageLanguage *language)
{
  static const char *const names[] = { N_ ("Good"), N_ ("Warnings"), N_ ("Failed"),
                                       N_ ("Skipped") };

  g_string_append (out, "<dl>\n<div>");
  prober_page_put_element (out, language, "dt", N_ ("Seen at"));
  g_string_append_printf (out, "<dd>%s</dd></div>\n", when);
  for (guint i = 0; i < PROBER_N_STATUS; i++)
    {
      g_string_append (out, "<div>");
      prober_page_put_element (out, language, "dt", names[i]);
      g_string_append_printf (out, "<dd>%u</dd></div>\n", report->n[i]);
    }
  g_string_append (out, "</dl>\n");
}

char *
prober_page_write (const ProberReport *report, const char *when, const PageLanguage *language,
                   const char *query)
{
  static const char *const columns[] = { N_ ("Region"), N_ ("Node"), N_ ("Check"),
                                         N_ ("Result"), N_ ("Time"), N_ ("Detail") };
  GString *out = g_string_new (NULL);

  prober_page_put_head (out, language, query);
  g_string_append (out, "<main>\n");
  prober_page_put_element (out, language, "h1", N_ ("What clients meet"));
  g_string_append_c (out, '\n');
  prober_page_put_counts (out, report, when, language);
  g_string_append (out, "<table>\n<thead><tr>");
  for (guint i = 0; i < G_N_ELEMENTS (columns); i++)
    prober_page_put_element (out, language, "th", columns[i]);
  g_string_append (out, "</tr></thead>\n<tbody>\n");
  for (guint i = 0; i < report->checks->len; i++)
    prober_page_put_check (out, report->checks->pdata[i], language);
  g_string_append (out, "</tbody>\n</table>\n");
  for (guint i = 0; i < report->advice->len; i++)
    {
      g_autofree char *text = g_markup_escape_text (report->advice->pdata[i], -1);

      g_string_append_printf (out, "<p>%s</p>\n", text);
    }
  g_string_append (out, "</main>\n</body>\n</html>\n");
  return g_string_free (out, FALSE);
}

/* ---- the routes ------------------------------------------------------------------------------ */

/* @text: (nullable): nothing was looked at yet */
static void
prober_page_answer (const char *text, const char *type, DetourHttpResponse *response)
{
  if (text != NULL)
    detour_http_response_set_body (response, type, text, -1);
  else
    {
      detour_http_response_set_status (response, 503);
      /* The first look begins as soon as the relay takes clients, and takes some seconds. */
      detour_http_response_add_header (response, "Retry-After", "5");
      detour_http_response_set_body (response, "text/plain; charset=utf-8",
                                     "nothing was looked at yet\n", -1);
    }
  detour_http_response_add_header (response, "Cache-Control", "no-store");
}

static void
prober_page_handle_page (gpointer user, const DetourHttpRequest *request,
                         DetourHttpResponse *response)
{
  ProberPage *self = user;
  const PageLanguage *language = page_words_choose (
      self->words, detour_http_request_header (request, "Accept-Language"));
  g_autofree char *page = NULL;

  g_mutex_lock (&self->lock);
  if (self->report != NULL)
    page = prober_page_write (self->report, self->when, language,
                              detour_http_request_query (request));
  g_mutex_unlock (&self->lock);
  prober_page_answer (page, "text/html; charset=utf-8", response);
  detour_http_response_add_header (response, "Vary", "Accept-Language");
  detour_http_response_add_browser_headers (response);
}

static void
prober_page_handle_document (gpointer user, const DetourHttpRequest *request,
                             DetourHttpResponse *response)
{
  ProberPage *self = user;

  g_mutex_lock (&self->lock);
  prober_page_answer (self->document, "application/json; charset=utf-8", response);
  g_mutex_unlock (&self->lock);
}

static const DetourHttpRoute prober_page_routes[] = {
  { PAGE_PATH, DETOUR_HTTP_GET, DETOUR_SITE_ADMIN, prober_page_handle_page, DETOUR_HTTP_PAGE },
  { DOCUMENT_PATH, DETOUR_HTTP_GET, DETOUR_SITE_ADMIN, prober_page_handle_document },
  { NULL },
};

ProberPage *
prober_page_new (DetourHost *host)
{
  ProberPage *self = g_new0 (ProberPage, 1);
  g_autoptr (GError) error = NULL;

  self->words = page_words_new (detour_host_locale_directory (host));
  g_mutex_init (&self->lock);
  if (!detour_host_add_routes (host, prober_page_routes, self, &error))
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_INFO, DETOUR_LOG_INSTANCE,
                      detour_host_instance (host), "MESSAGE", "%s has no page: %s",
                      detour_host_instance (host), error->message);
  return self;
}

static void
prober_page_forget (ProberPage *self)
{
  g_clear_pointer (&self->report, prober_report_free);
  g_clear_pointer (&self->document, g_free);
  g_clear_pointer (&self->when, g_free);
}

void
prober_page_free (ProberPage *self)
{
  prober_page_forget (self);
  page_words_free (self->words);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
prober_page_update (ProberPage *self, ProberReport *report, const char *document, gsize len)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();

  g_mutex_lock (&self->lock);
  prober_page_forget (self);
  self->report = report;
  self->document = g_strndup (document, len);
  self->when = g_date_time_format (now, "%Y-%m-%d %H:%M:%S UTC");
  g_mutex_unlock (&self->lock);
}
