/* detour-classes.h: the [class NAME] groups of a configuration.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a class does to a client is in detour-terms.h. */
#pragma once

#include "detour-schema.h"
#include "detour-settings.h"

G_BEGIN_DECLS

/* One of them. */
typedef struct {
  char *name;               /* "friends" */
  DetourSettings *settings; /* of detour_schema_class */
  DetourClassOptions options;
} DetourClass;

/* @settings: handed over */
DetourClass *detour_class_new (const char *name, DetourSettings *settings);
void detour_class_free (gpointer self);

/* @classes: of DetourClass. NULL when there is none of that name. */
const DetourClass *detour_classes_find (const GPtrArray *classes, const char *name);

G_END_DECLS
