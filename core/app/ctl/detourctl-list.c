/* detourctl-list.c: all objects of one kind, as a table for people or as JSON for programs.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-list.h"

#include "detourctl-json.h"

DetourctlExit
detourctl_list_objects (Detourctl *self, const char *member, const char *interface,
                        const DetourctlColumn *columns, DetourctlObjectFunc add_row)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) objects = detourctl_objects (self, &exit);
  g_autoptr (DetourctlTable) table = NULL;

  if (objects == NULL)
    return exit;
  if (self->json)
    return detourctl_json_print_objects (member, objects, interface);
  table = detourctl_table_new (columns);
  detourctl_each_object (objects, interface, add_row, table);
  detourctl_print_table (self, table);
  return DETOURCTL_GOOD;
}
