/* detour-client-options.c: what a caller says about a list of clients.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-client-options.h"

#include "detour-control-error.h"

#define LIMIT_DEFAULT 100u
#define LIMIT_MAX     1000u

static gboolean
client_options_read_limit (DetourClientOptions *self, guint limit, GError **error)
{
  self->limit = limit;
  if (limit >= 1 && limit <= LIMIT_MAX)
    return TRUE;
  g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
               "limit: %u is not from 1 to %u", limit, LIMIT_MAX);
  return FALSE;
}

static void
client_options_take_text (char **text, GVariant *value)
{
  g_free (*text);
  *text = g_variant_dup_string (value, NULL);
}

static gboolean
client_options_read_one (DetourClientOptions *self, const char *name, GVariant *value,
                         gboolean finds, GError **error)
{
  gboolean is_text = g_variant_is_of_type (value, G_VARIANT_TYPE_STRING);
  gboolean is_number = g_variant_is_of_type (value, G_VARIANT_TYPE_UINT32);

  if (g_str_equal (name, "limit") && is_number)
    return client_options_read_limit (self, g_variant_get_uint32 (value), error);
  if (g_str_equal (name, "sort") && is_text)
    return detour_client_sort_from_name (g_variant_get_string (value, NULL), &self->sort, error);
  if (g_str_equal (name, "reverse") && g_variant_is_of_type (value, G_VARIANT_TYPE_BOOLEAN))
    self->reverse = g_variant_get_boolean (value);
  else if (g_str_equal (name, "rates") && g_variant_is_of_type (value, G_VARIANT_TYPE_BOOLEAN))
    self->rates = g_variant_get_boolean (value);
  else if (finds && g_str_equal (name, "first") && is_number)
    self->first = g_variant_get_uint32 (value);
  else if (finds && g_str_equal (name, "search") && is_text)
    client_options_take_text (&self->search, value);
  else if (!finds && g_str_equal (name, "after") && is_text)
    client_options_take_text (&self->after, value);
  else
    {
      g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
                   "%s of type %s: there are limit (u), %s, sort (s), reverse (b) and rates (b)",
                   name, g_variant_get_type_string (value),
                   finds ? "first (u), search (s)" : "after (s)");
      return FALSE;
    }
  return TRUE;
}

gboolean
detour_client_options_read (DetourClientOptions *self, GVariant *options, gboolean finds,
                            GError **error)
{
  gsize n = g_variant_n_children (options);

  *self = (DetourClientOptions) { .sort = DETOUR_CLIENT_SORT_CONNECTION, .limit = LIMIT_DEFAULT };
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) value = NULL;
      g_autofree char *name = NULL;

      g_variant_get_child (options, i, "{sv}", &name, &value);
      if (!client_options_read_one (self, name, value, finds, error))
        return FALSE;
    }
  self->rates |= detour_client_sort_needs_rates (self->sort);
  return TRUE;
}

void
detour_client_options_clear (DetourClientOptions *self)
{
  g_clear_pointer (&self->after, g_free);
  g_clear_pointer (&self->search, g_free);
}
