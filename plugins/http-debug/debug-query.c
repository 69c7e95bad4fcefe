/* debug-query.c: the query of a request for a page.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-query.h"

#include <string.h>

/* Parameters that are looked at. */
#define PARAMETERS_MAX 32u

struct _DebugQuery {
  GHashTable *values;
};

DebugQuery *
debug_query_new (const char *text)
{
  DebugQuery *self = g_new0 (DebugQuery, 1);
  g_auto (GStrv) parts = g_strsplit (text, "&", PARAMETERS_MAX);

  self->values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  for (guint i = 0; parts[i] != NULL; i++)
    {
      char *sign = strchr (parts[i], '=');
      g_autofree char *value = NULL;

      if (sign != NULL)
        *sign = '\0';
      value = g_uri_unescape_string (
          g_strdelimit (sign != NULL ? sign + 1 : parts[i] + strlen (parts[i]), "+", ' '), NULL);
      if (value != NULL && g_utf8_validate (value, -1, NULL)
          && !g_hash_table_contains (self->values, parts[i]))
        g_hash_table_insert (self->values, g_strdup (parts[i]), g_steal_pointer (&value));
    }
  return self;
}

void
debug_query_free (DebugQuery *self)
{
  g_hash_table_unref (self->values);
  g_free (self);
}

const char *
debug_query_get (const DebugQuery *self, const char *name)
{
  return g_hash_table_lookup (self->values, name);
}

guint
debug_query_number (const DebugQuery *self, const char *name, guint max, guint fallback)
{
  const char *text = debug_query_get (self, name);
  guint64 number;

  if (text != NULL && g_ascii_string_to_unsigned (text, 10, 0, max, &number, NULL))
    return (guint) number;
  return fallback;
}

void
debug_query_append (GString *out, const char *name, const char *value)
{
  g_autofree char *escaped = g_uri_escape_string (value, NULL, FALSE);

  g_string_append_printf (out, "%s=%s&", name, escaped);
}
