/* detourctl-link.c: the connection of detourctl to the daemon.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "detour-paths.h"

#define ROOT "/io/github/detourd/Detour1"

void
detourctl_complain (const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  fflush (stdout);
  g_printerr ("detourctl: %s\n", text);
}

static char *
ctl_link_dup_socket (const Detourctl *self)
{
  const char *variable = g_getenv ("DETOUR_SOCKET");
  g_autofree char *run = NULL;

  if (self->socket != NULL)
    return g_canonicalize_filename (self->socket, NULL);
  if (variable != NULL && *variable != '\0')
    return g_canonicalize_filename (variable, NULL);
  run = detour_paths_run_directory ();
  return g_build_filename (run, "control", NULL);
}

static void
ctl_link_tell_how_to_start (void)
{
  if (g_file_test ("/run/systemd/system", G_FILE_TEST_IS_DIR))
    g_printerr (_ ("Start it with: %s\n"), "systemctl start detour");
  else
    g_printerr (_ ("Start it with: %s\n"), "detourd --config " DETOUR_SYSCONF_DIR "/detour.conf");
}

static DetourctlExit
ctl_link_explain_no_connection (const char *where, const GError *error)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED))
    {
      detourctl_complain (_ ("%s: you may not talk to this daemon; try it with sudo"), where);
      return DETOURCTL_FAILED;
    }
  detourctl_complain (_ ("no daemon answers on %s: %s"), where, error->message);
  ctl_link_tell_how_to_start ();
  return DETOURCTL_NO_DAEMON;
}

static gboolean
ctl_link_connect_to_socket (Detourctl *self, DetourctlExit *exit)
{
  g_autofree char *path = ctl_link_dup_socket (self);
  g_autofree char *escaped = g_dbus_address_escape_value (path);
  g_autofree char *address = g_strconcat ("unix:path=", escaped, NULL);
  g_autoptr (GError) error = NULL;

  self->connection = g_dbus_connection_new_for_address_sync (
      address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL, &error);
  if (self->connection == NULL)
    *exit = ctl_link_explain_no_connection (path, error);
  return self->connection != NULL;
}

static gboolean
ctl_link_connect_to_bus (Detourctl *self, DetourctlExit *exit)
{
  gboolean session = strcmp (self->bus, "session") == 0;
  g_autoptr (GError) error = NULL;

  self->connection = g_bus_get_sync (session ? G_BUS_TYPE_SESSION : G_BUS_TYPE_SYSTEM, NULL,
                                     &error);
  if (self->connection == NULL)
    {
      *exit = ctl_link_explain_no_connection (
          session ? _ ("the session bus") : _ ("the system bus"), error);
      return FALSE;
    }
  g_dbus_connection_set_exit_on_close (self->connection, FALSE);
  return TRUE;
}

static DetourctlExit
ctl_link_explain_failure (GError *error)
{
  g_autofree char *name = NULL;

  if (g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN)
      || g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER))
    {
      detourctl_complain (_ ("nobody on the bus is called %s"), DETOUR_BUS_NAME);
      ctl_link_tell_how_to_start ();
      return DETOURCTL_NO_DAEMON;
    }
  name = g_dbus_error_get_remote_error (error);
  g_dbus_error_strip_remote_error (error);
  /* What the daemon says without a name or a number in it is in our catalogue, too. */
  detourctl_complain ("%s", *error->message != '\0' ? gettext (error->message) : "");
  /* A value that cannot be is a wrong command line, whoever noticed. */
  return g_strcmp0 (name, DETOUR_BUS_NAME ".Error.BadArgument") == 0 ? DETOURCTL_USAGE
                                                                     : DETOURCTL_FAILED;
}

GVariant *
detourctl_call (Detourctl *self, const char *path, const char *interface, const char *method,
                GVariant *arguments, const char *reply, DetourctlExit *exit)
{
  g_autoptr (GVariant) held = arguments != NULL ? g_variant_ref_sink (arguments) : NULL;
  g_autofree char *full_path = *path != '\0' ? g_strconcat (ROOT, "/", path, NULL)
                                             : g_strdup (ROOT);
  g_autofree char *full_interface = strchr (interface, '.') != NULL
                                      ? g_strdup (interface)
                                      : g_strconcat (DETOUR_BUS_NAME, ".", interface, NULL);
  g_autoptr (GError) error = NULL;
  GVariant *result;

  if (self->connection == NULL
      && !(self->bus != NULL ? ctl_link_connect_to_bus (self, exit)
                             : ctl_link_connect_to_socket (self, exit)))
    return NULL;
  result = g_dbus_connection_call_sync (
      self->connection, self->bus != NULL ? DETOUR_BUS_NAME : NULL, full_path, full_interface,
      method, held, reply != NULL ? G_VARIANT_TYPE (reply) : NULL, G_DBUS_CALL_FLAGS_NO_AUTO_START,
      -1, NULL, &error);
  if (result == NULL)
    *exit = ctl_link_explain_failure (error);
  return result;
}

GVariant *
detourctl_manager (Detourctl *self, DetourctlExit *exit)
{
  g_autoptr (GVariant)
      reply = detourctl_call (self, "", "org.freedesktop.DBus.Properties", "GetAll",
                              g_variant_new ("(s)", DETOUR_BUS_NAME ".Manager"), "(a{sv})", exit);

  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

GVariant *
detourctl_objects (Detourctl *self, DetourctlExit *exit)
{
  g_autoptr (GVariant) reply = detourctl_call (self, "", "org.freedesktop.DBus.ObjectManager",
                                               "GetManagedObjects", NULL, "(a{oa{sa{sv}}})", exit);

  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

void
detourctl_each_object (GVariant *objects, const char *interface, DetourctlObjectFunc func,
                       gpointer user)
{
  g_autofree char *full = g_strconcat (DETOUR_BUS_NAME, ".", interface, NULL);
  GVariantIter iter;
  const char *path;
  GVariant *interfaces;

  g_variant_iter_init (&iter, objects);
  while (g_variant_iter_loop (&iter, "{&o@a{sa{sv}}}", &path, &interfaces))
    {
      g_autoptr (GVariant)
          properties = g_variant_lookup_value (interfaces, full, G_VARIANT_TYPE_VARDICT);

      if (properties != NULL)
        func (path, properties, user);
    }
}

const char *
detourctl_text (GVariant *dict, const char *name)
{
  const char *text = NULL;

  return g_variant_lookup (dict, name, "&s", &text) ? text : "";
}

guint64
detourctl_number (GVariant *dict, const char *name)
{
  guint64 number;
  guint32 small;

  if (g_variant_lookup (dict, name, "t", &number))
    return number;
  return g_variant_lookup (dict, name, "u", &small) ? small : 0;
}

gboolean
detourctl_flag (GVariant *dict, const char *name)
{
  gboolean flag;

  return g_variant_lookup (dict, name, "b", &flag) && flag;
}

const char *
detourctl_style (const Detourctl *self, DetourctlStyle style)
{
  static const char *const codes[] = {
    [DETOURCTL_PLAIN] = "\033[0m", [DETOURCTL_BOLD] = "\033[1m",    [DETOURCTL_FAINT] = "\033[2m",
    [DETOURCTL_RED] = "\033[31m",  [DETOURCTL_YELLOW] = "\033[33m", [DETOURCTL_GREEN] = "\033[32m",
  };

  return self->use_color ? codes[style] : "";
}
