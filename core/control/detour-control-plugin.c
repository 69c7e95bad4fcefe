/* detour-control-plugin.c: the interface io.github.detourd.Detour1.Plugin.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

#include "detour-bus-interfaces.h"
#include "detour-control-error.h"
#include "detour-drop-in.h"
#include "detour-schema.h"

typedef struct {
  DetourControl *control;
  DetourInstance *instance;
} View;

static GVariant *
text (const char *value)
{
  return g_variant_new_string (value != NULL ? value : "");
}

static GVariant *
get_id (gpointer data)
{
  return text (detour_instance_id (((View *) data)->instance));
}

static GVariant *
get_kind (gpointer data)
{
  return text (detour_kind_names[detour_instance_kind (((View *) data)->instance)]);
}

static GVariant *
get_plugin (gpointer data)
{
  return text (detour_instance_plugin_name (((View *) data)->instance));
}

static GVariant *
get_about (gpointer data)
{
  return text (detour_instance_about (((View *) data)->instance));
}

static GVariant *
get_state (gpointer data)
{
  return text (detour_instance_state_name (((View *) data)->instance));
}

static GVariant *
get_since (gpointer data)
{
  return g_variant_new_uint64 ((guint64) detour_instance_since_us (((View *) data)->instance));
}

static GVariant *
get_error (gpointer data)
{
  return text (detour_instance_error (((View *) data)->instance));
}

static GVariant *
get_trouble (gpointer data)
{
  g_autofree char *trouble = detour_instance_dup_trouble (((View *) data)->instance);

  return text (trouble);
}

static GVariant *
get_summary (gpointer data)
{
  g_autofree char *summary = detour_instance_dup_summary (((View *) data)->instance);

  return text (summary);
}

static const DetourTreeProperty properties[] = {
  { "Id", get_id },         { "Kind", get_kind },       { "Plugin", get_plugin },
  { "About", get_about },   { "State", get_state },     { "Since", get_since },
  { "Error", get_error },   { "Trouble", get_trouble }, { "Summary", get_summary },
  { NULL },
};

/* Switching ---------------------------------------------------------------------------------------------------- */

static void
tell (DetourInstance *instance, const char *what)
{
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_INSTANCE, detour_instance_id (instance), "MESSAGE",
                    "%s: %s by the operator", detour_instance_id (instance), what);
}

/* Answers with @error, which says why it did not start. */
static void
answer_start_failed (GDBusMethodInvocation *call, DetourInstance *instance, const GError *error)
{
  g_dbus_method_invocation_return_error (call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_START_FAILED,
                                         "%s did not start: %s", detour_instance_id (instance), error->message);
}

/* The change is made already; says how it went to write it down. */
static void
answer (View *view, gboolean persist, gboolean enabled, GDBusMethodInvocation *call)
{
  g_autoptr (GError) error = NULL;

  if (!persist
      || detour_drop_in_write (view->control->parts.sources, view->control->parts.plugins,
                               detour_instance_id (view->instance), enabled, &error))
    g_dbus_method_invocation_return_value (call, NULL);
  else
    g_dbus_method_invocation_return_error (call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NOT_LASTING,
                                           "%s is %s now, but not after the next start: %s",
                                           detour_instance_id (view->instance), enabled ? "running" : "stopped",
                                           error->message);
}

/* Draining ends with the daemon: nothing may listen again. */
static gboolean
refuse_draining (View *view, GDBusMethodInvocation *call)
{
  if (!view->control->parts.funcs->is_draining (view->control->parts.user))
    return FALSE;
  g_dbus_method_invocation_return_error (call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NOT_AVAILABLE,
                                         "the daemon is draining, which only ends with it; nothing starts any more");
  return TRUE;
}

static void
enable (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  View *view = data;
  g_autoptr (GError) error = NULL;
  gboolean persist;

  g_variant_get (arguments, "(b)", &persist);
  if (refuse_draining (view, call))
    return;
  tell (view->instance, "enabled");
  if (detour_instance_start (view->instance, &error))
    answer (view, persist, TRUE, call);
  else
    answer_start_failed (call, view->instance, error);
}

static void
disable (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  View *view = data;
  gboolean persist;

  g_variant_get (arguments, "(b)", &persist);
  tell (view->instance, "disabled");
  detour_instance_stop (view->instance);
  answer (view, persist, FALSE, call);
}

static void
restart (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  View *view = data;
  g_autoptr (GError) error = NULL;

  if (refuse_draining (view, call))
    return;
  tell (view->instance, "restarted");
  if (detour_instance_restart (view->instance, &error))
    g_dbus_method_invocation_return_value (call, NULL);
  else
    answer_start_failed (call, view->instance, error);
}

static const DetourTreeMethod methods[] = {
  { "Enable", enable, TRUE },
  { "Disable", disable, TRUE },
  { "Restart", restart, TRUE },
  { NULL },
};

static const DetourTreeInterface interface = { &detour_bus_plugin_interface, properties, methods };

void
detour_control_list_plugins (DetourControl *self, GPtrArray *nodes)
{
  for (guint i = 0; i < detour_roster_count (self->parts.roster); i++)
    {
      View *view = g_new (View, 1);

      *view = (View) { self, detour_roster_nth (self->parts.roster, i) };
      detour_tree_add (nodes, detour_control_node_name ("plugin", detour_instance_id (view->instance), 0), &interface,
                       view, g_free);
    }
}
