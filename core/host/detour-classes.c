/* detour-classes.c: the [class NAME] groups of a configuration.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-classes.h"

#include <string.h>

DetourClass *
detour_class_new (const char *name, DetourSettings *settings)
{
  DetourClass *self = g_new0 (DetourClass, 1);

  self->name = g_strdup (name);
  self->settings = settings;
  detour_settings_fill (settings, &self->options);
  return self;
}

void
detour_class_free (gpointer data)
{
  DetourClass *self = data;

  g_free (self->name);
  detour_settings_unref (self->settings);
  g_free (self);
}

const DetourClass *
detour_classes_find (const GPtrArray *classes, const char *name)
{
  for (guint i = 0; i < classes->len; i++)
    {
      const DetourClass *self = classes->pdata[i];

      if (strcmp (self->name, name) == 0)
        return self;
    }
  return NULL;
}
