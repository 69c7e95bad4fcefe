/* detourctl-budgets.h: a quota as a row of a table.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl-table.h"

G_BEGIN_DECLS

/* @relay: (nullable): what stands before it; NULL: the table has no such column */
void detourctl_budgets_add_row (DetourctlTable *table, const char *relay, GVariant *row);

G_END_DECLS
