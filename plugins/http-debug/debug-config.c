/* debug-config.c: the page with the configuration in use, without secrets.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-page.h"

#include <glib/gi18n-lib.h>
#include <string.h>

/* A URL may have a password before the `@`, and a key behind the `?`; keys that are secret are
 * masked already. */
static char *
debug_config_mask_urls (const char *text)
{
  static const char mask[] = "********";
  GString *out = g_string_new (NULL);
  const char *p = text, *url;

  while ((url = strstr (p, "://")) != NULL)
    {
      const char *host = url + strlen ("://");
      const char *end = host + strcspn (host, "; \t\r\n");
      const char *authority_end = host + strcspn (host, "/?#; \t\r\n");
      const char *at = g_strrstr_len (host, authority_end - host, "@");
      const char *query;

      g_string_append_len (out, p, host - p);
      if (at != NULL)
        g_string_append (out, mask);
      p = at != NULL ? at : host;
      query = memchr (p, '?', (gsize) (end - p));
      g_string_append_len (out, p, (query != NULL ? query + 1 : end) - p);
      if (query != NULL && query + 1 < end)
        g_string_append (out, mask);
      p = end;
    }
  g_string_append (out, p);
  return g_string_free (out, FALSE);
}

static void
debug_config_write_waiting (DebugPage *page, GVariant *manager)
{
  static const DebugColumn columns[] = {
    { N_ ("Key") }, { N_ ("In force") }, { N_ ("After a restart") }, { NULL }
  };
  DebugHtml *html = &page->html;
  g_autoptr (GVariant) waiting = debug_row_value (manager, "WaitingChanges", "a(sss)");
  GVariantIter iter;
  const char *key, *now, *then;

  if (waiting == NULL || g_variant_n_children (waiting) == 0)
    return;
  debug_html_begin_table (html, N_ ("Changes that wait for a restart"), columns);
  g_variant_iter_init (&iter, waiting);
  while (g_variant_iter_next (&iter, "(&s&s&s)", &key, &now, &then))
    {
      g_autofree char *masked_now = debug_config_mask_urls (now);
      g_autofree char *masked_then = debug_config_mask_urls (then);

      debug_html_put (html, "<tr>");
      debug_html_row_head (html, key);
      debug_html_cell (html, masked_now);
      debug_html_cell (html, masked_then);
      debug_html_put (html, "</tr>\n");
    }
  debug_html_end_table (html);
}

gboolean
debug_config_write (DebugPage *page, GError **error)
{
  DebugHtml *html = &page->html;
  g_autoptr (GVariant) manager = debug_source_manager (page->source, error);
  g_autoptr (GVariant) answer = NULL;
  g_autofree char *masked = NULL;
  const char *text;

  if (manager == NULL)
    return FALSE;
  answer = debug_source_call (page->source, "DumpConfig", NULL, error);
  if (answer == NULL)
    return FALSE;
  g_variant_get (answer, "(&s)", &text);
  debug_html_say_element (html, "h1", NULL, N_ ("Configuration"));
  debug_html_put (html, "\n");
  debug_config_write_waiting (page, manager);
  debug_html_put (html, "<pre tabindex=\"0\"><code>");
  masked = debug_config_mask_urls (text);
  debug_html_text (html, masked);
  debug_html_put (html, "</code></pre>\n");
  return TRUE;
}
