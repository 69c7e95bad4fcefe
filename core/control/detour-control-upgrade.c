/* detour-control-upgrade.c: how an operator puts another program in the place of the running one.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-error.h"
#include "detour-control-private.h"

static void
control_upgrade_add_text (GVariantBuilder *out, const char *name, const char *text)
{
  if (text != NULL)
    g_variant_builder_add (out, "{sv}", name, g_variant_new_string (text));
}

static void
control_upgrade_add_number (GVariantBuilder *out, const char *name, guint64 number)
{
  g_variant_builder_add (out, "{sv}", name, g_variant_new_uint64 (number));
}

/* Floating. */
static GVariant *
control_upgrade_describe (const DetourControlUpgrade *upgrade)
{
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE_VARDICT);
  control_upgrade_add_number (&out, "attempts", upgrade->n_attempts);
  control_upgrade_add_text (&out, "from", upgrade->from);
  control_upgrade_add_text (&out, "to", upgrade->to);
  control_upgrade_add_number (&out, "kept", upgrade->n_kept);
  control_upgrade_add_number (&out, "links", upgrade->n_links);
  control_upgrade_add_number (&out, "lost", upgrade->n_lost);
  control_upgrade_add_number (&out, "paused_us", (guint64) upgrade->paused_us);
  control_upgrade_add_number (&out, "time", (guint64) upgrade->real_us);
  control_upgrade_add_text (&out, "problem", upgrade->problem);
  return g_variant_builder_end (&out);
}

GVariant *
detour_control_get_last_upgrade (gpointer data)
{
  const DetourControl *self = data;
  DetourControlUpgrade last = { 0 };

  self->parts.funcs->last_upgrade (self->parts.user, &last);
  return control_upgrade_describe (&last);
}

GVariant *
detour_control_get_installed_version (gpointer data)
{
  const DetourControl *self = data;
  DetourControlUpgrade last = { 0 };

  self->parts.funcs->last_upgrade (self->parts.user, &last);
  return g_variant_new_string (last.installed != NULL ? last.installed : "");
}

static void
control_upgrade_refuse (GDBusMethodInvocation *call, const char *problem)
{
  g_dbus_method_invocation_return_error (call, DETOUR_CONTROL_ERROR,
                                         DETOUR_CONTROL_ERROR_UPGRADE_REFUSED,
                                         "not upgraded, all goes on as before: %s", problem);
}

static void
control_upgrade_on_checked (const DetourControlUpgrade *outcome, gpointer data)
{
  if (outcome->problem != NULL)
    control_upgrade_refuse (data, outcome->problem);
  else
    g_dbus_method_invocation_return_value (
        data, g_variant_new ("(@a{sv})", control_upgrade_describe (outcome)));
}

static void
control_upgrade_on_begun (const DetourControlUpgrade *outcome, gpointer data)
{
  if (outcome->problem != NULL)
    control_upgrade_refuse (data, outcome->problem);
  else
    g_dbus_method_invocation_return_value (data, NULL);
}

static void
control_upgrade_begin (DetourControl *self, GVariant *arguments, gboolean check,
                       DetourControlUpgradeDone done, GDBusMethodInvocation *call)
{
  const char *binary;

  g_variant_get (arguments, "(&s)", &binary);
  if (*binary != '\0' && !g_path_is_absolute (binary))
    g_dbus_method_invocation_return_error (call, DETOUR_CONTROL_ERROR,
                                           DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
                                           "\"%s\" is no absolute path of a program", binary);
  else
    self->parts.funcs->upgrade (self->parts.user, binary, NULL, check, done, call);
}

static void
control_upgrade_begin_elsewhere (DetourControl *self, GVariant *arguments, gboolean check,
                                 GDBusMethodInvocation *call)
{
  const char *socket;

  g_variant_get (arguments, "(&s)", &socket);
  if (!g_path_is_absolute (socket))
    g_dbus_method_invocation_return_error (call, DETOUR_CONTROL_ERROR,
                                           DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
                                           "\"%s\" is no absolute path of a socket", socket);
  else
    self->parts.funcs->upgrade (self->parts.user, NULL, socket, check, control_upgrade_on_checked,
                                call);
}

void
detour_control_upgrade (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  control_upgrade_begin (data, arguments, FALSE, control_upgrade_on_begun, call);
}

void
detour_control_check_upgrade (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  control_upgrade_begin (data, arguments, TRUE, control_upgrade_on_checked, call);
}

void
detour_control_hand_over (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  control_upgrade_begin_elsewhere (data, arguments, FALSE, call);
}

void
detour_control_check_hand_over (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  control_upgrade_begin_elsewhere (data, arguments, TRUE, call);
}
