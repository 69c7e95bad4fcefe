/* detour-server-terms.c: classes and quotas of the relay as a whole: who is told when they change.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-server-private.h"

/* Refused clients may be let in by other terms. */
static void
server_terms_tell (DetourServer *self)
{
  if (self->is_stopped)
    return;
  for (guint i = 0; i < self->n_workers; i++)
    detour_worker_terms_changed (self->workers[i]);
  detour_handshake_pool_ask_again (self->pool);
}

void
detour_server_apply_terms (gpointer data, DetourConfig *config)
{
  DetourServer *self = data;

  g_clear_pointer (&self->config, detour_config_unref);
  self->config = detour_config_ref (config);
  detour_tenant_table_apply (self->tenants, config, self->registry);
  detour_budgets_apply (self->budgets, config);
  detour_terms_table_apply (self->terms, config, self->budgets);
  server_terms_tell (self);
}

/* Of DetourBudgetsPort ------------------------------------------------------------------------- */

static void
server_terms_collect (gpointer user)
{
  DetourServer *self = user;

  if (self->is_stopped || !detour_terms_table_has_accounts (self->terms))
    return;
  for (guint i = 0; i < self->n_workers; i++)
    detour_worker_collect (self->workers[i]);
}

static guint64
server_terms_relayed (gpointer user)
{
  DetourServer *self = user;
  guint64 bytes = 0;

  for (guint i = 0; i < self->n_workers; i++)
    bytes += detour_counter_get (&detour_worker_relay_counters (self->workers[i])->bytes_received);
  return bytes;
}

static void
server_terms_changed (gpointer user)
{
  DetourServer *self = user;

  detour_terms_table_refresh (self->terms, self->budgets);
  server_terms_tell (self);
}

const DetourBudgetsPort detour_server_budgets_port = {
  .collect = server_terms_collect,
  .relayed = server_terms_relayed,
  .changed = server_terms_changed,
};

/* ---------------------------------------------------------------------------------------------- */

void
detour_server_open_budgets (DetourServer *self, const char *state_directory)
{
  detour_budgets_open (self->budgets, state_directory);
}

const DetourBudgets *
detour_server_budgets (const DetourServer *self)
{
  return self->budgets;
}
