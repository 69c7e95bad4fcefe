/* debug-check.c: whether what the relay knows of itself fits together, and whether all of it works.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-page.h"

#include <glib/gi18n-lib.h>

typedef struct {
  DebugPage *page;
  GPtrArray *faults; /* of char * */
} Check;

static void
debug_check_counts (GVariant *manager, GPtrArray *faults)
{
  guint64 keys = debug_row_number (manager, "ClientCount");
  guint64 connections = debug_row_number (manager, "ConnectionCount");
  guint64 several = debug_row_number (manager, "DuplicateCount");

  /* Each key with several connections has two at least, all others have one. */
  if (connections < keys + several || (several == 0 && connections != keys))
    g_ptr_array_add (faults,
                     g_strdup_printf ("%" G_GUINT64_FORMAT " connections for %" G_GUINT64_FORMAT
                                      " keys, of which %" G_GUINT64_FORMAT " have several",
                                      connections, keys, several));
}

static void
debug_check_sources (GVariant *manager, GPtrArray *faults)
{
  g_autoptr (GVariant) sources = debug_row_value (manager, "AdmissionSources", "aa{sv}");

  for (gsize i = 0; sources != NULL && i < g_variant_n_children (sources); i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (sources, i);

      if (debug_row_bool (row, "is_down"))
        g_ptr_array_add (faults, g_strdup_printf ("%s: %s", debug_row_text (row, "instance"),
                                                  debug_row_text (row, "trouble")));
    }
}

static void
debug_check_plugin (GVariant *row, gpointer user)
{
  const char *error = debug_row_text (row, "Error"), *trouble = debug_row_text (row, "Trouble");

  if (error[0] != '\0' || trouble[0] != '\0')
    g_ptr_array_add (
        ((Check *) user)->faults,
        g_strdup_printf ("%s: %s", debug_row_text (row, "Id"), error[0] != '\0' ? error : trouble));
}

static void
debug_check_listener (GVariant *row, gpointer user)
{
  g_autofree char *absent = debug_row_texts (row, "AbsentAddresses");

  if (absent[0] != '\0')
    g_ptr_array_add (
        ((Check *) user)->faults,
        g_strdup_printf ("%s: not on this host: %s", debug_row_text (row, "Instance"), absent));
}

static void
debug_check_certificate (GVariant *row, gpointer user)
{
  Check *check = user;
  guint64 until = debug_row_number (row, "NotAfter");

  if (until > 0 && until <= (guint64) check->page->now_us)
    g_ptr_array_add (check->faults,
                     g_strdup_printf ("%s: expired", debug_row_text (row, "Instance")));
}

/* What is wrong, one text each; NULL with @error set: that is not known. */
static GPtrArray *
debug_check_find (DebugPage *page, GError **error)
{
  g_autoptr (GPtrArray) faults = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GVariant) manager = debug_source_manager (page->source, error);
  g_autoptr (GVariant) objects = NULL;
  Check check = { page, faults };

  if (manager == NULL)
    return NULL;
  objects = debug_source_objects (page->source, error);
  if (objects == NULL)
    return NULL;
  if (!debug_row_bool (manager, "Ready") || debug_row_bool (manager, "Draining"))
    g_ptr_array_add (faults, g_strdup ("the relay takes no clients now"));
  debug_check_counts (manager, faults);
  debug_check_sources (manager, faults);
  debug_objects_each (objects, "Plugin", debug_check_plugin, &check);
  debug_objects_each (objects, "Listener", debug_check_listener, &check);
  debug_objects_each (objects, "Certificate", debug_check_certificate, &check);
  return g_steal_pointer (&faults);
}

gboolean
debug_check_write (DebugPage *page, GError **error)
{
  DebugHtml *html = &page->html;
  g_autoptr (GPtrArray) faults = debug_check_find (page, error);

  if (faults == NULL)
    return FALSE;
  debug_html_say_element (html, "h1", NULL, N_ ("Check"));
  debug_html_put (html, "\n");
  if (faults->len == 0)
    {
      debug_html_say_element (html, "p", "good",
                              N_ ("All is well: the counts fit together, and "
                                  "everything runs that should."));
      debug_html_put (html, "\n");
      return TRUE;
    }
  page->status = 500;
  debug_html_put (html, "<ul>\n");
  for (guint i = 0; i < faults->len; i++)
    {
      debug_html_element (html, "li", "bad", faults->pdata[i]);
      debug_html_put (html, "\n");
    }
  debug_html_put (html, "</ul>\n");
  return TRUE;
}

/* As derper answers: one line. */
gboolean
debug_check_write_plain (DebugPage *page, GError **error)
{
  GString *out = page->html.out;
  g_autoptr (GPtrArray) faults = debug_check_find (page, error);

  if (faults == NULL)
    return FALSE;
  if (faults->len > 0)
    page->status = 500;
  else
    g_string_append (out, "ok");
  for (guint i = 0; i < faults->len; i++)
    g_string_append_printf (out, "%s%s", i > 0 ? ", " : "", (const char *) faults->pdata[i]);
  g_string_append_c (out, '\n');
  return TRUE;
}
