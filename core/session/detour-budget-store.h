/* detour-budget-store.h: the file in which budgets outlast the daemon.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A text with a group for each budget, which GKeyFile reads. Pure functions over its bytes. */
#pragma once

#include <glib.h>

#include "detour-budget.h"

G_BEGIN_DECLS

/* A file that is longer is refused. */
#define DETOUR_BUDGET_STORE_MAX ((gsize) 1 << 20)
/* Budgets in a file. */
#define DETOUR_BUDGET_STORE_ROWS 4096u

#define DETOUR_BUDGET_STORE_ERROR (detour_budget_store_error_quark ())
GQuark detour_budget_store_error_quark (void);

typedef enum {
  DETOUR_BUDGET_STORE_ERROR_VERSION, /* of a later version of Detour */
  DETOUR_BUDGET_STORE_ERROR_FORM,
} DetourBudgetStoreError;

/**
 * detour_budget_store_parse:
 *
 * Returns: (transfer full) (nullable): names ("relay", "class/friends") to DetourBudget; NULL with
 * @error.
 */
GHashTable *detour_budget_store_parse (const char *text, gsize len, GError **error);
/* @budgets: as above; no more than the rows above are written */
GBytes *detour_budget_store_format (GHashTable *budgets);

G_END_DECLS
