/* detour-budgets.c: what classes, tenants and the relay may still relay in this month.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-budgets.h"

#include <errno.h>
#include <string.h>

#include "detour-budget-store.h"
#include "detour-config-value.h"
#include "detour-events.h"
#include "detour-file-write.h"
#include "detour-file-writer.h"
#include "detour-log.h"
#include "detour-plugin.h"
#include "detour-quota-month.h"

#define FILE_NAME "budgets"
#define FILE_MODE 0600
#define RELAY     "relay"

#define TICK_S      1u
#define TICK_IDLE_S 10u /* nothing has a quota */
#define SAVE_US     (30 * G_USEC_PER_SEC)

typedef struct {
  char *id;
  const char *kind;
  const char *name;
  DetourAccount *account; /* NULL: of the relay */
  gboolean is_configured; /* else kept, as its class may come back */
  DetourQuotaOptions quota;
  DetourBudget budget;
  guint64 taken; /* of what the account has */
  DetourBudgetLevel level;
} Entry;

struct _DetourBudgets {
  const DetourBudgetsPort *port;
  gpointer user;
  GHashTable *entries;      /* id to Entry */
  GHashTable *loaded;       /* id to DetourBudget: of the file, and nobody's yet */
  DetourFileWriter *writer; /* NULL: nothing is kept */
  char *path;
  guint64 relayed_before; /* by the program before, which has counted it */
  guint timer;
  guint tick_s;
  gint64 now_s;
  gint64 saved_us;
  gboolean is_dirty;
  gboolean is_failing; /* the file could not be written, which was said */
};

static void
budgets_entry_free (gpointer data)
{
  Entry *entry = data;

  g_free (entry->id);
  g_clear_pointer (&entry->account, detour_account_unref);
  g_free (entry);
}

DetourBudgets *
detour_budgets_new (const DetourBudgetsPort *port, gpointer user)
{
  DetourBudgets *self = g_new0 (DetourBudgets, 1);

  self->port = port;
  self->user = user;
  self->entries = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, budgets_entry_free);
  self->loaded = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->saved_us = g_get_monotonic_time ();
  self->now_s = g_get_real_time () / G_USEC_PER_SEC;
  return self;
}

/* File ----------------------------------------------------------------------------------------- */

static void
budgets_set_aside (DetourBudgets *self, const GError *why)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *aside = detour_file_set_aside (self->path, &error);

  if (aside != NULL)
    detour_log_event (G_LOG_LEVEL_WARNING, "budgets-broken",
                      "%s cannot be used: %s. It is %s now, and what was used of quotas is counted "
                      "from zero",
                      self->path, why->message, aside);
  else
    detour_log_event (
        G_LOG_LEVEL_WARNING, "budgets-broken",
        "%s cannot be used: %s; nor can it be renamed: %s. What was used of quotas is "
        "counted from zero",
        self->path, why->message, error->message);
}

void
detour_budgets_open (DetourBudgets *self, const char *directory)
{
  g_autoptr (GError) error = NULL;
  g_auto (DetourFile) file = { 0 };
  GHashTable *loaded = NULL;

  self->path = g_build_filename (directory, FILE_NAME, NULL);
  self->writer = detour_file_writer_new (self->path, FILE_MODE);
  self->relayed_before = self->port->relayed (self->user);
  if (detour_file_read (self->path, DETOUR_BUDGET_STORE_MAX, 0, &file, &error))
    loaded = detour_budget_store_parse ((const char *) file.data, file.len, &error);
  if (loaded != NULL)
    {
      g_hash_table_unref (self->loaded);
      self->loaded = loaded;
    }
  else if (!g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    budgets_set_aside (self, error);
}

static void
budgets_on_saved (const GError *error, gpointer data)
{
  DetourBudgets *self = data;

  if (error != NULL && !self->is_failing)
    detour_log_event (G_LOG_LEVEL_WARNING, "budgets-unsaved",
                      "what was used of quotas cannot be kept: %s; it is tried again, and a crash "
                      "would forget it",
                      error->message);
  self->is_failing = error != NULL;
  self->is_dirty |= self->is_failing;
}

/* What nobody has any more is kept for its month. */
static void
budgets_collect_rows (const DetourBudgets *self, GHashTable *rows)
{
  GHashTableIter iter;
  gpointer id, value;

  g_hash_table_iter_init (&iter, self->loaded);
  while (g_hash_table_iter_next (&iter, &id, &value))
    {
      const DetourBudget *budget = value;

      if (detour_quota_month_end (budget->begin_s, MAX (budget->day, 1)) > self->now_s)
        g_hash_table_insert (rows, id, value);
    }
  g_hash_table_iter_init (&iter, self->entries);
  while (g_hash_table_iter_next (&iter, &id, &value))
    {
      Entry *entry = value;

      if (entry->is_configured
          || detour_quota_month_end (entry->budget.begin_s, MAX (entry->budget.day, 1))
                 > self->now_s)
        g_hash_table_insert (rows, id, &entry->budget);
    }
}

static void
budgets_save (DetourBudgets *self)
{
  g_autoptr (GHashTable) rows = g_hash_table_new (g_str_hash, g_str_equal);

  if (self->writer == NULL)
    return;
  budgets_collect_rows (self, rows);
  self->is_dirty = FALSE;
  self->saved_us = g_get_monotonic_time ();
  detour_file_writer_put (self->writer, detour_budget_store_format (rows), budgets_on_saved, self);
}

/* Counting ------------------------------------------------------------------------------------- */

static void
budgets_make_row (const Entry *entry, DetourBudgetRow *row)
{
  *row = (DetourBudgetRow) {
    .kind = entry->kind,
    .name = entry->name,
    .id = entry->id,
    .quota = &entry->quota,
    .used = entry->budget.used,
    .begin_s = entry->budget.begin_s,
    .end_s = detour_quota_month_end (entry->budget.begin_s, entry->budget.day),
    .n_conns = entry->account != NULL ? detour_account_n_conns (entry->account) : 0,
    .level = entry->level,
  };
}

/* "class friends" */
static char *
budgets_row_title (const DetourBudgetRow *row)
{
  return *row->name != '\0' ? g_strdup_printf ("%s %s", row->kind, row->name)
                            : g_strdup ("the relay");
}

char *
detour_budget_row_explain (const DetourBudgetRow *row)
{
  g_autofree char *title = budgets_row_title (row);
  g_autofree char *quota = detour_config_format_number (DETOUR_CONFIG_SIZE, row->quota->bytes);
  g_autoptr (GDateTime) end = g_date_time_new_from_unix_utc (row->end_s);
  g_autofree char *date = g_date_time_format (end, "%Y-%m-%d");
  g_autofree char *share = row->level == DETOUR_BUDGET_NEAR ? g_strdup_printf (
                               "%u %% of", (guint) (row->used / (row->quota->bytes / 100)))
                                                            : g_strdup ("up");

  return g_strdup_printf ("%s has used %s its quota of %s, which begins anew on %s (UTC)", title,
                          share, quota, date);
}

static const char *
budgets_consequence (const DetourQuotaOptions *quota)
{
  static const char *const texts[] = {
    [DETOUR_OVER_QUOTA_WARN] = "nothing else happens (over-quota = warn)",
    [DETOUR_OVER_QUOTA_SLOW] = "clients are read at slow-rate until then",
    [DETOUR_OVER_QUOTA_DENY] = "nobody new is let in until then",
    [DETOUR_OVER_QUOTA_CLOSE] = "clients are closed, and nobody is let in until then",
  };

  return texts[quota->over];
}

static void
budgets_tell (const Entry *entry, gboolean is_anew)
{
  g_autofree char *text = NULL;
  DetourBudgetRow row;

  budgets_make_row (entry, &row);
  if (entry->level == DETOUR_BUDGET_OK)
    {
      g_autofree char *title = budgets_row_title (&row);

      text = g_strdup_printf (is_anew ? "%s begins its quota anew" : "%s is within its quota again",
                              title);
      detour_log_event (G_LOG_LEVEL_MESSAGE, "budget-anew", "%s", text);
    }
  else if (entry->level == DETOUR_BUDGET_NEAR)
    {
      text = detour_budget_row_explain (&row);
      detour_log_event (G_LOG_LEVEL_WARNING, "budget-near", "%s", text);
    }
  else
    {
      text = detour_budget_row_explain (&row);
      detour_log_event (G_LOG_LEVEL_WARNING, "budget-over", "%s; %s", text,
                        budgets_consequence (&entry->quota));
    }
  detour_events_note (DETOUR_EVENT_BUDGET, NULL, NULL, entry->id, "%s", text);
}

/* TRUE: it has another level. */
static gboolean
budgets_update_level (DetourBudgets *self, Entry *entry, gboolean is_anew)
{
  DetourBudgetLevel before = entry->level;

  entry->level = entry->is_configured ? detour_budget_level (&entry->budget, entry->quota.bytes)
                                      : DETOUR_BUDGET_OK;
  if (entry->level == before)
    return FALSE;
  if (entry->is_configured)
    budgets_tell (entry, is_anew);
  return TRUE;
}

static void
budgets_take (DetourBudgets *self, Entry *entry)
{
  guint64 bytes = entry->account != NULL ? detour_account_bytes (entry->account)
                                         : self->port->relayed (self->user) - self->relayed_before;

  if (bytes == entry->taken)
    return;
  detour_budget_add (&entry->budget, bytes - entry->taken);
  entry->taken = bytes;
  self->is_dirty = TRUE;
}

/* TRUE: it has another level. */
static gboolean
budgets_pass_one (DetourBudgets *self, Entry *entry)
{
  gint64 begin_s = entry->budget.begin_s;
  guint day = entry->budget.day;
  gboolean is_anew;

  /* What was counted since the last time is of the month before, if there is a new one. */
  budgets_take (self, entry);
  is_anew = detour_budget_advance (
      &entry->budget, entry->is_configured ? entry->quota.day : MAX (day, 1), self->now_s);
  self->is_dirty |= begin_s != entry->budget.begin_s || day != entry->budget.day;
  return budgets_update_level (self, entry, is_anew);
}

void
detour_budgets_pass (DetourBudgets *self, gint64 now_s)
{
  gboolean is_changed = FALSE;
  GHashTableIter iter;
  gpointer value;

  self->now_s = now_s;
  g_hash_table_iter_init (&iter, self->entries);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    is_changed |= budgets_pass_one (self, value);
  if (is_changed || (self->is_dirty && g_get_monotonic_time () - self->saved_us >= SAVE_US))
    budgets_save (self);
  if (is_changed)
    self->port->changed (self->user);
  self->port->collect (self->user);
}

static gboolean
budgets_on_timer (gpointer data)
{
  detour_budgets_pass (data, g_get_real_time () / G_USEC_PER_SEC);
  return G_SOURCE_CONTINUE;
}

/* Configuration -------------------------------------------------------------------------------- */

static Entry *
budgets_get (DetourBudgets *self, const char *kind, const char *name)
{
  g_autofree char *id = *name != '\0' ? g_strconcat (kind, "/", name, NULL) : g_strdup (kind);
  Entry *entry = g_hash_table_lookup (self->entries, id);
  const DetourBudget *loaded;

  if (entry != NULL)
    return entry;
  entry = g_new0 (Entry, 1);
  entry->kind = g_intern_string (kind);
  entry->name = g_intern_string (name);
  if (*name != '\0')
    entry->account = detour_account_new (kind, name);
  loaded = g_hash_table_lookup (self->loaded, id);
  if (loaded != NULL)
    entry->budget = *loaded;
  g_hash_table_remove (self->loaded, id);
  entry->id = g_steal_pointer (&id);
  g_hash_table_insert (self->entries, entry->id, entry);
  return entry;
}

static void
budgets_configure (DetourBudgets *self, const char *kind, const char *name,
                   const DetourQuotaOptions *quota)
{
  Entry *entry = budgets_get (self, kind, name);

  entry->quota = *quota;
  entry->is_configured = TRUE;
}

static gboolean
budgets_has_quota (const DetourBudgets *self)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->entries);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((const Entry *) value)->is_configured && ((const Entry *) value)->quota.bytes > 0)
      return TRUE;
  return FALSE;
}

static void
budgets_set_timer (DetourBudgets *self)
{
  guint tick_s = budgets_has_quota (self) ? TICK_S : TICK_IDLE_S;

  if (self->timer != 0 && self->tick_s == tick_s)
    return;
  g_clear_handle_id (&self->timer, g_source_remove);
  self->tick_s = tick_s;
  self->timer = g_timeout_add_seconds (tick_s, budgets_on_timer, self);
}

void
detour_budgets_apply (DetourBudgets *self, const DetourConfig *config)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->entries);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    ((Entry *) value)->is_configured = FALSE;
  budgets_configure (self, RELAY, "", &config->options.limits.quota);
  for (guint i = 0; i < config->classes->len; i++)
    {
      const DetourClass *class_ = config->classes->pdata[i];

      budgets_configure (self, "class", class_->name, &class_->options.quota);
    }
  for (guint i = 0; i < config->tenants->len; i++)
    {
      const DetourTenantGroup *tenant = config->tenants->pdata[i];

      budgets_configure (self, "tenant", tenant->name, &tenant->options.quota);
    }

  /* Levels follow now; who needs them asks after this. */
  self->now_s = g_get_real_time () / G_USEC_PER_SEC;
  g_hash_table_iter_init (&iter, self->entries);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    budgets_pass_one (self, value);
  budgets_set_timer (self);
}

/* For others ----------------------------------------------------------------------------------- */

DetourAccount *
detour_budgets_account (DetourBudgets *self, const char *kind, const char *name)
{
  return budgets_get (self, kind, name)->account;
}

gboolean
detour_budgets_find (const DetourBudgets *self, const char *kind, const char *name,
                     DetourBudgetRow *row)
{
  g_autofree char *id = *name != '\0' ? g_strconcat (kind, "/", name, NULL) : g_strdup (kind);
  const Entry *entry = g_hash_table_lookup (self->entries, id);

  if (entry == NULL || !entry->is_configured)
    return FALSE;
  budgets_make_row (entry, row);
  return TRUE;
}

/* The relay stands first. */
static int
budgets_compare (gconstpointer a, gconstpointer b)
{
  const Entry *one = *(const Entry *const *) a;
  const Entry *other = *(const Entry *const *) b;

  if ((one->account == NULL) != (other->account == NULL))
    return one->account == NULL ? -1 : 1;
  return strcmp (one->id, other->id);
}

void
detour_budgets_foreach (const DetourBudgets *self,
                        void (*func) (const DetourBudgetRow *row, gpointer data), gpointer data)
{
  g_autoptr (GPtrArray) entries = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->entries);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    g_ptr_array_add (entries, value);
  g_ptr_array_sort (entries, budgets_compare);
  for (guint i = 0; i < entries->len; i++)
    {
      const Entry *entry = entries->pdata[i];
      DetourBudgetRow row;

      if (!entry->is_configured)
        continue;
      budgets_make_row (entry, &row);
      func (&row, data);
    }
}

static void
budgets_take_all (DetourBudgets *self)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->entries);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    budgets_take (self, value);
}

gboolean
detour_budgets_flush (DetourBudgets *self, GError **error)
{
  g_autoptr (GError) problem = NULL;

  budgets_take_all (self);
  if (self->is_dirty)
    budgets_save (self);
  if (self->writer == NULL || detour_file_writer_flush (self->writer, NULL))
    return TRUE;
  /* What hindered it may be over. */
  budgets_save (self);
  if (detour_file_writer_flush (self->writer, &problem) || !budgets_has_quota (self))
    return TRUE;
  g_propagate_prefixed_error (error, g_steal_pointer (&problem),
                              "what was used of quotas cannot be written down: ");
  return FALSE;
}

void
detour_budgets_free (DetourBudgets *self)
{
  g_clear_handle_id (&self->timer, g_source_remove);
  budgets_take_all (self);
  if (self->is_dirty)
    budgets_save (self);
  g_clear_pointer (&self->writer, detour_file_writer_free);
  g_hash_table_unref (self->entries);
  g_hash_table_unref (self->loaded);
  g_free (self->path);
  g_free (self);
}
