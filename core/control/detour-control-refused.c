/* detour-control-refused.c: the method that lists who was refused lately, or is held.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It keeps nothing of its own: who was refused is in the memory of events, where refusals have a
 * part of fixed size, and who is held is asked of the handshake pool. */
#include "config.h"

#include "detour-control-private.h"

#include "detour-control-error.h"
#include "detour-events.h"

#define LIMIT_DEFAULT 100u
#define LIMIT_MAX     1000u

/* One key. Texts and events are lent by the list of events. */
typedef struct {
  DetourKey key;
  const DetourEvent *last;
  GHashTable *addresses; /* of text */
  gint64 first_us;
  guint64 count;
  guint n_held;
  gboolean is_in; /* was let in since */
} Row;

typedef struct {
  GHashTable *rows; /* DetourKey: Row, which it is in */
} Table;

static guint
control_refused_hash (gconstpointer key)
{
  guint32 hash;

  memcpy (&hash, key, sizeof hash);
  return hash;
}

static gboolean
control_refused_equal (gconstpointer a, gconstpointer b)
{
  return detour_key_equal (a, b);
}

static void
control_refused_free_row (gpointer data)
{
  Row *row = data;

  g_hash_table_unref (row->addresses);
  g_free (row);
}

static void
control_refused_take (Table *table, const DetourEvent *event)
{
  Row *row = g_hash_table_lookup (table->rows, event->key);

  if (row == NULL)
    {
      row = g_new0 (Row, 1);
      row->key = *event->key;
      row->addresses = g_hash_table_new (g_str_hash, g_str_equal);
      row->first_us = event->first_us;
      g_hash_table_add (table->rows, row);
    }
  row->last = event;
  row->count += event->count;
  row->is_in = FALSE;
  if (event->address != NULL)
    g_hash_table_add (row->addresses, (gpointer) event->address);
}

/* @events: the oldest first */
static void
control_refused_read (Table *table, const GPtrArray *events)
{
  for (guint i = 0; i < events->len; i++)
    {
      const DetourEvent *event = events->pdata[i];
      gboolean is_refusal = event->kind == DETOUR_EVENT_REFUSED
                         && (event->flags & DETOUR_VERDICT_DRY_RUN) == 0;
      Row *row;

      if (event->key == NULL)
        continue;
      if (is_refusal)
        control_refused_take (table, event);
      else if (event->kind == DETOUR_EVENT_ADMITTED || event->kind == DETOUR_EVENT_JOIN)
        {
          /* What another tenant lets in is another client. */
          row = g_hash_table_lookup (table->rows, event->key);
          if (row != NULL && g_strcmp0 (row->last->tenant, event->tenant) == 0)
            row->is_in = TRUE;
        }
    }
}

static void
control_refused_on_held (const DetourKey *key, gpointer data)
{
  Row *row = g_hash_table_lookup (((Table *) data)->rows, key);

  if (row != NULL)
    row->n_held++;
}

/* Held ones first, then the latest first. */
static int
control_refused_compare (gconstpointer a, gconstpointer b)
{
  const Row *one = *(const Row *const *) a, *other = *(const Row *const *) b;

  if ((one->n_held > 0) != (other->n_held > 0))
    return one->n_held > 0 ? -1 : 1;
  return one->last->last_us > other->last->last_us ? -1
       : one->last->last_us < other->last->last_us ? 1
                                                   : 0;
}

static void
control_refused_add_text (GVariantBuilder *out, const char *name, const char *text)
{
  if (text != NULL && *text != '\0')
    g_variant_builder_add (out, "{sv}", name, g_variant_new_string (text));
}

static void
control_refused_add_number (GVariantBuilder *out, const char *name, guint64 number)
{
  g_variant_builder_add (out, "{sv}", name, g_variant_new_uint64 (number));
}

static GVariant *
control_refused_make_row (DetourControl *self, const Row *row)
{
  const DetourEvent *last = row->last;
  const DetourBan *ban = detour_bans_match (detour_server_bans (self->parts.server), &row->key,
                                            last->address != NULL ? last->address : "");
  const DetourInstance *instance = last->source != NULL
                                     ? detour_roster_find (self->parts.roster, last->source)
                                     : NULL;
  g_autofree char *key = detour_key_to_text (&row->key);
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE_VARDICT);
  control_refused_add_text (&out, "key", key);
  control_refused_add_text (&out, "verdict",
                            last->result == DETOUR_AUTH_DENY ? "deny" : "unavailable");
  control_refused_add_text (&out, "source", last->source);
  if (instance != NULL)
    control_refused_add_text (&out, "plugin", detour_instance_plugin_name (instance));
  control_refused_add_text (&out, "reason", last->text);
  control_refused_add_text (&out, "tenant", last->tenant);
  g_variant_builder_add (&out, "{sv}", "address",
                         g_variant_new_string (last->address != NULL ? last->address : ""));
  control_refused_add_number (&out, "addresses", g_hash_table_size (row->addresses));
  control_refused_add_number (&out, "first", (guint64) row->first_us);
  control_refused_add_number (&out, "last", (guint64) last->last_us);
  control_refused_add_number (&out, "count", row->count);
  control_refused_add_number (&out, "held", row->n_held);
  if (ban != NULL)
    control_refused_add_text (&out, "ban", ban->text);
  return g_variant_builder_end (&out);
}

/* The rows that are shown, in their order; lent by @table. */
static GPtrArray *
control_refused_sort (const Table *table)
{
  GPtrArray *rows = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer row;

  g_hash_table_iter_init (&iter, table->rows);
  while (g_hash_table_iter_next (&iter, &row, NULL))
    if (!((const Row *) row)->is_in || ((const Row *) row)->n_held > 0)
      g_ptr_array_add (rows, row);
  g_ptr_array_sort (rows, control_refused_compare);
  return rows;
}

/* 0: @error is set. */
static guint
control_refused_read_limit (GVariant *options, GError **error)
{
  guint limit = LIMIT_DEFAULT;
  GVariantIter iter;
  const char *name;
  GVariant *value;

  g_variant_iter_init (&iter, options);
  while (g_variant_iter_next (&iter, "{&sv}", &name, &value))
    {
      g_autoptr (GVariant) owned = value;

      if (g_str_equal (name, "limit") && g_variant_is_of_type (value, G_VARIANT_TYPE_UINT32)
          && g_variant_get_uint32 (value) >= 1 && g_variant_get_uint32 (value) <= LIMIT_MAX)
        limit = g_variant_get_uint32 (value);
      else
        {
          g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
                       "%s of type %s: there is limit (u), from 1 to %u", name,
                       g_variant_get_type_string (value), LIMIT_MAX);
          return 0;
        }
    }
  return limit;
}

void
detour_control_list_refused (DetourControl *self, GVariant *arguments, GDBusMethodInvocation *call)
{
  g_autoptr (GVariant) options = g_variant_get_child_value (arguments, 0);
  g_autoptr (GPtrArray) events = NULL;
  g_autoptr (GPtrArray) rows = NULL;
  g_autoptr (GError) error = NULL;
  guint limit = control_refused_read_limit (options, &error);
  GVariantBuilder out;
  Table table;

  if (limit == 0)
    {
      g_dbus_method_invocation_return_gerror (call, error);
      return;
    }
  events = detour_events_read (0, NULL);
  table.rows = g_hash_table_new_full (control_refused_hash, control_refused_equal,
                                      control_refused_free_row, NULL);
  control_refused_read (&table, events);
  detour_handshake_pool_each_held (detour_server_pool (self->parts.server), control_refused_on_held,
                                   &table);
  rows = control_refused_sort (&table);
  g_variant_builder_init (&out, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = 0; i < rows->len && i < limit; i++)
    g_variant_builder_add_value (&out, control_refused_make_row (self, rows->pdata[i]));
  g_dbus_method_invocation_return_value (call, g_variant_new ("(aa{sv})", &out));
  g_hash_table_unref (table.rows);
}
