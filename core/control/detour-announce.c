/* detour-announce.c: which D-Bus signals tell that objects changed from one state to another.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-announce.h"

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

void
detour_announce_properties (const char *path, const char *interface, GVariant *before,
                            GVariant *now, DetourAnnounceEmit emit, gpointer user)
{
  GVariantBuilder changed;
  GVariantIter iter;
  const char *name;
  GVariant *value;
  gboolean any = FALSE;

  g_variant_builder_init (&changed, G_VARIANT_TYPE_VARDICT);
  g_variant_iter_init (&iter, now);
  while (g_variant_iter_loop (&iter, "{&sv}", &name, &value))
    {
      g_autoptr (GVariant) old = g_variant_lookup_value (before, name, NULL);

      if (old != NULL && g_variant_equal (old, value))
        continue;
      g_variant_builder_add (&changed, "{sv}", name, value);
      any = TRUE;
    }
  if (any)
    emit (path, "org.freedesktop.DBus.Properties", "PropertiesChanged",
          g_variant_new ("(sa{sv}as)", interface, &changed, NULL), user);
  else
    g_variant_builder_clear (&changed);
}

static void
announce_removed (const char *root, const char *path, GVariant *interfaces, DetourAnnounceEmit emit,
                  gpointer user)
{
  GVariantBuilder names;
  GVariantIter iter;
  const char *name;

  g_variant_builder_init (&names, G_VARIANT_TYPE_STRING_ARRAY);
  g_variant_iter_init (&iter, interfaces);
  while (g_variant_iter_loop (&iter, "{&s@a{sv}}", &name, NULL))
    g_variant_builder_add (&names, "s", name);
  emit (root, OBJECT_MANAGER, "InterfacesRemoved", g_variant_new ("(oas)", path, &names), user);
}

static void
announce_kept (const char *path, GVariant *before, GVariant *now, DetourAnnounceEmit emit,
               gpointer user)
{
  GVariantIter iter;
  const char *interface;
  GVariant *properties;

  g_variant_iter_init (&iter, now);
  while (g_variant_iter_loop (&iter, "{&s@a{sv}}", &interface, &properties))
    {
      g_autoptr (GVariant) old = g_variant_lookup_value (before, interface, G_VARIANT_TYPE_VARDICT);

      if (old != NULL)
        detour_announce_properties (path, interface, old, properties, emit, user);
    }
}

void
detour_announce_objects (const char *root, GVariant *before, GVariant *now, DetourAnnounceEmit emit,
                         gpointer user)
{
  const GVariantType *type = G_VARIANT_TYPE ("a{sa{sv}}");
  GVariantIter iter;
  const char *path;
  GVariant *interfaces;

  g_variant_iter_init (&iter, before);
  while (g_variant_iter_loop (&iter, "{&o@a{sa{sv}}}", &path, &interfaces))
    {
      g_autoptr (GVariant) kept = g_variant_lookup_value (now, path, type);

      if (kept == NULL)
        announce_removed (root, path, interfaces, emit, user);
    }
  g_variant_iter_init (&iter, now);
  while (g_variant_iter_loop (&iter, "{&o@a{sa{sv}}}", &path, &interfaces))
    {
      g_autoptr (GVariant) old = g_variant_lookup_value (before, path, type);

      if (old != NULL)
        announce_kept (path, old, interfaces, emit, user);
      else
        emit (root, OBJECT_MANAGER, "InterfacesAdded",
              g_variant_new ("(o@a{sa{sv}})", path, interfaces), user);
    }
}
