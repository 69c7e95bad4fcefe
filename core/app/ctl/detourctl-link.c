/* detourctl-link.c: the connection of detourctl to the daemon.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "detour-config-value.h"
#include "detour-paths.h"
#include "detourctl-format.h"
#include "detourctl-setup.h"

/* Number of a descriptor on which the daemon answers, for programs that it starts itself. */
#define CONTROL_FD "DETOUR_CONTROL_FD"
#define ROOT       "/io/github/detourd/Detour1"

void
detourctl_complain (const char *format, ...)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  fflush (stdout);
  /* Some messages have several lines. What they repeat of others must not rule the terminal. */
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      g_autofree char *safe = detourctl_format_safe (lines[i]);

      g_printerr ("%s%s\n", i == 0 ? "detourctl: " : "", safe);
    }
}

char *
detourctl_socket_path (const Detourctl *self)
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
  g_autofree char *path = detour_paths_main_file ();

  /* It does not start with the sample of a package alone. */
  if (detourctl_setup_says_nothing (path))
    g_printerr (_ ("%s has only comments; write a first configuration with: %s\n"), path,
                "detourctl setup");
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

/* Making the connection ------------------------------------------------------------------------ */

gboolean
detourctl_settle_timeout (Detourctl *self)
{
  static const DetourConfigKey key = { "timeout", DETOUR_CONFIG_DURATION, NULL, 1, 86400000,
                                       NULL,      DETOUR_CONFIG_LIMIT };
  const char *text = self->timeout != NULL ? self->timeout : "10s";
  g_autoptr (GError) error = NULL;
  DetourConfigValue value;

  if (!detour_config_value_parse (&key, text, &value, &error))
    {
      detourctl_complain ("--timeout: %s", error->message);
      return FALSE;
    }
  self->timeout_ms = (gint64) value.number;
  detour_config_value_clear (&value);
  return TRUE;
}

/* A daemon that is stopped takes connections, since the kernel does, and answers nothing. */
static DetourctlExit
ctl_link_explain_silence (const Detourctl *self, const char *where)
{
  g_autofree char *limit = detour_config_format_duration ((guint64) self->timeout_ms);

  detourctl_complain (_ ("%s: no answer within %s; the daemon is stopped, or hangs"), where, limit);
  if (g_file_test ("/run/systemd/system", G_FILE_TEST_IS_DIR))
    g_printerr (_ ("See what it does with: %s\n"), "systemctl status detour");
  return DETOURCTL_NO_ANSWER;
}

/* A connection that is being made. */
typedef struct {
  gboolean is_done;
  GDBusConnection *connection;
  GError *error;
} Attempt;

static void
ctl_link_on_connected (GObject *source, GAsyncResult *result, gpointer data)
{
  Attempt *attempt = data;

  attempt->connection = g_dbus_connection_new_for_address_finish (result, &attempt->error);
  attempt->is_done = TRUE;
}

static gboolean
ctl_link_on_time (gpointer data)
{
  *(gboolean *) data = TRUE;
  return G_SOURCE_CONTINUE;
}

/* Waits until the attempt is over or @end_us has come; TRUE: it is over. */
static gboolean
ctl_link_wait (const Attempt *attempt, gint64 end_us)
{
  gint64 left_us = end_us - g_get_monotonic_time ();
  gboolean is_late = FALSE;
  guint timer = 0;

  if (end_us != G_MAXINT64)
    timer = g_timeout_add ((guint) (MAX (left_us, 0) / 1000), ctl_link_on_time, &is_late);
  while (!attempt->is_done && !is_late)
    g_main_context_iteration (NULL, TRUE);
  if (timer != 0)
    g_source_remove (timer);
  return attempt->is_done;
}

/* Many who connect at once can fill the socket's backlog for a moment. @began_us: of the first
 * attempt. */
static gboolean
ctl_link_may_succeed_later (const Detourctl *self, const GError *error, gint64 began_us)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    return TRUE;
  return !self->is_quiet && g_get_monotonic_time () - began_us < DETOURCTL_NOBODY_US
      && (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED)
          || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED));
}

static gboolean
ctl_link_connect (Detourctl *self, const char *where, const char *address,
                  GDBusConnectionFlags flags, DetourctlExit *exit)
{
  gint64 began_us = g_get_monotonic_time ();
  gint64 end_us = self->timeout_ms > 0 ? began_us + self->timeout_ms * 1000 : G_MAXINT64;
  /* Its thread may hang in the kernel when the time is over; the program ends before it. */
  static Attempt attempt;
  g_autoptr (GError) error = NULL;

  for (;;)
    {
      attempt = (Attempt) { 0 };
      g_dbus_connection_new_for_address (address, flags, NULL, NULL, ctl_link_on_connected,
                                         &attempt);
      if (!ctl_link_wait (&attempt, end_us))
        {
          *exit = ctl_link_explain_silence (self, where);
          return FALSE;
        }
      if (!ctl_link_may_succeed_later (self, attempt.error, began_us)
          || g_get_monotonic_time () >= end_us)
        break;
      g_clear_error (&attempt.error);
      g_usleep (DETOURCTL_RETRY_US);
    }
  error = attempt.error;
  self->connection = attempt.connection;
  if (self->connection != NULL)
    g_dbus_connection_set_exit_on_close (self->connection, FALSE);
  else if (self->is_quiet)
    *exit = DETOURCTL_NO_DAEMON;
  else
    *exit = ctl_link_explain_no_connection (where, error);
  return self->connection != NULL;
}

static gboolean
ctl_link_connect_to_socket (Detourctl *self, DetourctlExit *exit)
{
  g_autofree char *path = detourctl_socket_path (self);
  g_autofree char *escaped = g_dbus_address_escape_value (path);
  g_autofree char *address = g_strconcat ("unix:path=", escaped, NULL);

  return ctl_link_connect (self, path, address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT,
                           exit);
}

GDBusConnection *
detourctl_wrap_descriptor (int fd, GError **error)
{
  g_autoptr (GSocket) socket = g_socket_new_from_fd (fd, error);
  g_autoptr (GSocketConnection) stream = NULL;
  GDBusConnection *connection;

  if (socket == NULL)
    {
      close (fd);
      return NULL;
    }
  stream = g_socket_connection_factory_create_connection (socket);
  connection = g_dbus_connection_new_sync (G_IO_STREAM (stream), NULL, G_DBUS_CONNECTION_FLAGS_NONE,
                                           NULL, NULL, error);
  if (connection != NULL)
    g_dbus_connection_set_exit_on_close (connection, FALSE);
  return connection;
}

/* A connection that a plugin of the daemon got for us. */
static gboolean
ctl_link_take_descriptor (Detourctl *self, const char *text, DetourctlExit *exit)
{
  g_autoptr (GError) error = NULL;
  gint64 number;

  if (g_ascii_string_to_signed (text, 10, 0, G_MAXINT, &number, &error))
    self->connection = detourctl_wrap_descriptor ((int) number, &error);
  if (self->connection == NULL)
    *exit = ctl_link_explain_no_connection ("$" CONTROL_FD, error);
  return self->connection != NULL;
}

static gboolean
ctl_link_connect_to_bus (Detourctl *self, DetourctlExit *exit)
{
  gboolean session = strcmp (self->bus, "session") == 0;
  const char *where = session ? _ ("the session bus") : _ ("the system bus");
  g_autoptr (GError) error = NULL;
  g_autofree char *address = g_dbus_address_get_for_bus_sync (
      session ? G_BUS_TYPE_SESSION : G_BUS_TYPE_SYSTEM, NULL, &error);

  if (address == NULL)
    {
      *exit = ctl_link_explain_no_connection (where, error);
      return FALSE;
    }
  return ctl_link_connect (self, where, address,
                           G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT
                               | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                           exit);
}

/* Calling -------------------------------------------------------------------------------------- */

static char *
ctl_link_describe_place (const Detourctl *self)
{
  if (self->bus == NULL)
    return detourctl_socket_path (self);
  return g_strdup (strcmp (self->bus, "session") == 0 ? _ ("the session bus")
                                                      : _ ("the system bus"));
}

static DetourctlExit
ctl_link_explain_failure (const Detourctl *self, GError *error)
{
  g_autofree char *where = ctl_link_describe_place (self);
  g_autofree char *name = NULL;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT)
      || g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY)
      || g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_TIMEOUT))
    return ctl_link_explain_silence (self, where);

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

static gboolean
ctl_link_connect_somewhere (Detourctl *self, DetourctlExit *exit)
{
  const char *descriptor = g_getenv (CONTROL_FD);

  if (self->bus != NULL)
    return ctl_link_connect_to_bus (self, exit);
  return descriptor != NULL && self->socket == NULL
           ? ctl_link_take_descriptor (self, descriptor, exit)
           : ctl_link_connect_to_socket (self, exit);
}

GVariant *
detourctl_try (Detourctl *self, const char *path, const char *interface, const char *method,
               GVariant *arguments, const char *reply, GError **error, DetourctlExit *exit)
{
  g_autoptr (GVariant) held = arguments != NULL ? g_variant_ref_sink (arguments) : NULL;
  g_autofree char *full_path = *path != '\0' ? g_strconcat (ROOT, "/", path, NULL)
                                             : g_strdup (ROOT);
  g_autofree char *full_interface = strchr (interface, '.') != NULL
                                      ? g_strdup (interface)
                                      : g_strconcat (DETOUR_BUS_NAME, ".", interface, NULL);

  if (self->connection == NULL && !ctl_link_connect_somewhere (self, exit))
    return NULL;
  return g_dbus_connection_call_sync (
      self->connection, self->bus != NULL ? DETOUR_BUS_NAME : NULL, full_path, full_interface,
      method, held, reply != NULL ? G_VARIANT_TYPE (reply) : NULL,
      /* On the system bus polkit may ask a person for a password. */
      G_DBUS_CALL_FLAGS_NO_AUTO_START | G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION,
      self->timeout_ms > 0 ? (int) self->timeout_ms : G_MAXINT, NULL, error);
}

GVariant *
detourctl_call (Detourctl *self, const char *path, const char *interface, const char *method,
                GVariant *arguments, const char *reply, DetourctlExit *exit)
{
  g_autoptr (GError) error = NULL;
  GVariant *result = detourctl_try (self, path, interface, method, arguments, reply, &error, exit);

  if (error != NULL)
    *exit = ctl_link_explain_failure (self, error);
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

const char *
detourctl_style (const Detourctl *self, DetourctlStyle style)
{
  static const char *const codes[] = {
    [DETOURCTL_PLAIN] = "\033[0m", [DETOURCTL_BOLD] = "\033[1m",    [DETOURCTL_FAINT] = "\033[2m",
    [DETOURCTL_RED] = "\033[31m",  [DETOURCTL_YELLOW] = "\033[33m", [DETOURCTL_GREEN] = "\033[32m",
  };

  return self->use_color ? codes[style] : "";
}
