/* detour-terms-table.h: which terms a client has: those of all classes of the configuration, and
 * what used up quotas do to them.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The choice is made in one place, detour_terms_table_choose(). It is asked when a client is let
 * in, when its connection reaches a worker, and again for every connection after a change, which
 * the workers are told of (detour_worker_terms_changed()). */
#pragma once

#include <glib.h>

#include "detour-budgets.h"
#include "detour-config.h"
#include "detour-terms.h"

G_BEGIN_DECLS

typedef struct _DetourTermsTable DetourTermsTable;

/* Without any class. */
DetourTermsTable *detour_terms_table_new (void);
void detour_terms_table_free (DetourTermsTable *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourTermsTable, detour_terms_table_free)

/* Main thread. @budgets: know @config already */
void detour_terms_table_apply (DetourTermsTable *self, const DetourConfig *config,
                               DetourBudgets *budgets);
/* Main thread. Levels of @budgets are others. */
void detour_terms_table_refresh (DetourTermsTable *self, DetourBudgets *budgets);
/* Connections may have accounts. Any thread. */
gboolean detour_terms_table_has_accounts (DetourTermsTable *self);

/**
 * detour_terms_table_choose:
 * @class_: (nullable): that the verdict names
 * @tenant: (nullable)
 *
 * The class is @class_, or the one of the tenant or else of `[admission] class` when @class_ is
 * NULL or there is no such class. Any thread; takes a lock.
 *
 * Returns: (transfer full) (nullable): NULL when nothing counts beside [limits].
 */
DetourTerms *detour_terms_table_choose (DetourTermsTable *self, const char *class_,
                                        const char *tenant);

G_END_DECLS
