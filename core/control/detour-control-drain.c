/* detour-control-drain.c: takes the relay out of service, and back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

#include <string.h>

#include "detour-control-error.h"

GVariant *
detour_control_get_draining (gpointer data)
{
  return g_variant_new_boolean (detour_server_draining (((DetourControl *) data)->parts.server)
                                != NULL);
}

static void
control_drain_add_number (GVariantBuilder *out, const char *name, guint64 value)
{
  g_variant_builder_add (out, "{sv}", name, g_variant_new_uint64 (value));
}

GVariant *
detour_control_get_drain_progress (gpointer data)
{
  DetourControl *self = data;
  const DetourControlParts *parts = &self->parts;
  const DetourServerDrain *drain = detour_server_draining (parts->server);
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE_VARDICT);
  if (drain == NULL)
    return g_variant_builder_end (&out);
  control_drain_add_number (&out, "begin", (guint64) drain->begin_real_us);
  control_drain_add_number (&out, "duration", (guint64) drain->for_us);
  control_drain_add_number (&out, "keep", drain->keep);
  control_drain_add_number (&out, "connections", drain->n_begin);
  control_drain_add_number (&out, "left", detour_server_n_clients (parts->server));
  control_drain_add_number (&out, "links", detour_server_n_mesh (parts->server));
  g_variant_builder_add (&out, "{sv}", "done", g_variant_new_boolean (drain->is_done));
  g_variant_builder_add (&out, "{sv}", "ends_daemon",
                         g_variant_new_boolean (parts->funcs->ends_when_drained (parts->user)));
  return g_variant_builder_end (&out);
}

typedef struct {
  gint64 for_us;
  guint keep;
  gboolean ends;
} Wishes;

static gboolean
control_drain_read (GVariant *options, Wishes *wishes, GError **error)
{
  GVariantIter iter;
  const char *name;
  GVariant *value;

  g_variant_iter_init (&iter, options);
  while (g_variant_iter_next (&iter, "{&sv}", &name, &value))
    {
      g_autoptr (GVariant) held = value;

      if (strcmp (name, "duration") == 0 && g_variant_is_of_type (held, G_VARIANT_TYPE_UINT64))
        wishes->for_us = (gint64) MIN (g_variant_get_uint64 (held), G_MAXINT64 / 2);
      else if (strcmp (name, "keep") == 0 && g_variant_is_of_type (held, G_VARIANT_TYPE_UINT64))
        wishes->keep = (guint) MIN (g_variant_get_uint64 (held), G_MAXUINT);
      else if (strcmp (name, "ends_daemon") == 0
               && g_variant_is_of_type (held, G_VARIANT_TYPE_BOOLEAN))
        wishes->ends = g_variant_get_boolean (held);
      else
        {
          g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
                       "no option \"%s\" of type %s; there are duration (t), keep (t) and "
                       "ends_daemon (b)",
                       name, g_variant_get_type_string (held));
          return FALSE;
        }
    }
  return TRUE;
}

void
detour_control_drain (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  DetourControl *self = data;
  g_autoptr (GVariant) options = g_variant_get_child_value (arguments, 0);
  g_autoptr (GError) error = NULL;
  Wishes wishes = { .for_us = -1 };

  if (!control_drain_read (options, &wishes, &error))
    {
      g_dbus_method_invocation_return_gerror (call, error);
      return;
    }
  self->parts.funcs->drain (self->parts.user, wishes.for_us, wishes.keep, wishes.ends);
  g_dbus_method_invocation_return_value (call, NULL);
}

void
detour_control_cancel_drain (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  DetourControl *self = data;
  g_autoptr (GError) error = NULL;

  if (detour_server_draining (self->parts.server) == NULL)
    g_dbus_method_invocation_return_error (
        call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NOT_AVAILABLE,
        "the relay is in service; there is nothing to take back");
  else if (!self->parts.funcs->cancel_drain (self->parts.user, &error))
    g_dbus_method_invocation_return_error (
        call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_START_FAILED,
        "in service again, but not everywhere: %s; it is tried again every second", error->message);
  else
    g_dbus_method_invocation_return_value (call, NULL);
}
