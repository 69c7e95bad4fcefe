/* test-event-file.c: tests of the file of events, as it is there for an upgrade.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-event-file.h"

#include <glib/gstdio.h>

static void
note (const char *text)
{
  detour_events_note (DETOUR_EVENT_SAY, NULL, NULL, NULL, "%s", text);
}

/* What other threads note while it pauses is written after all, unless it is said to be there. */
static void
test_pauses (void)
{
  g_autofree char *directory = g_dir_make_tmp (NULL, NULL);
  g_autofree char *path = g_build_filename (directory, "events", NULL);
  DetourEventFile *file = detour_event_file_new (path, 1 << 20, DETOUR_LOG_PRIVACY_FULL);
  g_autoptr (GPtrArray) events = NULL;
  g_autoptr (GString) found = g_string_new (NULL);
  gint64 before_us;

  note ("a");
  detour_event_file_pause (file);
  note ("b");
  detour_event_file_go_on (file);
  note ("c");
  detour_event_file_pause (file);
  note ("d");
  before_us = g_get_real_time () + 1;
  while (g_get_real_time () < before_us)
    g_usleep (1);
  note ("e");
  detour_event_file_skip (file, before_us);
  detour_event_file_go_on (file);
  note ("f");
  detour_event_file_free (file);
  events = detour_event_file_read (path, NULL, 0, G_MAXINT64, 100);
  for (guint i = 0; i < events->len; i++)
    g_string_append (found, ((const DetourEvent *) events->pdata[i])->text);
  g_assert_cmpstr (found->str, ==, "abcef");
  g_unlink (path);
  g_rmdir (directory);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/event-file/pauses", test_pauses);
  return g_test_run ();
}
