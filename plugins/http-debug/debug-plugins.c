/* debug-plugins.c: the page with the instances of plugins and how each is switched.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-page.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "debug-table.h"

/* The class of a state, for its colour; the word says the same. */
static const char *
debug_plugins_state_class (GVariant *row)
{
  const char *state = debug_row_text (row, "State");

  if (strcmp (state, "failed") == 0 || debug_row_text (row, "Trouble")[0] != '\0')
    return "bad";
  return strcmp (state, "running") == 0 ? "good" : "off";
}

static const char *
debug_plugins_state (const char *state)
{
  static const char *const states[] = { N_ ("running"), N_ ("starting"), N_ ("failed"),
                                        N_ ("stopped"), N_ ("disabled") };

  for (guint i = 0; i < G_N_ELEMENTS (states); i++)
    if (strcmp (states[i], state) == 0)
      return states[i];
  return state;
}

static void
debug_plugins_put_state (DebugHtml *html, GVariant *row, const char *member)
{
  debug_html_say_element (html, "td", debug_plugins_state_class (row),
                          debug_plugins_state (debug_row_text (row, member)));
}

static void
debug_plugins_put_how (DebugHtml *html, GVariant *row, const char *member)
{
  debug_html_cell (html, debug_row_how (row));
}

static const DebugColumn instances[] = {
  { N_ ("Instance"), FALSE, "Id" },
  { N_ ("Plugin"), FALSE, "Plugin" },
  { N_ ("Switch and state"), FALSE, "State", debug_plugins_put_state },
  { N_ ("Since"), FALSE, "Since", debug_table_put_date },
  { N_ ("How it is"), FALSE, NULL, debug_plugins_put_how },
  { N_ ("About"), FALSE, "About" },
  { NULL },
};

static void
debug_plugins_write_instance (GVariant *row, gpointer user)
{
  debug_table_write_row (&((DebugPage *) user)->html, instances, row);
}

/* ---- listeners ------------------------------------------------------------------------------- */

static void
debug_plugins_put_absent (DebugHtml *html, GVariant *row, const char *member)
{
  g_autofree char *absent = debug_row_texts (row, member);

  debug_html_element (html, "td", absent[0] != '\0' ? "bad" : NULL, absent);
}

static void
debug_plugins_put_bool (DebugHtml *html, GVariant *row, const char *member)
{
  debug_html_say_element (html, "td", NULL, debug_row_bool (row, member) ? N_ ("yes") : N_ ("no"));
}

static const DebugColumn listeners[] = {
  { N_ ("Instance"), FALSE, "Instance" },
  { N_ ("Protocol"), FALSE, "Protocol" },
  { N_ ("Addresses"), FALSE, "Addresses", debug_table_put_texts },
  { N_ ("Not on this host"), FALSE, "AbsentAddresses", debug_plugins_put_absent },
  { N_ ("Clients log in"), FALSE, "Derp", debug_plugins_put_bool },
  { N_ ("Certificate"), FALSE, "Certificate" },
  { NULL },
};

static void
debug_plugins_write_listener (GVariant *row, gpointer user)
{
  debug_table_write_row (&((DebugPage *) user)->html, listeners, row);
}

gboolean
debug_plugins_write (DebugPage *page, GError **error)
{
  DebugHtml *html = &page->html;
  g_autoptr (GVariant) objects = debug_source_objects (page->source, error);

  if (objects == NULL)
    return FALSE;
  debug_html_say_element (html, "h1", NULL, N_ ("Plugins"));
  debug_html_put (html, "\n");
  debug_html_begin_table (html, N_ ("Instances of plugins"), instances);
  debug_objects_each (objects, "Plugin", debug_plugins_write_instance, page);
  debug_html_end_table (html);
  debug_html_put (html, "<p>");
  debug_html_say (html, N_ ("They are switched by an operator at a terminal:"));
  debug_html_put (html, " <code>detourctl plugin disable INSTANCE</code></p>\n");
  debug_html_begin_table (html, N_ ("Listeners"), listeners);
  debug_objects_each (objects, "Listener", debug_plugins_write_listener, page);
  debug_html_end_table (html);
  return TRUE;
}
