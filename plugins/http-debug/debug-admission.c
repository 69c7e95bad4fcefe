/* debug-admission.c: the page about who may use the relay, and who was refused.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-page.h"

#include <glib/gi18n-lib.h>

#include "debug-table.h"

#define REFUSED_MAX 50u
#define BANS_MAX    50u

static void
debug_admission_write_policy (DebugPage *page, GVariant *manager)
{
  DebugHtml *html = &page->html;
  g_autoptr (GVariant) row = debug_row_value (manager, "AdmissionSummary", "a{sv}");
  g_autofree char *chain = row != NULL ? debug_row_texts (row, "chain") : NULL;

  if (row == NULL)
    return;
  debug_html_put (html, "<dl class=\"facts\">\n");
  debug_html_fact (
      html, N_ ("Open to everyone"),
      page_language_say (html->language, debug_row_bool (row, "open") ? N_ ("yes") : N_ ("no")));
  debug_html_fact (html, N_ ("Asked in this order"), chain);
  debug_html_fact (html, N_ ("How many have to agree"), debug_row_text (row, "match"));
  debug_html_fact (
      html, N_ ("Refusals are carried out"),
      page_language_say (html->language, debug_row_bool (row, "dry_run") ? N_ ("no") : N_ ("yes")));
  debug_html_put (html, "</dl>\n");
}

static void
debug_admission_put_state (DebugHtml *html, GVariant *row, const char *member)
{
  gboolean is_down = debug_row_bool (row, member);

  debug_html_element (html, "td", is_down ? "bad" : "good",
                      is_down ? debug_row_text (row, "trouble")
                              : page_language_say (html->language, N_ ("answers")));
}

static void
debug_admission_put_latency (DebugHtml *html, GVariant *row, const char *member)
{
  g_autofree char *text = g_strdup_printf ("%.1f ms",
                                           (double) debug_row_number (row, member) / 1000);

  debug_html_number_cell (html, text);
}

static const DebugColumn sources[] = {
  { N_ ("Instance"), FALSE, "instance" },
  { N_ ("State"), FALSE, "is_down", debug_admission_put_state },
  { N_ ("Latency"), TRUE, "latency_us", debug_admission_put_latency },
  { N_ ("Asked"), TRUE, "asked", debug_table_put_count },
  { N_ ("Allowed"), TRUE, "allowed", debug_table_put_count },
  { N_ ("Denied"), TRUE, "denied", debug_table_put_count },
  { N_ ("Unavailable"), TRUE, "unavailable", debug_table_put_count },
  { N_ ("Timeouts"), TRUE, "timeouts", debug_table_put_count },
  { N_ ("From memory"), TRUE, "cached", debug_table_put_count },
  { N_ ("By grace"), TRUE, "by_grace", debug_table_put_count },
  { NULL },
};

static const DebugColumn refused[] = {
  { N_ ("Key"), FALSE, "key" },
  { N_ ("Address"), FALSE, "address" },
  { N_ ("By"), FALSE, "source" },
  { N_ ("Reason"), FALSE, "reason" },
  { N_ ("Last"), FALSE, "last", debug_table_put_date },
  { N_ ("Times"), TRUE, "count", debug_table_put_count },
  { N_ ("Held"), TRUE, "held", debug_table_put_count },
  { NULL },
};

static const DebugColumn bans[] = {
  { N_ ("Who"), FALSE, "target" },
  { N_ ("Reason"), FALSE, "reason" },
  { N_ ("Since"), FALSE, "since", debug_table_put_date },
  { N_ ("Until"), FALSE, "until", debug_table_put_date },
  { N_ ("Refused"), TRUE, "refused", debug_table_put_count },
  { NULL },
};

/* The first value of the answer; NULL with @error set. */
static GVariant *
debug_admission_ask (DebugPage *page, const char *method, guint limit, GError **error)
{
  GVariantBuilder options;
  g_autoptr (GVariant) answer = NULL;

  g_variant_builder_init (&options, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&options, "{sv}", "limit", g_variant_new_uint32 (limit));
  answer = debug_source_call (page->source, method, g_variant_new ("(a{sv})", &options), error);
  return answer != NULL ? g_variant_get_child_value (answer, 0) : NULL;
}

gboolean
debug_admission_write (DebugPage *page, GError **error)
{
  g_autoptr (GVariant) manager = debug_source_manager (page->source, error);
  g_autoptr (GVariant) asked = NULL;
  g_autoptr (GVariant) turned_away = NULL;
  g_autoptr (GVariant) banned = NULL;

  if (manager == NULL)
    return FALSE;
  turned_away = debug_admission_ask (page, "ListRefused", REFUSED_MAX, error);
  if (turned_away == NULL)
    return FALSE;
  banned = debug_admission_ask (page, "ListBans", BANS_MAX, error);
  if (banned == NULL)
    return FALSE;
  asked = debug_row_value (manager, "AdmissionSources", "aa{sv}");
  debug_html_say_element (&page->html, "h1", NULL, N_ ("Admission"));
  debug_html_put (&page->html, "\n");
  debug_admission_write_policy (page, manager);
  debug_table_write (&page->html, N_ ("Who is asked"), N_ ("Who is asked"), sources, asked,
                     N_ ("Nobody is asked."));
  debug_table_write (&page->html, N_ ("Refused lately"), N_ ("Refused lately"), refused,
                     turned_away, N_ ("Nobody was refused lately."));
  debug_table_write (&page->html, N_ ("Bans"), N_ ("Bans"), bans, banned,
                     N_ ("There are no bans."));
  return TRUE;
}
