/* detour-control-budgets.c: what the operator sees of quotas.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

#include "detour-control-error.h"

typedef struct {
  GVariantBuilder rows;
  gboolean only_near; /* those with no more than a fifth left */
} List;

static void
control_budgets_add_number (GVariantBuilder *row, const char *name, guint64 value)
{
  g_variant_builder_add (row, "{sv}", name, g_variant_new_uint64 (value));
}

static void
control_budgets_add (const DetourBudgetRow *budget, gpointer data)
{
  const DetourQuotaOptions *quota = budget->quota;
  List *list = data;
  GVariantBuilder row;

  if (list->only_near && budget->level == DETOUR_BUDGET_OK)
    return;
  g_variant_builder_init (&row, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&row, "{sv}", "kind", g_variant_new_string (budget->kind));
  if (*budget->name != '\0')
    g_variant_builder_add (&row, "{sv}", "name", g_variant_new_string (budget->name));
  control_budgets_add_number (&row, "used", budget->used);
  if (quota->bytes > 0)
    {
      control_budgets_add_number (&row, "quota", quota->bytes);
      control_budgets_add_number (&row, "left", quota->bytes - MIN (budget->used, quota->bytes));
      g_variant_builder_add (&row, "{sv}", "over_quota",
                             g_variant_new_string (detour_over_quota_name (quota->over)));
      if (quota->over == DETOUR_OVER_QUOTA_SLOW)
        control_budgets_add_number (&row, "slow_rate", quota->slow_rate);
    }
  g_variant_builder_add (&row, "{sv}", "level",
                         g_variant_new_string (detour_budget_level_name (budget->level)));
  control_budgets_add_number (&row, "since", (guint64) (MAX (budget->begin_s, 0) * G_USEC_PER_SEC));
  control_budgets_add_number (&row, "until", (guint64) (MAX (budget->end_s, 0) * G_USEC_PER_SEC));
  if (*budget->name != '\0')
    g_variant_builder_add (&row, "{sv}", "connections", g_variant_new_uint32 (budget->n_conns));
  g_variant_builder_add_value (&list->rows, g_variant_builder_end (&row));
}

static GVariant *
control_budgets_list (DetourControl *self, gboolean only_near)
{
  List list = { .only_near = only_near };

  g_variant_builder_init (&list.rows, G_VARIANT_TYPE ("aa{sv}"));
  detour_budgets_foreach (detour_server_budgets (self->parts.server), control_budgets_add, &list);
  return g_variant_builder_end (&list.rows);
}

void
detour_control_list_budgets (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  g_autoptr (GVariant) options = g_variant_get_child_value (arguments, 0);

  if (g_variant_n_children (options) > 0)
    g_dbus_method_invocation_return_error (call, DETOUR_CONTROL_ERROR,
                                           DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
                                           "ListBudgets has no options yet");
  else
    g_dbus_method_invocation_return_value (
        call, g_variant_new ("(@aa{sv})", control_budgets_list (data, FALSE)));
}

GVariant *
detour_control_budgets_near (gpointer data)
{
  return control_budgets_list (data, TRUE);
}
