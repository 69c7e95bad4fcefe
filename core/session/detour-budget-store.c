/* detour-budget-store.c: the file in which budgets outlast the daemon.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-budget-store.h"

#include <string.h>

#define VERSION 1
#define HEAD    "budgets"

G_DEFINE_QUARK (detour_budget_store_error_quark, detour_budget_store_error)

static guint64
budget_store_number (GKeyFile *file, const char *group, const char *key, guint64 max,
                     GError **error)
{
  g_autofree char *text = NULL;
  guint64 value = 0;

  if (error != NULL && *error != NULL)
    return 0;
  text = g_key_file_get_value (file, group, key, NULL);
  if (text == NULL || !g_ascii_string_to_unsigned (text, 10, 0, max, &value, NULL))
    g_set_error (error, DETOUR_BUDGET_STORE_ERROR, DETOUR_BUDGET_STORE_ERROR_FORM,
                 "[%s] %s is no number from 0 to %" G_GUINT64_FORMAT, group, key, max);
  return value;
}

static gboolean
budget_store_read (GKeyFile *file, const char *group, DetourBudget *budget, GError **error)
{
  g_autoptr (GError) problem = NULL;

  budget->day = (guint) budget_store_number (file, group, "day", 31, &problem);
  budget->begin_s = (gint64) budget_store_number (file, group, "begin", G_MAXINT64, &problem);
  budget->used = budget_store_number (file, group, "used", G_MAXUINT64, &problem);
  budget->last_begin_s = (gint64) budget_store_number (file, group, "last-begin", G_MAXINT64,
                                                       &problem);
  budget->last_used = budget_store_number (file, group, "last-used", G_MAXUINT64, &problem);
  if (problem == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&problem));
  return FALSE;
}

static gboolean
budget_store_check_version (GKeyFile *file, GError **error)
{
  g_autoptr (GError) problem = NULL;
  guint64 version = budget_store_number (file, HEAD, "version", G_MAXUINT64, &problem);

  if (problem != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&problem));
      return FALSE;
    }
  if (version == VERSION)
    return TRUE;
  g_set_error (error, DETOUR_BUDGET_STORE_ERROR, DETOUR_BUDGET_STORE_ERROR_VERSION,
               "its version is %" G_GUINT64_FORMAT ", and this program writes %d", version,
               VERSION);
  return FALSE;
}

GHashTable *
detour_budget_store_parse (const char *text, gsize len, GError **error)
{
  g_autoptr (GHashTable) budgets = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (GError) problem = NULL;
  g_auto (GStrv) groups = NULL;

  if (!g_key_file_load_from_data (file, text, len, G_KEY_FILE_NONE, &problem))
    {
      g_set_error (error, DETOUR_BUDGET_STORE_ERROR, DETOUR_BUDGET_STORE_ERROR_FORM, "%s",
                   problem->message);
      return NULL;
    }
  if (!budget_store_check_version (file, error))
    return NULL;
  groups = g_key_file_get_groups (file, NULL);
  for (guint i = 0; groups[i] != NULL; i++)
    {
      DetourBudget budget = { 0 };

      if (strcmp (groups[i], HEAD) == 0)
        continue;
      if (g_hash_table_size (budgets) == DETOUR_BUDGET_STORE_ROWS)
        {
          g_set_error (error, DETOUR_BUDGET_STORE_ERROR, DETOUR_BUDGET_STORE_ERROR_FORM,
                       "there are more than %u budgets", DETOUR_BUDGET_STORE_ROWS);
          return NULL;
        }
      if (!budget_store_read (file, groups[i], &budget, error))
        return NULL;
      g_hash_table_insert (budgets, g_strdup (groups[i]), g_memdup2 (&budget, sizeof budget));
    }
  return g_steal_pointer (&budgets);
}

static int
budget_store_compare (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

GBytes *
detour_budget_store_format (GHashTable *budgets)
{
  g_autofree gpointer *names = g_hash_table_get_keys_as_array (budgets, NULL);
  guint n = g_hash_table_size (budgets);
  GString *text = g_string_new (NULL);
  gsize len;

  g_string_append_printf (text,
                          "# What was used of quotas; written by detourd every minute.\n"
                          "[" HEAD "]\nversion=%d\n",
                          VERSION);
  qsort (names, n, sizeof *names, budget_store_compare);
  for (guint i = 0; i < MIN (n, DETOUR_BUDGET_STORE_ROWS); i++)
    {
      const DetourBudget *budget = g_hash_table_lookup (budgets, names[i]);

      g_string_append_printf (text,
                              "\n[%s]\nday=%u\nbegin=%" G_GINT64_FORMAT "\nused=%" G_GUINT64_FORMAT
                              "\nlast-begin=%" G_GINT64_FORMAT "\nlast-used=%" G_GUINT64_FORMAT
                              "\n",
                              (const char *) names[i], budget->day, budget->begin_s, budget->used,
                              budget->last_begin_s, budget->last_used);
    }
  len = text->len;
  return g_bytes_new_take (g_string_free (text, FALSE), len);
}
