/* detour-budgets.h: what classes, tenants and the relay may still relay in this month.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Counted are the bytes of packets that clients send, once each, for the class and the tenant of
 * the sender. Every second what the accounts have is taken over here, where a class has a quota;
 * every 30 s, and when a quota is used up, all of it is written to disk on a thread of its own. */
#pragma once

#include <glib.h>

#include "detour-account.h"
#include "detour-budget.h"
#include "detour-config.h"

G_BEGIN_DECLS

/* Main thread. */
typedef struct _DetourBudgets DetourBudgets;

/* Main thread. */
typedef struct {
  /* Accounts are to be brought up to date soon. */
  void (*collect) (gpointer user);
  /* Bytes that all clients sent since the start. */
  guint64 (*relayed) (gpointer user);
  /* The level of a budget is another one. */
  void (*changed) (gpointer user);
} DetourBudgetsPort;

/* @port outlives the budgets. */
DetourBudgets *detour_budgets_new (const DetourBudgetsPort *port, gpointer user);
/* Writes what was used; the accounts are complete. */
void detour_budgets_free (DetourBudgets *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourBudgets, detour_budgets_free)

/* What the accounts have is on the disk when this returns. FALSE with @error: it cannot be written,
 * and there are quotas. */
gboolean detour_budgets_flush (DetourBudgets *self, GError **error);

/* Goes on with what the file in @directory has. Without this nothing is kept. Before
 * detour_budgets_apply(), and before anything is relayed that is not in the file. */
void detour_budgets_open (DetourBudgets *self, const char *directory);
/* The quotas of @config. */
void detour_budgets_apply (DetourBudgets *self, const DetourConfig *config);
/* It is @now_s: takes over what the accounts have. Runs by itself; tests call it. */
void detour_budgets_pass (DetourBudgets *self, gint64 now_s);

/* One budget, for those who look. */
typedef struct {
  const char *kind;                /* "class", "tenant", "relay" */
  const char *name;                /* "" for the relay */
  const char *id;                  /* "class/friends", "relay" */
  const DetourQuotaOptions *quota; /* of the configuration; no bytes: there is none */
  guint64 used;                    /* bytes */
  gint64 begin_s, end_s;           /* of the month; Unix time in seconds */
  guint n_conns;                   /* 0 for the relay */
  DetourBudgetLevel level;
} DetourBudgetRow;

/* @kind: "class" or "tenant"; @name: of the configuration. (transfer none) */
DetourAccount *detour_budgets_account (DetourBudgets *self, const char *kind, const char *name);
/* @kind: "relay" as well. FALSE: there is none. */
gboolean detour_budgets_find (const DetourBudgets *self, const char *kind, const char *name,
                              DetourBudgetRow *row);
/* The relay first, then by kind and name. */
void detour_budgets_foreach (const DetourBudgets *self,
                             void (*func) (const DetourBudgetRow *row, gpointer data),
                             gpointer data);

/* "class friends has used up its quota of 10G, which begins anew on 2026-12-01 (UTC)". */
char *detour_budget_row_explain (const DetourBudgetRow *row);

G_END_DECLS
