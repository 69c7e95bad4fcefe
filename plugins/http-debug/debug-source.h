/* debug-source.h: what pages ask of the daemon, by the objects of doc/control.md.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _DebugSource DebugSource;
struct _DebugSource {
  /* The answer, a tuple; NULL with @error set. @path: below the root, "" for the root; @arguments:
   * (nullable): floating, taken */
  GVariant *(*call) (DebugSource *self, const char *path, const char *interface, const char *method,
                     GVariant *arguments, GError **error);
};

/* A method of the Manager. */
GVariant *debug_source_call (DebugSource *self, const char *method, GVariant *arguments,
                             GError **error);
/* All properties of the Manager, a{sv}. */
GVariant *debug_source_manager (DebugSource *self, GError **error);
/* All objects of the daemon, a{oa{sa{sv}}}. */
GVariant *debug_source_objects (DebugSource *self, GError **error);

/* Values of an a{sv}; of one that is missing, or of another type: "", 0, FALSE, NULL. */
const char *debug_row_text (GVariant *row, const char *name);
guint64 debug_row_number (GVariant *row, const char *name);
gboolean debug_row_bool (GVariant *row, const char *name);
GVariant *debug_row_value (GVariant *row, const char *name, const char *type); /* (transfer full) */
/* How an instance of a plugin is: its error, else its trouble, else its summary. @row: its
 * properties */
const char *debug_row_how (GVariant *row);
/* Texts of an `as`, with ", " between them; free with g_free(). */
char *debug_row_texts (GVariant *row, const char *name);

/* Calls @func for each object of that interface, "Plugin"; @row: its properties. */
void debug_objects_each (GVariant *objects, const char *interface,
                         void (*func) (GVariant *row, gpointer user), gpointer user);

G_END_DECLS
