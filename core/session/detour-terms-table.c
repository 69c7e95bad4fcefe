/* detour-terms-table.c: which terms a client has: those of all classes of the configuration, and
 * what used up quotas do to them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-terms-table.h"

#include "detour-config-value.h"
#include "detour-events.h"
#include "detour-log.h"

#include <string.h>

/* Names of classes that are not there, of which it was said; a plugin can make them without end. */
#define MISSING_MAX 64u

/* What a used up quota does. All zero: there is none. */
typedef struct {
  const char *id; /* "class/friends"; interned */
  guint64 slow_rate;
  char *denial;
  gboolean closes;
} Over;

/* What one group says about its clients. */
typedef struct {
  const char *name; /* interned */
  const char
      *class_; /* of a tenant: that its clients have unless their verdict names one; interned */
  gboolean has_rate;
  guint64 receive_rate, receive_burst;
  guint connections;
  DetourQuotaOptions quota; /* as configured */
  DetourAccount *account;
  Over over;
} Part;

struct _DetourTermsTable {
  GMutex lock;
  GHashTable *classes; /* name to Part */
  GHashTable *tenants; /* name to Part */
  Over relay;
  GHashTable *terms; /* "CLASS TENANT" to DetourTerms: that were chosen since the last change */
  gboolean was_applied;
  char *fallback;      /* name of the class of those whose verdict names none; NULL: none */
  GHashTable *missing; /* names; said since the last change */
};

static void
terms_table_over_clear (Over *self)
{
  g_free (self->denial);
  *self = (Over) { NULL };
}

static void
terms_table_part_free (gpointer data)
{
  Part *part = data;

  terms_table_over_clear (&part->over);
  g_clear_pointer (&part->account, detour_account_unref);
  g_free (part);
}

static GHashTable *
terms_table_new_parts (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, NULL, terms_table_part_free);
}

DetourTermsTable *
detour_terms_table_new (void)
{
  DetourTermsTable *self = g_new0 (DetourTermsTable, 1);

  g_mutex_init (&self->lock);
  self->classes = terms_table_new_parts ();
  self->tenants = terms_table_new_parts ();
  self->terms = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                       (GDestroyNotify) detour_terms_unref);
  self->missing = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return self;
}

void
detour_terms_table_free (DetourTermsTable *self)
{
  g_mutex_clear (&self->lock);
  g_hash_table_unref (self->terms);
  g_hash_table_unref (self->classes);
  g_hash_table_unref (self->tenants);
  g_hash_table_unref (self->missing);
  terms_table_over_clear (&self->relay);
  g_free (self->fallback);
  g_free (self);
}

/* Changes -------------------------------------------------------------------------------------- */

static void
terms_table_read_over (DetourBudgets *budgets, const char *kind, const char *name, Over *over)
{
  DetourBudgetRow row;

  terms_table_over_clear (over);
  if (!detour_budgets_find (budgets, kind, name, &row) || row.level != DETOUR_BUDGET_OVER)
    return;
  over->id = g_intern_string (row.id);
  switch ((DetourOverQuota) row.quota->over)
    {
    case DETOUR_OVER_QUOTA_CLOSE:
      over->closes = TRUE;
      over->denial = detour_budget_row_explain (&row);
      break;
    case DETOUR_OVER_QUOTA_DENY:
      over->denial = detour_budget_row_explain (&row);
      break;
    case DETOUR_OVER_QUOTA_SLOW:
      over->slow_rate = row.quota->slow_rate;
      break;
    case DETOUR_OVER_QUOTA_WARN:
      break;
    }
}

/* With the lock. */
static void
terms_table_read_levels (DetourTermsTable *self, DetourBudgets *budgets)
{
  GHashTableIter iter;
  gpointer value;

  terms_table_read_over (budgets, "relay", "", &self->relay);
  g_hash_table_iter_init (&iter, self->classes);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    terms_table_read_over (budgets, "class", ((Part *) value)->name, &((Part *) value)->over);
  g_hash_table_iter_init (&iter, self->tenants);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    terms_table_read_over (budgets, "tenant", ((Part *) value)->name, &((Part *) value)->over);
  g_hash_table_remove_all (self->terms);
}

/* Events: terms that the operator changed are one, however many clients have them -------------- */

/* ", quota 10G from day 1, over-quota slow 64K"; nothing when there is none. */
static char *
terms_table_describe_quota (const DetourQuotaOptions *quota)
{
  g_autofree char *bytes = detour_config_format_size (quota->bytes);
  g_autofree char *rate = detour_config_format_size (quota->slow_rate);
  gboolean is_slow = quota->over == DETOUR_OVER_QUOTA_SLOW;

  if (quota->bytes == 0)
    return g_strdup ("");
  return g_strdup_printf (", quota %s from day %u, over-quota %s%s%s", bytes, quota->day,
                          detour_over_quota_name (quota->over), is_slow ? " " : "",
                          is_slow ? rate : "");
}

/* "class visitors, connections 10, quota 10G from day 1, over-quota warn" */
static char *
terms_table_describe_tenant (const Part *part)
{
  g_autofree char *quota = terms_table_describe_quota (&part->quota);
  g_autofree char *conns = part->connections != 0 ? g_strdup_printf ("%u", part->connections)
                                                  : g_strdup ("off");

  return g_strdup_printf ("%s%s, connections %s%s", part->class_ != NULL ? "class " : "",
                          part->class_ != NULL ? part->class_ : "no class of its own", conns,
                          quota);
}

/* "receive-rate 10K, receive-burst 10K, connections off", and the quota if there is one */
static char *
terms_table_describe_class (const Part *part)
{
  g_autofree char *quota = terms_table_describe_quota (&part->quota);
  g_autofree char *rate = part->receive_rate != 0 ? detour_config_format_size (part->receive_rate)
                                                  : g_strdup ("off");
  g_autofree char *burst = part->receive_burst != 0
                             ? detour_config_format_size (part->receive_burst)
                             : g_strdup ("off");
  g_autofree char *conns = part->connections != 0 ? g_strdup_printf ("%u", part->connections)
                                                  : g_strdup ("off");

  return part->has_rate
           ? g_strdup_printf ("receive-rate %s, receive-burst %s, connections %s%s", rate, burst,
                              conns, quota)
           : g_strdup_printf ("receive-rate of [limits], connections %s%s", conns, quota);
}

/* @part: (nullable) */
static char *
terms_table_describe (DetourEventKind kind, const Part *part)
{
  if (kind == DETOUR_EVENT_TENANT)
    return part != NULL ? terms_table_describe_tenant (part) : g_strdup ("no such tenant");
  return part != NULL ? terms_table_describe_class (part) : g_strdup ("no such class");
}

/* @was, @is: (nullable) */
static void
terms_table_note_change (DetourEventKind kind, const char *name, const Part *was, const Part *is)
{
  g_autofree char *before = terms_table_describe (kind, was);
  g_autofree char *now = terms_table_describe (kind, is);
  gboolean is_tenant = kind == DETOUR_EVENT_TENANT;
  g_autofree char *source = NULL;
  g_autofree char *text = NULL;

  if (strcmp (before, now) == 0)
    return;
  source = g_strconcat (is_tenant ? "tenant/" : "class/", name, NULL);
  text = g_strdup_printf ("%s; before: %s", now, before);
  detour_events_add (&(DetourEvent) { .kind = kind,
                                      .source = source,
                                      .class_ = is_tenant ? NULL : name,
                                      .tenant = is_tenant ? name : NULL,
                                      .text = text });
}

static void
terms_table_note_changes (DetourEventKind kind, GHashTable *before, GHashTable *now)
{
  GHashTableIter iter;
  gpointer name, part;

  g_hash_table_iter_init (&iter, now);
  while (g_hash_table_iter_next (&iter, &name, &part))
    terms_table_note_change (kind, name, g_hash_table_lookup (before, name), part);
  g_hash_table_iter_init (&iter, before);
  while (g_hash_table_iter_next (&iter, &name, &part))
    if (!g_hash_table_contains (now, name))
      terms_table_note_change (kind, name, part, NULL);
}

static void
terms_table_note_fallback (const char *before, const char *now)
{
  g_autofree char *text = NULL;

  if (g_strcmp0 (before, now) == 0)
    return;
  text = g_strdup_printf ("clients whose verdict names no class have %s%s now",
                          now != NULL ? "the class " : "none", now != NULL ? now : "");
  detour_events_add (&(DetourEvent) {
      .kind = DETOUR_EVENT_CLASS, .source = "admission", .class_ = now, .text = text });
}

/* ---------------------------------------------------------------------------------------------- */

static Part *
terms_table_read_class (const DetourClass *class_, DetourBudgets *budgets)
{
  const DetourClassOptions *options = &class_->options;
  Part *part = g_new0 (Part, 1);

  part->name = g_intern_string (class_->name);
  part->has_rate = detour_settings_is_written (class_->settings, "receive-rate");
  part->receive_rate = options->receive_rate;
  part->receive_burst = options->receive_burst != 0 ? options->receive_burst
                                                    : options->receive_rate;
  part->connections = options->connections;
  part->quota = options->quota;
  part->account = detour_account_ref (detour_budgets_account (budgets, "class", class_->name));
  return part;
}

static Part *
terms_table_read_tenant (const DetourTenantGroup *tenant, DetourBudgets *budgets)
{
  Part *part = g_new0 (Part, 1);

  part->name = g_intern_string (tenant->name);
  part->class_ = g_intern_string (tenant->options.class_);
  part->connections = tenant->options.connections;
  part->quota = tenant->options.quota;
  part->account = detour_account_ref (detour_budgets_account (budgets, "tenant", tenant->name));
  return part;
}

void
detour_terms_table_apply (DetourTermsTable *self, const DetourConfig *config,
                          DetourBudgets *budgets)
{
  g_autoptr (GHashTable) before = self->classes;
  g_autoptr (GHashTable) tenants_before = self->tenants;
  g_autofree char *fallback = self->fallback;

  g_mutex_lock (&self->lock);
  self->classes = terms_table_new_parts ();
  self->tenants = terms_table_new_parts ();
  g_hash_table_remove_all (self->missing);
  for (guint i = 0; i < config->classes->len; i++)
    {
      Part *part = terms_table_read_class (config->classes->pdata[i], budgets);

      g_hash_table_insert (self->classes, (gpointer) part->name, part);
    }
  for (guint i = 0; i < config->tenants->len; i++)
    {
      Part *part = terms_table_read_tenant (config->tenants->pdata[i], budgets);

      g_hash_table_insert (self->tenants, (gpointer) part->name, part);
    }
  self->fallback = g_strdup (config->options.admission.class_);
  terms_table_read_levels (self, budgets);
  g_mutex_unlock (&self->lock);
  if (self->was_applied)
    {
      terms_table_note_changes (DETOUR_EVENT_CLASS, before, self->classes);
      terms_table_note_changes (DETOUR_EVENT_TENANT, tenants_before, self->tenants);
      terms_table_note_fallback (fallback, self->fallback);
    }
  self->was_applied = TRUE;
}

void
detour_terms_table_refresh (DetourTermsTable *self, DetourBudgets *budgets)
{
  g_mutex_lock (&self->lock);
  terms_table_read_levels (self, budgets);
  g_mutex_unlock (&self->lock);
}

gboolean
detour_terms_table_has_accounts (DetourTermsTable *self)
{
  gboolean has_accounts;

  g_mutex_lock (&self->lock);
  has_accounts = g_hash_table_size (self->classes) + g_hash_table_size (self->tenants) > 0;
  g_mutex_unlock (&self->lock);
  return has_accounts;
}

/* The choice ----------------------------------------------------------------------------------- */

/* The strictest of several counts. */
static void
terms_table_add_over (DetourTerms *fields, const Over *over)
{
  if (over->slow_rate > 0 && (fields->slow_rate == 0 || over->slow_rate < fields->slow_rate))
    {
      fields->slow_rate = over->slow_rate;
      if (fields->denial == NULL)
        fields->over = over->id;
    }
  if (over->denial != NULL && (fields->denial == NULL || (over->closes && !fields->closes)))
    {
      fields->denial = over->denial;
      fields->over = over->id;
    }
  fields->closes |= over->closes;
}

/* @class_, @tenant: (nullable) */
static DetourTerms *
terms_table_make (const DetourTermsTable *self, const Part *class_, const Part *tenant)
{
  DetourTerms fields = { .class_ = NULL };

  if (class_ != NULL)
    {
      fields.class_ = class_->name;
      fields.has_rate = class_->has_rate;
      fields.receive_rate = class_->receive_rate;
      fields.receive_burst = class_->receive_burst;
      fields.shares[DETOUR_TERMS_CLASS].account = class_->account;
      fields.shares[DETOUR_TERMS_CLASS].connections = class_->connections;
      terms_table_add_over (&fields, &class_->over);
    }
  if (tenant != NULL)
    {
      fields.tenant = tenant->name;
      fields.shares[DETOUR_TERMS_TENANT].account = tenant->account;
      fields.shares[DETOUR_TERMS_TENANT].connections = tenant->connections;
      terms_table_add_over (&fields, &tenant->over);
    }
  terms_table_add_over (&fields, &self->relay);
  return detour_terms_new (&fields);
}

/* (transfer none) (nullable) */
static DetourTerms *
terms_table_get (DetourTermsTable *self, const Part *class_, const Part *tenant)
{
  g_autofree char *key = NULL;
  DetourTerms *terms;

  if (class_ == NULL && tenant == NULL && self->relay.id == NULL)
    return NULL;
  key = g_strconcat (class_ != NULL ? class_->name : "", " ", tenant != NULL ? tenant->name : "",
                     NULL);
  terms = g_hash_table_lookup (self->terms, key);
  if (terms == NULL)
    {
      terms = terms_table_make (self, class_, tenant);
      g_hash_table_insert (self->terms, g_steal_pointer (&key), terms);
    }
  return terms;
}

/* TRUE: say it. */
static gboolean
terms_table_note_missing (DetourTermsTable *self, const char *class_)
{
  return g_hash_table_size (self->missing) < MISSING_MAX
      && g_hash_table_add (self->missing, g_strdup (class_));
}

static void
terms_table_say_missing (const char *class_, const char *fallback)
{
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "class-missing", "MESSAGE",
                    "an auth instance names the class \"%s\", and there is no [class %s]; its "
                    "clients have %s%s",
                    class_, class_, fallback != NULL ? "the class " : "no class",
                    fallback != NULL ? fallback : "");
}

DetourTerms *
detour_terms_table_choose (DetourTermsTable *self, const char *class_, const char *tenant)
{
  const Part *class_part = NULL;
  const Part *tenant_part = NULL;
  DetourTerms *terms;
  g_autofree char *said = NULL;
  gboolean is_missing = FALSE;
  const char *fallback;

  g_mutex_lock (&self->lock);
  if (tenant != NULL)
    tenant_part = g_hash_table_lookup (self->tenants, tenant);
  fallback = tenant_part != NULL && tenant_part->class_ != NULL ? tenant_part->class_
                                                                : self->fallback;
  if (class_ != NULL)
    {
      class_part = g_hash_table_lookup (self->classes, class_);
      if (class_part == NULL && terms_table_note_missing (self, class_))
        {
          is_missing = TRUE;
          said = g_strdup (fallback);
        }
    }
  if (class_part == NULL && fallback != NULL)
    class_part = g_hash_table_lookup (self->classes, fallback);
  terms = terms_table_get (self, class_part, tenant_part);
  if (terms != NULL)
    detour_terms_ref (terms);
  g_mutex_unlock (&self->lock);

  if (is_missing)
    terms_table_say_missing (class_, said);
  return terms;
}
