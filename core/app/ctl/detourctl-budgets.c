/* detourctl-budgets.c: the command that shows what was used of quotas.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-budgets.h"
#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-table.h"

static const char *const row_times[] = { "since", "until", NULL };

/* What the row says about its state, for people. */
static char *
ctl_budgets_state (GVariant *row)
{
  const char *level = detourctl_text (row, "level");
  const char *over = detourctl_text (row, "over_quota");

  if (detourctl_number (row, "quota") == 0)
    return g_strdup ("");
  if (strcmp (level, "over") != 0)
    return g_strdup (strcmp (level, "near") == 0 ? _ ("nearly used up") : "");
  if (strcmp (over, "slow") == 0)
    {
      g_autofree char *rate = detourctl_format_size (detourctl_number (row, "slow_rate"));

      return g_strdup_printf (_ ("used up: slowed to %s/s"), rate);
    }
  if (strcmp (over, "deny") == 0)
    return g_strdup (_ ("used up: nobody new is let in"));
  if (strcmp (over, "close") == 0)
    return g_strdup (_ ("used up: closed"));
  return g_strdup (_ ("used up"));
}

void
detourctl_budgets_add_row (DetourctlTable *table, const char *relay, GVariant *row)
{
  const char *name = detourctl_text (row, "name");
  const char *kind = detourctl_text (row, "kind");
  guint64 quota_bytes = detourctl_number (row, "quota"),
          used_bytes = detourctl_number (row, "used");
  g_autofree char *title = *name != '\0' ? g_strdup_printf ("%s %s", kind, name) : g_strdup (kind);
  g_autofree char *quota = quota_bytes > 0 ? detourctl_format_size (quota_bytes) : g_strdup ("-");
  g_autofree char *used = detourctl_format_size (used_bytes);
  g_autofree char *left = quota_bytes > 0 ? detourctl_format_size (detourctl_number (row, "left"))
                                          : g_strdup ("-");
  g_autofree char *share = quota_bytes > 0 ? detourctl_format_share (used_bytes, quota_bytes)
                                           : g_strdup ("-");
  g_autofree char *until = detourctl_format_time (detourctl_number (row, "until"));
  g_autofree char *state = ctl_budgets_state (row);

  if (relay != NULL)
    detourctl_table_add (table, relay, title, quota, used, share, left, until, state, NULL);
  else
    detourctl_table_add (table, title, quota, used, share, left, until, state, NULL);
}

static DetourctlExit
ctl_budgets_run (Detourctl *self, char **arguments)
{
  const DetourctlColumn columns[] = {
    { _ ("BUDGET"), DETOURCTL_COLUMN_LEFT }, { _ ("QUOTA"), DETOURCTL_COLUMN_RIGHT },
    { _ ("USED"), DETOURCTL_COLUMN_RIGHT },  { _ ("SHARE"), DETOURCTL_COLUMN_RIGHT },
    { _ ("LEFT"), DETOURCTL_COLUMN_RIGHT },  { _ ("UNTIL"), DETOURCTL_COLUMN_LEFT },
    { _ ("STATE"), DETOURCTL_COLUMN_LEFT },  { NULL },
  };
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (DetourctlTable) table = NULL;
  g_autoptr (GVariant) rows = NULL;
  g_autoptr (GVariant) reply = detourctl_call (
      self, "", "Manager", "ListBudgets",
      g_variant_new ("(@a{sv})", g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0)),
      "(aa{sv})", &exit);

  if (reply == NULL)
    return exit;
  rows = g_variant_get_child_value (reply, 0);
  if (self->json)
    return detourctl_json_print_variant ("budgets", rows, row_times);
  table = detourctl_table_new (columns);
  for (gsize i = 0; i < g_variant_n_children (rows); i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);

      detourctl_budgets_add_row (table, NULL, row);
    }
  detourctl_print_table (self, table);
  return DETOURCTL_GOOD;
}

const DetourctlCommand detourctl_budgets_commands[] = {
  { .name = "budgets",
    .arguments = "",
    .summary = N_ ("Show quotas: used, left, until when"),
    .details = N_ ("Of the relay, its classes and tenants. Counted are the bytes of packets that "
                   "clients send, each\nonce, for the class and the tenant of the sender."),
    .run = ctl_budgets_run },
  { NULL },
};
