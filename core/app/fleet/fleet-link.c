/* fleet-link.c: the control connection to one relay of a fleet, carried by a program.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-link.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "detour-config-value.h"

/* The end of what the program complained of; more is never of use. */
#define SAID_MAX 2048
/* A program that was asked to end gets so long. */
#define END_US  (500 * 1000)
#define LOOK_US 2000

struct _FleetLink {
  const FleetRelay *relay;
  GSubprocess *process;
  int said;        /* a file in memory: its standard error */
  Detourctl ctl;   /* has the connection */
  gint64 limit_ms; /* 0: none */
  gint64 end_us;
  char *fault; /* of the last call; NULL: none */
};

/* Starting and ending the program ---------------------------------------------------------------
 */

static GSubprocess *
fleet_link_spawn (const FleetRelay *relay, int end, int said, gint64 limit_ms, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
  g_autofree char *own = g_file_read_link ("/proc/self/exe", NULL);
  g_auto (GStrv) way = fleet_inventory_way (relay, own != NULL ? own : "detourctl", limit_ms);
  g_autoptr (GStrvBuilder) words = g_strv_builder_new ();
  g_auto (GStrv) all = NULL;

  g_strv_builder_addv (words, (const char **) way);
  g_strv_builder_add (words, "bridge");
  all = g_strv_builder_end (words);

  g_subprocess_launcher_take_stdin_fd (launcher, dup (end));
  g_subprocess_launcher_take_stdout_fd (launcher, dup (end));
  g_subprocess_launcher_take_stderr_fd (launcher, dup (said));
  return g_subprocess_launcher_spawnv (launcher, (const char *const *) all, error);
}

FleetLink *
fleet_link_open (const FleetRelay *relay, gint64 limit_ms, GError **error)
{
  g_autoptr (FleetLink) self = g_new0 (FleetLink, 1);
  int ends[2];

  self->relay = relay;
  self->limit_ms = limit_ms;
  self->end_us = g_get_monotonic_time () + limit_ms * 1000;
  self->said = memfd_create ("fleet", MFD_CLOEXEC);
  if (self->said < 0 || socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    {
      g_set_error_literal (error, G_IO_ERROR, (int) g_io_error_from_errno (errno),
                           g_strerror (errno));
      return NULL;
    }
  self->process = fleet_link_spawn (relay, ends[1], self->said, limit_ms, error);
  close (ends[1]);
  if (self->process == NULL)
    {
      close (ends[0]);
      return NULL;
    }
  /* The bridge logs in. */
  self->ctl.connection = detourctl_wrap_descriptor (ends[0], error);
  return self->ctl.connection != NULL ? g_steal_pointer (&self) : NULL;
}

/* FALSE: it has not ended in time. */
static gboolean
fleet_link_wait (const FleetLink *self)
{
  gint64 end_us = g_get_monotonic_time () + END_US;

  while (g_subprocess_get_identifier (self->process) != NULL)
    {
      if (g_get_monotonic_time () >= end_us)
        return FALSE;
      g_usleep (LOOK_US);
    }
  return TRUE;
}

void
fleet_link_close (FleetLink *self)
{
  if (self == NULL)
    return;
  if (self->ctl.connection != NULL)
    g_dbus_connection_close_sync (self->ctl.connection, NULL, NULL);
  g_clear_object (&self->ctl.connection);
  if (self->process != NULL)
    {
      g_subprocess_send_signal (self->process, SIGTERM);
      if (!fleet_link_wait (self))
        g_subprocess_force_exit (self->process);
      g_object_unref (self->process);
    }
  if (self->said >= 0)
    close (self->said);
  g_free (self->fault);
  g_free (self);
}

const FleetRelay *
fleet_link_relay (const FleetLink *self)
{
  return self->relay;
}

/* Calls -----------------------------------------------------------------------------------------
 */

/* The last line that the program wrote on its standard error; NULL: none. */
static char *
fleet_link_read_said (const FleetLink *self)
{
  char text[SAID_MAX + 1];
  off_t len = lseek (self->said, 0, SEEK_END);
  ssize_t n = pread (self->said, text, SAID_MAX, MAX (len - SAID_MAX, 0));
  g_autofree char *valid = NULL;
  char *line;

  if (n <= 0)
    return NULL;
  valid = g_strchomp (g_utf8_make_valid (text, n));
  line = strrchr (valid, '\n');
  line = line != NULL ? line + 1 : valid;
  if (g_str_has_prefix (line, "detourctl: "))
    line += strlen ("detourctl: ");
  return *line != '\0' ? g_strdup (g_strchomp (line)) : NULL;
}

/* What went wrong, for people. The program's own words say it best when it has ended. */
static void
fleet_link_explain (const FleetLink *self, GError **error)
{
  g_autofree char *limit = NULL;
  g_autofree char *said = NULL;

  if (g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    {
      limit = detour_config_format_duration ((guint64) self->limit_ms);
      g_clear_error (error);
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, _ ("no answer within %s"), limit);
      return;
    }
  if (g_dbus_error_is_remote_error (*error))
    {
      g_dbus_error_strip_remote_error (*error);
      return;
    }
  if (fleet_link_wait (self))
    said = fleet_link_read_said (self);
  else if (!g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_CLOSED))
    return;
  if (said == NULL && g_subprocess_get_identifier (self->process) == NULL
      && g_subprocess_get_if_exited (self->process))
    said = g_strdup_printf (
        _ ("the program that reaches it ended with status %d, and said nothing"),
        g_subprocess_get_exit_status (self->process));
  /* GDBus closes a connection with something else than messages. */
  if (said == NULL && g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_CLOSED))
    said = g_strdup (_ ("what comes from there is no answer of a relay; does a login script write "
                        "something where the bridge answers?"));
  if (said == NULL)
    return;
  g_clear_error (error);
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, said);
}

GVariant *
fleet_link_call (FleetLink *self, const char *path, const char *interface, const char *method,
                 GVariant *arguments, const char *reply, GError **error)
{
  gint64 left_ms = (self->end_us - g_get_monotonic_time ()) / 1000;
  GError *fault = NULL;
  DetourctlExit exit = DETOURCTL_GOOD;
  GVariant *answer;

  g_clear_pointer (&self->fault, g_free);
  self->ctl.timeout_ms = self->limit_ms == 0 ? 0 : MAX (left_ms, 1);
  answer = detourctl_try (&self->ctl, path, interface, method, arguments, reply, &fault, &exit);
  if (answer != NULL)
    return answer;
  self->fault = g_dbus_error_get_remote_error (fault);
  fleet_link_explain (self, &fault);
  g_propagate_error (error, fault);
  return NULL;
}

const char *
fleet_link_fault (const FleetLink *self)
{
  return self->fault;
}

GVariant *
fleet_link_manager (FleetLink *self, GError **error)
{
  g_autoptr (GVariant)
      reply = fleet_link_call (self, "", "org.freedesktop.DBus.Properties", "GetAll",
                               g_variant_new ("(s)", DETOUR_BUS_NAME ".Manager"), "(a{sv})", error);

  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

GVariant *
fleet_link_objects (FleetLink *self, GError **error)
{
  g_autoptr (GVariant)
      reply = fleet_link_call (self, "", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                               NULL, "(a{oa{sa{sv}}})", error);

  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}
