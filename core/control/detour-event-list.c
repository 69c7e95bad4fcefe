/* detour-event-list.c: lists of events for callers, and events as they happen for those who
 * subscribed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-event-list.h"

#include <string.h>

#include "detour-client-key.h"
#include "detour-control-error.h"
#include "detour-event-file.h"
#include "detour-event-stream.h"
#include "detour-verdict.h"

#define LIMIT_DEFAULT 200u
#define LIMIT_MAX     1000u
/* Calls that read the file at a time. */
#define READING_MAX 4u

struct _DetourEventList {
  char *file; /* NULL: there is none */
  DetourEventStream *stream;
  guint n_reading;
};

/* What a caller wants to know. */
typedef struct {
  char *file;
  char *digits; /* of a key; NULL: all */
  gint64 from_us, until_us;
  guint limit;
} Query;

static void
event_list_query_free (gpointer data)
{
  Query *query = data;

  g_free (query->file);
  g_free (query->digits);
  g_free (query);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Query, event_list_query_free)

/* Rows ----------------------------------------------------------------------------------------- */

static void
event_list_add_text (GVariantBuilder *row, const char *name, const char *text)
{
  g_autofree char *valid = text != NULL ? g_utf8_make_valid (text, -1) : NULL;

  if (valid != NULL)
    g_variant_builder_add (row, "{sv}", name, g_variant_new_string (valid));
}

static void
event_list_add_verdict (GVariantBuilder *row, const DetourEvent *event)
{
  static const char *const results[] = {
    [DETOUR_AUTH_ALLOW] = "allow",
    [DETOUR_AUTH_DENY] = "deny",
    [DETOUR_AUTH_UNAVAILABLE] = "unavailable",
  };
  static const struct {
    const char *name;
    guint flag;
  } flags[] = {
    { "cached", DETOUR_VERDICT_CACHED },
    { "grace", DETOUR_VERDICT_GRACE },
    { "recheck", DETOUR_VERDICT_RECHECK },
    { "dry_run", DETOUR_VERDICT_DRY_RUN },
  };

  g_variant_builder_add (row, "{sv}", "verdict", g_variant_new_string (results[event->result]));
  for (guint i = 0; i < G_N_ELEMENTS (flags); i++)
    if ((event->flags & flags[i].flag) != 0)
      g_variant_builder_add (row, "{sv}", flags[i].name, g_variant_new_boolean (TRUE));
}

GVariant *
detour_event_list_make_row (const DetourEvent *event)
{
  g_autofree char *key = event->key != NULL ? detour_key_to_text (event->key) : NULL;
  GVariantBuilder row;

  g_variant_builder_init (&row, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&row, "{sv}", "event",
                         g_variant_new_string (detour_event_kind_name (event->kind)));
  g_variant_builder_add (&row, "{sv}", "first", g_variant_new_uint64 ((guint64) event->first_us));
  g_variant_builder_add (&row, "{sv}", "last", g_variant_new_uint64 ((guint64) event->last_us));
  g_variant_builder_add (&row, "{sv}", "count", g_variant_new_uint32 (event->count));
  if (event->number != 0)
    g_variant_builder_add (&row, "{sv}", "number", g_variant_new_uint64 (event->number));
  event_list_add_text (&row, "key", key);
  event_list_add_text (&row, "address", event->address);
  event_list_add_text (&row, "source", event->source);
  event_list_add_text (&row, "label", event->label);
  event_list_add_text (&row, "class", event->class_);
  event_list_add_text (&row, "tenant", event->tenant);
  event_list_add_text (&row, "text", event->text);
  if (event->kind == DETOUR_EVENT_ADMITTED || event->kind == DETOUR_EVENT_REFUSED)
    event_list_add_verdict (&row, event);
  return g_variant_builder_end (&row);
}

/* Finding -------------------------------------------------------------------------------------- */

static gboolean
event_list_is_wanted (const Query *query, const DetourEvent *event)
{
  char hex[DETOUR_KEY_HEX_SIZE + 1];

  if (event->last_us < query->from_us || event->first_us > query->until_us)
    return FALSE;
  if (query->digits == NULL)
    return TRUE;
  if (event->key == NULL)
    return FALSE;
  detour_key_to_hex (event->key, hex);
  return g_str_has_prefix (hex, query->digits);
}

/* By which an event of the file is known that is in the memory as well. Its key may be hidden
 * there. */
static char *
event_list_identity (const DetourEvent *event)
{
  return g_strdup_printf ("%s %" G_GINT64_FORMAT, detour_event_kind_name (event->kind),
                          event->first_us);
}

static int
event_list_compare (gconstpointer a, gconstpointer b)
{
  const DetourEvent *one = *(const DetourEvent *const *) a;
  const DetourEvent *other = *(const DetourEvent *const *) b;

  if (one->last_us != other->last_us)
    return one->last_us < other->last_us ? -1 : 1;
  return one->number < other->number ? -1 : one->number > other->number ? 1 : 0;
}

/* An event that was repeated stands in the file several times, and the last time counts. */
static void
event_list_add_from_file (const Query *query, GHashTable *known, GPtrArray *out)
{
  g_autoptr (GPtrArray) stored = detour_event_file_read (query->file, query->digits, query->from_us,
                                                         query->until_us, query->limit);

  for (guint i = stored->len; i-- > 0;)
    {
      const DetourEvent *event = stored->pdata[i];

      if (g_hash_table_add (known, event_list_identity (event)))
        g_ptr_array_add (out, detour_event_copy (event));
    }
}

/* (transfer full): of DetourEvent, the oldest first. */
static GPtrArray *
event_list_find (const Query *query)
{
  g_autoptr (GPtrArray) remembered = detour_events_read (0, NULL);
  g_autoptr (GHashTable) known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GPtrArray *out = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < remembered->len; i++)
    {
      const DetourEvent *event = remembered->pdata[i];

      if (!event_list_is_wanted (query, event))
        continue;
      g_hash_table_add (known, event_list_identity (event));
      g_ptr_array_add (out, detour_event_copy (event));
    }
  if (query->file != NULL)
    event_list_add_from_file (query, known, out);
  g_ptr_array_sort (out, event_list_compare);
  if (out->len > query->limit)
    g_ptr_array_remove_range (out, 0, out->len - query->limit);
  return out;
}

/* Answers -------------------------------------------------------------------------------------- */

/* Two keys that begin with the digits that were asked for; FALSE: there are none. */
static gboolean
event_list_is_ambiguous (const GPtrArray *events, GError **error)
{
  const DetourKey *first = NULL;

  for (guint i = 0; i < events->len; i++)
    {
      const DetourKey *key = ((const DetourEvent *) events->pdata[i])->key;

      if (key != NULL && first != NULL && !detour_key_equal (key, first))
        {
          g_autofree char *one = detour_key_to_text (first);
          g_autofree char *other = detour_key_to_text (key);

          g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_AMBIGUOUS,
                       "several keys begin so, %s and %s among them; write more digits", one,
                       other);
          return TRUE;
        }
      if (key != NULL)
        first = key;
    }
  return FALSE;
}

static void
event_list_return (const Query *query, const GPtrArray *events, GDBusMethodInvocation *call)
{
  g_autoptr (GError) error = NULL;
  GVariantBuilder out;

  if (query->digits != NULL && event_list_is_ambiguous (events, &error))
    {
      g_dbus_method_invocation_return_gerror (call, error);
      return;
    }
  g_variant_builder_init (&out, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = 0; i < events->len; i++)
    g_variant_builder_add_value (&out, detour_event_list_make_row (events->pdata[i]));
  g_dbus_method_invocation_return_value (call, g_variant_new ("(aa{sv})", &out));
}

/* A thread that may wait for the disk. */
static void
event_list_run (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_task_return_pointer (task, event_list_find (data), (GDestroyNotify) g_ptr_array_unref);
}

typedef struct {
  DetourEventList *list;
  GDBusMethodInvocation *call;
} Reading;

static void
event_list_on_found (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autofree Reading *reading = data;
  g_autoptr (GPtrArray) events = g_task_propagate_pointer (G_TASK (result), NULL);

  reading->list->n_reading--;
  event_list_return (g_task_get_task_data (G_TASK (result)), events, reading->call);
}

/* FALSE with @error set. */
static gboolean
event_list_read_option (Query *query, const char *name, GVariant *value, GError **error)
{
  if (g_str_equal (name, "key") && g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    {
      const char *text = g_variant_get_string (value, NULL);
      DetourScanFilter filter;

      if (!detour_client_key_parse (text, &filter, error))
        return FALSE;
      g_free (query->digits);
      query->digits = g_ascii_strdown (
          g_str_has_prefix (text, "nodekey:") ? text + strlen ("nodekey:") : text, -1);
    }
  else if (g_str_equal (name, "from") && g_variant_is_of_type (value, G_VARIANT_TYPE_UINT64))
    query->from_us = (gint64) MIN (g_variant_get_uint64 (value), (guint64) G_MAXINT64);
  else if (g_str_equal (name, "until") && g_variant_is_of_type (value, G_VARIANT_TYPE_UINT64))
    query->until_us = (gint64) MIN (g_variant_get_uint64 (value), (guint64) G_MAXINT64);
  else if (g_str_equal (name, "limit") && g_variant_is_of_type (value, G_VARIANT_TYPE_UINT32))
    query->limit = CLAMP (g_variant_get_uint32 (value), 1, LIMIT_MAX);
  else
    {
      g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
                   "%s of type %s: there are key (s), from (t), until (t) and limit (u)", name,
                   g_variant_get_type_string (value));
      return FALSE;
    }
  return TRUE;
}

static Query *
event_list_read_query (const DetourEventList *self, GVariant *options, GError **error)
{
  g_autoptr (Query) query = g_new0 (Query, 1);
  gsize n = g_variant_n_children (options);

  query->file = g_strdup (self->file);
  query->until_us = G_MAXINT64;
  query->limit = LIMIT_DEFAULT;
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) value = NULL;
      g_autofree char *name = NULL;

      g_variant_get_child (options, i, "{sv}", &name, &value);
      if (!event_list_read_option (query, name, value, error))
        return NULL;
    }
  return g_steal_pointer (&query);
}

void
detour_event_list_answer (DetourEventList *self, GVariant *options, GDBusMethodInvocation *call)
{
  g_autoptr (GError) error = NULL;
  Query *query = event_list_read_query (self, options, &error);
  g_autoptr (GTask) task = NULL;
  Reading *reading;

  if (query == NULL)
    {
      g_dbus_method_invocation_return_gerror (call, error);
      return;
    }
  if (self->n_reading >= READING_MAX)
    {
      event_list_query_free (query);
      g_dbus_method_invocation_return_error (call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BUSY,
                                             "too many lists are being made at a time; try again");
      return;
    }
  reading = g_new (Reading, 1);
  *reading = (Reading) { self, call };
  self->n_reading++;
  task = g_task_new (NULL, NULL, event_list_on_found, reading);
  g_task_set_task_data (task, query, event_list_query_free);
  g_task_run_in_thread (task, event_list_run);
}

/* Subscribers ---------------------------------------------------------------------------------- */

void
detour_event_list_subscribe (DetourEventList *self, GDBusMethodInvocation *call)
{
  detour_event_stream_add (self->stream, call);
}

void
detour_event_list_unsubscribe (DetourEventList *self, GDBusMethodInvocation *call)
{
  detour_event_stream_remove (self->stream, call);
}

/* ---------------------------------------------------------------------------------------------- */

DetourEventList *
detour_event_list_new (const char *path, const char *file)
{
  DetourEventList *self = g_new0 (DetourEventList, 1);

  self->file = g_strdup (file);
  self->stream = detour_event_stream_new (path);
  return self;
}

void
detour_event_list_free (DetourEventList *self)
{
  while (self->n_reading > 0)
    g_main_context_iteration (NULL, TRUE);
  detour_event_stream_free (self->stream);
  g_free (self->file);
  g_free (self);
}
