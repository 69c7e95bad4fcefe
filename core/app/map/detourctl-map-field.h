/* detourctl-map-field.h: the members that a DERP map has in documents, and where they are kept.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl-map.h"

G_BEGIN_DECLS

typedef enum {
  FIELD_TEXT,
  FIELD_INTEGER,
  FIELD_NUMBER, /* kept as it is written */
  FIELD_FLAG,
  FIELD_OTHER, /* read by itself */
} DetourctlMapFieldType;

/* Tables end with { NULL }. */
typedef struct {
  const char *name;
  DetourctlMapFieldType type;
  gsize offset;     /* in the struct */
  gsize has_offset; /* of a gboolean that becomes TRUE; 0: none */
} DetourctlMapField;

extern const DetourctlMapField detourctl_map_node_fields[];
extern const DetourctlMapField detourctl_map_region_fields[];

G_END_DECLS
