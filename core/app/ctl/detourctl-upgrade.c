/* detourctl-upgrade.c: `detourctl upgrade`: the installed program takes over from the running one.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl.h"

#include <glib/gi18n.h>

#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-process.h"

/* How often the daemon is looked for while the other program starts. */
#define LOOK_US 20000

/* Of another process: its answer, a second for those who log in, and the taking over. */
#define HAND_OVER_MS 30000

static char *upgrade_binary, *upgrade_to;
static gboolean upgrade_check;

static const GOptionEntry upgrade_options[] = {
  { "binary", 0, 0, G_OPTION_ARG_FILENAME, &upgrade_binary,
    N_ ("Take FILE instead of the program that was started"), N_ ("FILE") },
  { "to", 0, 0, G_OPTION_ARG_FILENAME, &upgrade_to,
    N_ ("Hand over to the program that waits at SOCKET, in another process"), N_ ("SOCKET") },
  { "check", 0, 0, G_OPTION_ARG_NONE, &upgrade_check,
    N_ ("Ask the program whether it could take over, and change nothing"), NULL },
  { NULL },
};

/* A property of the Manager; NULL: nobody answers now, and nothing was said. */
static GVariant *
ctl_upgrade_ask_quietly (Detourctl *self, const char *property)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  gboolean was_quiet = self->is_quiet;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) boxed = NULL;

  self->is_quiet = TRUE;
  reply = detourctl_try (self, "", "org.freedesktop.DBus.Properties", "Get",
                         g_variant_new ("(ss)", DETOUR_BUS_NAME ".Manager", property), "(v)",
                         &error, &exit);
  self->is_quiet = was_quiet;
  if (reply == NULL)
    {
      g_clear_object (&self->connection);
      return NULL;
    }
  g_variant_get (reply, "(v)", &boxed);
  return g_steal_pointer (&boxed);
}

/* How the relay was before the other program came. */
typedef struct {
  DetourctlProcess process; /* stays the same */
  guint64 attempts;
  guint64 start; /* of the relay, which goes on with its clients */
} UpgradeBefore;

static void
ctl_upgrade_before_init (UpgradeBefore *before, Detourctl *self, GVariant *manager)
{
  g_autoptr (GVariant)
      last = g_variant_lookup_value (manager, "LastUpgrade", G_VARIANT_TYPE_VARDICT);

  before->attempts = last != NULL ? detourctl_number (last, "attempts") : 0;
  before->start = detourctl_number (manager, "StartTime");
  detourctl_process_init (&before->process, self);
}

/* Another process runs, which the service manager has started since. */
static gboolean
ctl_upgrade_is_new_start (Detourctl *self, const UpgradeBefore *before)
{
  g_autoptr (GVariant) start = ctl_upgrade_ask_quietly (self, "StartTime");

  return start != NULL && g_variant_is_of_type (start, G_VARIANT_TYPE_UINT64)
      && g_variant_get_uint64 (start) != before->start;
}

/* The connection ends when the other program begins. NULL: it has ended, or is not there in time.
 */
static GVariant *
ctl_upgrade_wait (Detourctl *self, const UpgradeBefore *before, gboolean *has_ended)
{
  gint64 end_us = g_get_monotonic_time () + MAX (self->timeout_ms, 10000) * 1000;

  *has_ended = FALSE;
  while (g_get_monotonic_time () < end_us && !*has_ended)
    {
      g_autoptr (GVariant) last = ctl_upgrade_ask_quietly (self, "LastUpgrade");

      if (last != NULL && detourctl_number (last, "attempts") > before->attempts)
        return g_steal_pointer (&last);
      /* A failed upgrade is counted in the process that goes on: who answers and has counted none
       * may be the next one already. */
      *has_ended = detourctl_process_has_ended (&before->process)
                || (last != NULL && ctl_upgrade_is_new_start (self, before));
      g_usleep (LOOK_US);
    }
  return NULL;
}

/* The old program is gone, and the new one does not speak. */
static DetourctlExit
ctl_upgrade_tell_trouble (Detourctl *self, const DetourctlProcess *process, gboolean has_ended)
{
  DetourctlExit exit = has_ended ? DETOURCTL_NO_DAEMON : DETOURCTL_NO_ANSWER;
  g_autofree char *where = process->pid > 0 ? g_strdup_printf ("journalctl _PID=%u", process->pid)
                                            : g_strdup ("detourctl log");
  g_autofree char *text = NULL;

  if (has_ended)
    /* TRANSLATORS: a command. */
    text = g_strdup_printf (_ ("the other program was started and ended at once, and all "
                               "connections with it; clients come back as soon as a relay runs. "
                               "Its log says why: %s"),
                            where);
  else
    /* TRANSLATORS: a command. */
    text = g_strdup_printf (_ ("the other program was started, and does not answer; it holds all "
                               "connections until it is ended, by the watchdog of the service "
                               "manager or by a restart. Its log: %s"),
                            where);
  if (self->json)
    {
      DetourctlJson *json = detourctl_json_begin_document ();

      detourctl_json_flag (json, "upgraded", FALSE);
      detourctl_json_text (json, "problem", text);
      return detourctl_json_end_document (json, exit);
    }
  detourctl_complain ("%s", text);
  return exit;
}

static DetourctlExit
ctl_upgrade_print_json (GVariant *result, gboolean good)
{
  DetourctlJson *json = detourctl_json_begin_document ();

  detourctl_json_flag (json, "upgraded", good && !upgrade_check);
  detourctl_json_text (json, "from", detourctl_text (result, "from"));
  detourctl_json_text (json, "to", detourctl_text (result, "to"));
  detourctl_json_number (json, "kept", detourctl_number (result, "kept"));
  detourctl_json_number (json, "links", detourctl_number (result, "links"));
  detourctl_json_number (json, "lost", detourctl_number (result, "lost"));
  if (!upgrade_check)
    detourctl_json_number (json, "paused_us", detourctl_number (result, "paused_us"));
  detourctl_json_text (json, "problem", detourctl_text (result, "problem"));
  return detourctl_json_end_document (json, good ? DETOURCTL_GOOD : DETOURCTL_FAILED);
}

static char *
ctl_upgrade_describe_kept (GVariant *result)
{
  return detourctl_format_kept (detourctl_number (result, "kept"),
                                detourctl_number (result, "links"));
}

static DetourctlExit
ctl_upgrade_tell_check (Detourctl *self, GVariant *result)
{
  guint64 n_kept = detourctl_number (result, "kept");
  g_autofree char *count = detourctl_format_count (n_kept);
  g_autofree char *clients = g_strdup_printf (
      ngettext ("%s client would be kept", "%s clients would be kept", (gulong) n_kept), count);
  g_autofree char *kept = detourctl_format_links (clients, detourctl_number (result, "links"));
  g_autofree char *lost = detourctl_format_count (detourctl_number (result, "lost"));
  g_autofree char *to = detourctl_format_safe (detourctl_text (result, "to"));

  if (self->json)
    return ctl_upgrade_print_json (result, TRUE);
  /* TRANSLATORS: a version, "12 clients would be kept", and a number of clients. */
  g_print (_ ("could upgrade to %s: %s, %s asked to reconnect (TLS 1.2)\n"), to, kept, lost);
  return DETOURCTL_GOOD;
}

static DetourctlExit
ctl_upgrade_tell (Detourctl *self, GVariant *last)
{
  const char *problem = detourctl_text (last, "problem");
  g_autofree char *kept = ctl_upgrade_describe_kept (last);
  g_autofree char *lost = detourctl_format_count (detourctl_number (last, "lost"));
  g_autofree char *to = detourctl_format_safe (detourctl_text (last, "to"));
  g_autofree char *paused_ms = detourctl_format_count ((detourctl_number (last, "paused_us") + 500)
                                                       / 1000);

  if (self->json)
    return ctl_upgrade_print_json (last, problem == NULL || *problem == '\0');
  if (problem != NULL && *problem != '\0')
    {
      g_autofree char *safe = detourctl_format_safe (problem);

      detourctl_complain (_ ("not upgraded, all goes on as before: %s"), safe);
      return DETOURCTL_FAILED;
    }
  /* TRANSLATORS: a version, "12 clients kept", and numbers of clients and of milliseconds. */
  g_print (_ ("upgraded to %s: %s, %s asked to reconnect (TLS 1.2), paused for %s ms\n"), to, kept,
           lost, paused_ms);
  return DETOURCTL_GOOD;
}

/* The daemon reads paths from its own folder, which is another one. */
static GVariant *
ctl_upgrade_arguments (void)
{
  g_autofree char *path = upgrade_binary != NULL ? g_canonicalize_filename (upgrade_binary, NULL)
                                                 : g_strdup ("");

  return g_variant_new ("(s)", path);
}

/* The answer comes when all is done: the one that was asked ends, and with it, in a container, this
 * program. */
static DetourctlExit
ctl_upgrade_hand_over (Detourctl *self)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autofree char *path = g_canonicalize_filename (upgrade_to, NULL);
  g_autofree char *kept = NULL, *lost = NULL, *to = NULL;
  g_autoptr (GVariant) reply = NULL, result = NULL;

  if (self->timeout_ms != 0)
    self->timeout_ms = MAX (self->timeout_ms, HAND_OVER_MS);
  reply = detourctl_call (self, "", "Manager", upgrade_check ? "CheckHandOver" : "HandOver",
                          g_variant_new ("(s)", path), "(a{sv})", &exit);
  if (reply == NULL)
    return exit;
  result = g_variant_get_child_value (reply, 0);
  if (upgrade_check)
    return ctl_upgrade_tell_check (self, result);
  if (self->json)
    return ctl_upgrade_print_json (result, TRUE);
  kept = ctl_upgrade_describe_kept (result);
  lost = detourctl_format_count (detourctl_number (result, "lost"));
  to = detourctl_format_safe (detourctl_text (result, "to"));
  /* TRANSLATORS: a version, "12 clients kept", and a number of clients. */
  g_print (_ ("handed over to %s: %s, %s asked to reconnect (TLS 1.2); its log has how long the "
              "pause was\n"),
           to, kept, lost);
  return DETOURCTL_GOOD;
}

static DetourctlExit
ctl_upgrade_run (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) reply = NULL, result = NULL, manager = NULL, last = NULL;
  UpgradeBefore before;
  gboolean has_ended;

  if (upgrade_to != NULL && upgrade_binary != NULL)
    {
      detourctl_complain (_ ("--to and --binary exclude each other"));
      return DETOURCTL_USAGE;
    }
  if (upgrade_to != NULL)
    return ctl_upgrade_hand_over (self);
  if (upgrade_check)
    {
      reply = detourctl_call (self, "", "Manager", "CheckUpgrade", ctl_upgrade_arguments (),
                              "(a{sv})", &exit);
      result = reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
      return result != NULL ? ctl_upgrade_tell_check (self, result) : exit;
    }
  manager = detourctl_manager (self, &exit);
  if (manager == NULL)
    return exit;
  ctl_upgrade_before_init (&before, self, manager);
  reply = detourctl_call (self, "", "Manager", "Upgrade", ctl_upgrade_arguments (), NULL, &exit);
  if (reply != NULL)
    {
      last = ctl_upgrade_wait (self, &before, &has_ended);
      exit = last != NULL ? ctl_upgrade_tell (self, last)
                          : ctl_upgrade_tell_trouble (self, &before.process, has_ended);
    }
  detourctl_process_clear (&before.process);
  return exit;
}

const DetourctlCommand detourctl_upgrade_commands[] = {
  { .name = "upgrade",
    .arguments = "",
    .summary = N_ ("Put the installed program in the place of the running one"),
    .details = N_ ("Every client stays connected, except those on TLS 1.2, who connect again. "
                   "The program is asked\n"
                   "first whether it could take over; when it could not, the old one goes on, "
                   "untouched."),
    .options = upgrade_options,
    .run = ctl_upgrade_run },
  { NULL },
};
