/* detour-log-view.c: the last lines of the log for callers, and lines as they come for those who
 * subscribed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-log-view.h"

#include <glib/gi18n-lib.h>

#include "detour-control-error.h"
#include "detour-log-memory.h"
#include "detour-log.h"
#include "detour-subscribers.h"

#define LIMIT_DEFAULT 100u
#define LIMIT_MAX     1000u

#define LOOK_MS 100u
/* In one signal; what comes faster than so much in that time waits in the memory, and is lost when
 * that is full. */
#define BATCH_MAX 500u

struct _DetourLogView {
  DetourSubscribers *subscribers;
  guint64 after;
};

/* What a caller of ListLog() wants. */
typedef struct {
  guint64 after;
  gboolean has_after;
  guint limit;
  GLogLevelFlags least;
} Query;

/* Rows ----------------------------------------------------------------------------------------- */

static GVariant *
log_view_make_row (const DetourLogLine *line)
{
  const char *domain = line->texts;
  const char *message = detour_log_line_next (line, domain);
  GVariantBuilder row, fields;

  g_variant_builder_init (&fields, G_VARIANT_TYPE ("a{ss}"));
  for (const char *name = detour_log_line_next (line, message); name != NULL;)
    {
      const char *value = detour_log_line_next (line, name);

      g_variant_builder_add (&fields, "{ss}", name, value);
      name = detour_log_line_next (line, value);
    }
  g_variant_builder_init (&row, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&row, "{sv}", "number", g_variant_new_uint64 (line->number));
  g_variant_builder_add (&row, "{sv}", "time", g_variant_new_uint64 ((guint64) line->real_us));
  g_variant_builder_add (&row, "{sv}", "level",
                         g_variant_new_string (detour_log_level_name (line->level)));
  g_variant_builder_add (&row, "{sv}", "domain", g_variant_new_string (domain));
  g_variant_builder_add (&row, "{sv}", "message", g_variant_new_string (message));
  g_variant_builder_add (&row, "{sv}", "fields", g_variant_builder_end (&fields));
  return g_variant_builder_end (&row);
}

static GVariant *
log_view_make_rows (GPtrArray *lines)
{
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = 0; i < lines->len; i++)
    g_variant_builder_add_value (&out, log_view_make_row (lines->pdata[i]));
  return g_variant_builder_end (&out);
}

/* ListLog() ------------------------------------------------------------------------------------ */

static gboolean
log_view_read_option (Query *query, const char *name, GVariant *value, GError **error)
{
  if (g_str_equal (name, "limit") && g_variant_is_of_type (value, G_VARIANT_TYPE_UINT32))
    {
      query->limit = g_variant_get_uint32 (value);
      if (query->limit >= 1 && query->limit <= LIMIT_MAX)
        return TRUE;
      g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
                   "limit: %u is not from 1 to %u", query->limit, LIMIT_MAX);
      return FALSE;
    }
  if (g_str_equal (name, "level") && g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    {
      if (detour_log_level_from_name (g_variant_get_string (value, NULL), &query->least))
        return TRUE;
      g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
                   "level: \"%s\" is no level; there are debug, info, message, warning and "
                   "critical",
                   g_variant_get_string (value, NULL));
      return FALSE;
    }
  if (g_str_equal (name, "after") && g_variant_is_of_type (value, G_VARIANT_TYPE_UINT64))
    {
      query->after = g_variant_get_uint64 (value);
      query->has_after = TRUE;
      return TRUE;
    }
  g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
               "%s of type %s: there are after (t), level (s) and limit (u)", name,
               g_variant_get_type_string (value));
  return FALSE;
}

void
detour_log_view_list (DetourLogView *self, GVariant *options, GDBusMethodInvocation *call)
{
  Query query = { .limit = LIMIT_DEFAULT, .least = G_LOG_LEVEL_DEBUG };
  g_autoptr (GPtrArray) lines = NULL;
  gsize n = g_variant_n_children (options);
  guint64 next, lost;

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) value = NULL;
      g_autoptr (GError) error = NULL;
      g_autofree char *name = NULL;

      g_variant_get_child (options, i, "{sv}", &name, &value);
      if (!log_view_read_option (&query, name, value, &error))
        {
          g_dbus_method_invocation_return_gerror (call, error);
          return;
        }
    }
  if (!detour_log_memory_is_on ())
    {
      g_dbus_method_invocation_return_error (call, DETOUR_CONTROL_ERROR,
                                             DETOUR_CONTROL_ERROR_NOT_AVAILABLE,
                                             N_ ("no lines are kept: [core] log-memory is off"));
      return;
    }
  lines = detour_log_memory_read (query.after, query.least, query.limit, !query.has_after, &next,
                                  &lost);
  g_dbus_method_invocation_return_value (
      call,
      g_variant_new ("(@aa{sv}tt)", log_view_make_rows (lines), next, query.has_after ? lost : 0));
}

/* Subscribers ---------------------------------------------------------------------------------- */

static void
log_view_begin (gpointer user)
{
  ((DetourLogView *) user)->after = detour_log_memory_last ();
}

static void
log_view_look (gpointer user)
{
  DetourLogView *self = user;
  g_autoptr (GPtrArray) lines = NULL;
  guint64 lost;

  if (detour_log_memory_last () <= self->after)
    return;
  lines = detour_log_memory_read (self->after, G_LOG_LEVEL_DEBUG, BATCH_MAX, FALSE, &self->after,
                                  &lost);
  detour_subscribers_tell_all (self->subscribers,
                               g_variant_new ("(@aa{sv}t)", log_view_make_rows (lines), lost));
}

void
detour_log_view_subscribe (DetourLogView *self, GDBusMethodInvocation *call)
{
  detour_subscribers_add (self->subscribers, call, NULL, NULL);
}

void
detour_log_view_unsubscribe (DetourLogView *self, GDBusMethodInvocation *call)
{
  detour_subscribers_remove (self->subscribers, call);
}

/* ---------------------------------------------------------------------------------------------- */

DetourLogView *
detour_log_view_new (const char *path)
{
  static const DetourSubscribersFuncs funcs = { "LogLines", LOOK_MS, log_view_begin,
                                                log_view_look };
  DetourLogView *self = g_new0 (DetourLogView, 1);

  self->subscribers = detour_subscribers_new (path, &funcs, self);
  return self;
}

void
detour_log_view_free (DetourLogView *self)
{
  detour_subscribers_free (self->subscribers);
  g_free (self);
}
