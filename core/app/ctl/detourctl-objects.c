/* detourctl-objects.c: reads what a daemon says of its objects.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl.h"

void
detourctl_each_object (GVariant *objects, const char *interface, DetourctlObjectFunc func,
                       gpointer user)
{
  g_autofree char *full = g_strconcat (DETOUR_BUS_NAME, ".", interface, NULL);
  GVariantIter iter;
  const char *path;
  GVariant *interfaces;

  g_variant_iter_init (&iter, objects);
  while (g_variant_iter_loop (&iter, "{&o@a{sa{sv}}}", &path, &interfaces))
    {
      g_autoptr (GVariant)
          properties = g_variant_lookup_value (interfaces, full, G_VARIANT_TYPE_VARDICT);

      if (properties != NULL)
        func (path, properties, user);
    }
}

const char *
detourctl_text (GVariant *dict, const char *name)
{
  const char *text = NULL;

  return dict != NULL && g_variant_lookup (dict, name, "&s", &text) ? text : "";
}

guint64
detourctl_number (GVariant *dict, const char *name)
{
  guint64 number;
  guint32 small;

  if (dict == NULL)
    return 0;
  if (g_variant_lookup (dict, name, "t", &number))
    return number;
  return g_variant_lookup (dict, name, "u", &small) ? small : 0;
}

guint64
detourctl_n_clients (GVariant *manager)
{
  guint64 n = detourctl_number (manager, "ClientCount");

  return n - MIN (n, detourctl_number (manager, "MeshConnectionCount"));
}

gint64
detourctl_microseconds (GVariant *dict, const char *name)
{
  return (gint64) MIN (detourctl_number (dict, name), DETOURCTL_MICROSECONDS_MAX);
}

gboolean
detourctl_flag (GVariant *dict, const char *name)
{
  gboolean flag;

  return dict != NULL && g_variant_lookup (dict, name, "b", &flag) && flag;
}
