/* detour-schema.h: the keys of the fixed groups, and what core itself reads of each instance's
 * group.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

extern const DetourConfigKey detour_schema_core[];
extern const DetourConfigKey detour_schema_limits[];
extern const DetourConfigKey detour_schema_admission[];
extern const DetourConfigKey
    detour_schema_instance[]; /* `plugin` and `enabled` of each [KIND NAME] */

/* The fixed groups with their tables; ends with { NULL, NULL }. */
typedef struct {
  const char *name;
  const DetourConfigKey *table;
} DetourSchemaGroup;

extern const DetourSchemaGroup detour_schema_groups[];

/* "transport", …; NULL behind the last. */
extern const char *const detour_kind_names[DETOUR_N_KINDS + 1];
/* FALSE when @name is no kind. */
gboolean detour_kind_from_name (const char *name, DetourKind *out);

G_END_DECLS
