/* debug-source.c: what pages ask of the daemon, by the objects of doc/control.md.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-source.h"

#define PREFIX "io.github.detourd.Detour1."

GVariant *
debug_source_call (DebugSource *self, const char *method, GVariant *arguments, GError **error)
{
  return self->call (self, "", PREFIX "Manager", method, arguments, error);
}

GVariant *
debug_source_manager (DebugSource *self, GError **error)
{
  g_autoptr (GVariant) answer = self->call (self, "", "org.freedesktop.DBus.Properties", "GetAll",
                                            g_variant_new ("(s)", PREFIX "Manager"), error);

  return answer != NULL ? g_variant_get_child_value (answer, 0) : NULL;
}

GVariant *
debug_source_objects (DebugSource *self, GError **error)
{
  g_autoptr (GVariant) answer = self->call (self, "", "org.freedesktop.DBus.ObjectManager",
                                            "GetManagedObjects", NULL, error);

  return answer != NULL ? g_variant_get_child_value (answer, 0) : NULL;
}

GVariant *
debug_row_value (GVariant *row, const char *name, const char *type)
{
  return g_variant_lookup_value (row, name, G_VARIANT_TYPE (type));
}

const char *
debug_row_text (GVariant *row, const char *name)
{
  const char *text = "";

  g_variant_lookup (row, name, "&s", &text);
  return text;
}

guint64
debug_row_number (GVariant *row, const char *name)
{
  guint64 number = 0;
  guint32 small;

  if (!g_variant_lookup (row, name, "t", &number) && g_variant_lookup (row, name, "u", &small))
    number = small;
  return number;
}

gboolean
debug_row_bool (GVariant *row, const char *name)
{
  gboolean value = FALSE;

  g_variant_lookup (row, name, "b", &value);
  return value;
}

const char *
debug_row_how (GVariant *row)
{
  static const char *const members[] = { "Error", "Trouble" };

  for (guint i = 0; i < G_N_ELEMENTS (members); i++)
    {
      const char *text = debug_row_text (row, members[i]);

      if (text[0] != '\0')
        return text;
    }
  return debug_row_text (row, "Summary");
}

char *
debug_row_texts (GVariant *row, const char *name)
{
  g_autoptr (GVariant) list = debug_row_value (row, name, "as");
  g_autofree const char **texts = list != NULL ? g_variant_get_strv (list, NULL) : NULL;

  return texts != NULL ? g_strjoinv (", ", (char **) texts) : g_strdup ("");
}

void
debug_objects_each (GVariant *objects, const char *interface,
                    void (*func) (GVariant *row, gpointer user), gpointer user)
{
  g_autofree char *name = g_strconcat (PREFIX, interface, NULL);
  GVariantIter iter;
  GVariant *interfaces;

  g_variant_iter_init (&iter, objects);
  while (g_variant_iter_next (&iter, "{&o@a{sa{sv}}}", NULL, &interfaces))
    {
      g_autoptr (GVariant) row = g_variant_lookup_value (interfaces, name, G_VARIANT_TYPE_VARDICT);

      if (row != NULL)
        func (row, user);
      g_variant_unref (interfaces);
    }
}
