/* cert-watch.c: watches directories and reports changes once they have settled.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Directories and not files, because a renewal replaces files, and a watch would stay with the old
 * one. */
#include "config.h"

#include "cert-watch.h"

#include <gio/gio.h>

struct _CertWatch {
  GHashTable *monitors; /* path of the directory → GFileMonitor */
  CertWatchChanged changed;
  gpointer user;
  guint settle_ms;
  guint settle_id; /* timer that runs; 0: none */
};

CertWatch *
cert_watch_new (guint settle_ms, CertWatchChanged changed, gpointer user)
{
  CertWatch *self = g_new0 (CertWatch, 1);

  self->monitors = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_object_unref);
  self->settle_ms = settle_ms;
  self->changed = changed;
  self->user = user;
  return self;
}

static gboolean
cert_watch_settled (gpointer ptr)
{
  CertWatch *self = ptr;

  self->settle_id = 0;
  self->changed (self->user);
  return G_SOURCE_REMOVE;
}

static void
cert_watch_event (GFileMonitor *monitor, GFile *file, GFile *other, GFileMonitorEvent event,
                  gpointer ptr)
{
  CertWatch *self = ptr;

  if (self->settle_id == 0)
    self->settle_id = g_timeout_add (self->settle_ms, cert_watch_settled, self);
}

gboolean
cert_watch_add (CertWatch *self, const char *path, GError **error)
{
  g_autofree char *directory = g_path_get_dirname (path);
  g_autoptr (GFile) file = g_file_new_for_path (directory);
  GFileMonitor *monitor;

  if (g_hash_table_contains (self->monitors, directory))
    return TRUE;
  monitor = g_file_monitor_directory (file, G_FILE_MONITOR_WATCH_MOVES, NULL, error);
  if (monitor == NULL)
    {
      g_prefix_error (error, "%s: cannot be watched: ", directory);
      return FALSE;
    }
  g_signal_connect (monitor, "changed", G_CALLBACK (cert_watch_event), self);
  g_hash_table_insert (self->monitors, g_steal_pointer (&directory), monitor);
  return TRUE;
}

void
cert_watch_free (CertWatch *self)
{
  GHashTableIter iter;
  gpointer monitor;

  g_hash_table_iter_init (&iter, self->monitors);
  while (g_hash_table_iter_next (&iter, NULL, &monitor))
    {
      g_signal_handlers_disconnect_by_data (monitor, self);
      g_file_monitor_cancel (monitor);
    }
  g_hash_table_unref (self->monitors);
  g_clear_handle_id (&self->settle_id, g_source_remove);
  g_free (self);
}
