/* detourctl-list.h: all objects of one kind, as a table for people or as JSON for programs.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl-table.h"

G_BEGIN_DECLS

/**
 * detourctl_list_objects:
 * @member: of the JSON document, "plugins"
 * @interface: "Plugin"
 * @add_row: adds a row for an object; its user data is the DetourctlTable
 */
DetourctlExit detourctl_list_objects (Detourctl *self, const char *member, const char *interface,
                                      const DetourctlColumn *columns, DetourctlObjectFunc add_row);

G_END_DECLS
