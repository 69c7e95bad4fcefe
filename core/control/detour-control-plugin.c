/* detour-control-plugin.c: the interface io.github.detourd.Detour1.Plugin.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

#include "detour-auth-request.h"
#include "detour-bus-interfaces.h"
#include "detour-control-error.h"
#include "detour-drop-in.h"
#include "detour-schema.h"

typedef struct {
  DetourControl *control;
  DetourInstance *instance;
} View;

static GVariant *
control_plugin_text (const char *value)
{
  return g_variant_new_string (value != NULL ? value : "");
}

static GVariant *
control_plugin_get_id (gpointer data)
{
  return control_plugin_text (detour_instance_id (((View *) data)->instance));
}

static GVariant *
control_plugin_get_kind (gpointer data)
{
  return control_plugin_text (detour_kind_names[detour_instance_kind (((View *) data)->instance)]);
}

static GVariant *
control_plugin_get_plugin (gpointer data)
{
  return control_plugin_text (detour_instance_plugin_name (((View *) data)->instance));
}

static GVariant *
control_plugin_get_about (gpointer data)
{
  return control_plugin_text (detour_instance_about (((View *) data)->instance));
}

static GVariant *
control_plugin_get_state (gpointer data)
{
  return control_plugin_text (detour_instance_state_name (((View *) data)->instance));
}

static GVariant *
control_plugin_get_since (gpointer data)
{
  return g_variant_new_uint64 ((guint64) detour_instance_since_us (((View *) data)->instance));
}

static GVariant *
control_plugin_get_error (gpointer data)
{
  return control_plugin_text (detour_instance_error (((View *) data)->instance));
}

static GVariant *
control_plugin_get_trouble (gpointer data)
{
  g_autofree char *trouble = detour_instance_dup_trouble (((View *) data)->instance);

  return control_plugin_text (trouble);
}

static GVariant *
control_plugin_get_summary (gpointer data)
{
  g_autofree char *summary = detour_instance_dup_summary (((View *) data)->instance);

  return control_plugin_text (summary);
}

static const DetourTreeProperty properties[] = {
  { "Id", control_plugin_get_id },           { "Kind", control_plugin_get_kind },
  { "Plugin", control_plugin_get_plugin },   { "About", control_plugin_get_about },
  { "State", control_plugin_get_state },     { "Since", control_plugin_get_since },
  { "Error", control_plugin_get_error },     { "Trouble", control_plugin_get_trouble },
  { "Summary", control_plugin_get_summary }, { NULL },
};

/* Switching ------------------------------------------------------------------------------------ */

static void
control_plugin_tell (DetourInstance *instance, const char *what)
{
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "instance-switched",
                    DETOUR_LOG_INSTANCE, detour_instance_id (instance), "MESSAGE",
                    "%s: %s by the operator", detour_instance_id (instance), what);
}

/* Answers the call with @error, the reason why the instance did not start. */
static void
control_plugin_answer_start_failed (GDBusMethodInvocation *call, DetourInstance *instance,
                                    const GError *error)
{
  g_dbus_method_invocation_return_error (call, DETOUR_CONTROL_ERROR,
                                         DETOUR_CONTROL_ERROR_START_FAILED, "%s did not start: %s",
                                         detour_instance_id (instance), error->message);
}

/* The instance has changed already. Writes the change down if it is to last, and answers. */
static void
control_plugin_answer (View *view, gboolean persist, gboolean enabled, GDBusMethodInvocation *call)
{
  g_autoptr (GError) error = NULL;

  if (!persist
      || detour_drop_in_write (view->control->parts.sources, view->control->parts.plugins,
                               detour_instance_id (view->instance), enabled, &error))
    g_dbus_method_invocation_return_value (call, NULL);
  else
    g_dbus_method_invocation_return_error (
        call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NOT_LASTING,
        "%s is %s now, but not after the next start: %s", detour_instance_id (view->instance),
        enabled ? "running" : "stopped", error->message);
}

/* A draining daemon starts no instance: it would listen again. */
static gboolean
control_plugin_refuse_draining (View *view, GDBusMethodInvocation *call)
{
  if (detour_server_draining (view->control->parts.server) == NULL)
    return FALSE;
  g_dbus_method_invocation_return_error (call, DETOUR_CONTROL_ERROR,
                                         DETOUR_CONTROL_ERROR_NOT_AVAILABLE,
                                         "the relay is being taken out of service, and nothing "
                                         "starts; to take it back: detourctl drain "
                                         "--cancel");
  return TRUE;
}

static void
control_plugin_enable (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  View *view = data;
  g_autoptr (GError) error = NULL;
  gboolean persist;

  g_variant_get (arguments, "(b)", &persist);
  if (control_plugin_refuse_draining (view, call))
    return;
  control_plugin_tell (view->instance, "enabled");
  if (detour_instance_start (view->instance, &error))
    control_plugin_answer (view, persist, TRUE, call);
  else
    control_plugin_answer_start_failed (call, view->instance, error);
}

static void
control_plugin_disable (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  View *view = data;
  gboolean persist;

  g_variant_get (arguments, "(b)", &persist);
  control_plugin_tell (view->instance, "disabled");
  detour_instance_stop (view->instance);
  control_plugin_answer (view, persist, FALSE, call);
}

static void
control_plugin_restart (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  View *view = data;
  g_autoptr (GError) error = NULL;

  if (control_plugin_refuse_draining (view, call))
    return;
  control_plugin_tell (view->instance, "restarted");
  if (detour_instance_restart (view->instance, &error))
    g_dbus_method_invocation_return_value (call, NULL);
  else
    control_plugin_answer_start_failed (call, view->instance, error);
}

/* Asking --------------------------------------------------------------------------------------- */

static void
control_plugin_on_verdict (DetourVerdict *verdict, gpointer data)
{
  static const char *const results[] = {
    [DETOUR_AUTH_ALLOW] = "allow",
    [DETOUR_AUTH_DENY] = "deny",
    [DETOUR_AUTH_UNAVAILABLE] = "unavailable",
  };
  const struct {
    const char *name, *text;
  } texts[] = { { "label", verdict->label },
                { "class", verdict->class_ },
                { "reason", verdict->reason } };
  GVariantBuilder row;

  g_variant_builder_init (&row, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&row, "{sv}", "verdict", g_variant_new_string (results[verdict->result]));
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    if (texts[i].text != NULL)
      g_variant_builder_add (&row, "{sv}", texts[i].name,
                             g_variant_new_take_string (g_utf8_make_valid (texts[i].text, -1)));
  g_dbus_method_invocation_return_value (data, g_variant_new ("(a{sv})", &row));
}

static void
control_plugin_verify (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  View *view = data;
  g_autoptr (DetourAuthRequest) request = NULL;
  DetourAuthRequest fields = { .address = "" };
  const char *text;
  DetourKey key;

  g_variant_get (arguments, "(&s)", &text);
  if (detour_instance_kind (view->instance) != DETOUR_KIND_AUTH)
    {
      g_dbus_method_invocation_return_error (
          call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NOT_AVAILABLE, "%s is no auth instance",
          detour_instance_id (view->instance));
      return;
    }
  if (!detour_key_parse (&key, text, "nodekey:"))
    {
      g_dbus_method_invocation_return_error (call, DETOUR_CONTROL_ERROR,
                                             DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
                                             "\"%s\" is not a whole key", text);
      return;
    }
  memcpy (fields.key, key.bytes, sizeof fields.key);
  request = detour_auth_request_new (&fields);
  detour_instance_verify (view->instance, request, control_plugin_on_verdict, call);
}

static const DetourTreeMethod methods[] = {
  { "Enable", control_plugin_enable, DETOUR_RIGHT_CHANGE },
  { "Disable", control_plugin_disable, DETOUR_RIGHT_CHANGE },
  { "Restart", control_plugin_restart, DETOUR_RIGHT_CHANGE },
  { "Verify", control_plugin_verify, DETOUR_RIGHT_CHANGE },
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
      detour_tree_add (nodes,
                       detour_tree_node_name ("plugin", detour_instance_id (view->instance), 0),
                       &interface, view, g_free);
    }
}
