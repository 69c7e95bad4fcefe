/* detourctl.c: the control program: finds the command and runs it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl.h"

#include <glib/gi18n.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "detour-nearest.h"
#include "detour-paths.h"
#include "detourctl-fleet.h"
#include "detourctl-format.h"

/* Columns of what --help says of a command. */
#define DETAILS_WIDTH 110u

/* Column of --help at which the summaries of the commands begin. */
#define HELP_COLUMN 26u

/* One a line, so that changes stay apart. */
/* clang-format off */
const DetourctlCommand *const detourctl_commands[] = {
  detourctl_status_commands, /* the one that runs without a name */
  detourctl_plugins_commands,
  detourctl_listeners_commands,
  detourctl_peers_commands,
  detourctl_clients_commands,
  detourctl_why_commands,
  detourctl_path_commands,
  detourctl_refused_commands,
  detourctl_ban_commands,
  detourctl_top_commands,
  detourctl_monitor_commands,
  detourctl_log_commands,
  detourctl_metrics_commands,
  detourctl_say_commands,
  detourctl_drain_commands,
  detourctl_upgrade_commands,
  detourctl_keys_commands,
  detourctl_certs_commands,
  detourctl_daemon_commands,
  detourctl_config_commands,
  detourctl_derpmap_commands,
  detourctl_derpmap_check_commands,
  detourctl_derpmap_merge_commands,
  detourctl_import_commands,
  detourctl_setup_commands,
  detourctl_doctor_commands,
  detourctl_probe_commands,
  detourctl_acme_commands,
  detourctl_budgets_commands,
  detourctl_fleet_commands,
  detourctl_fleet_map_commands,
  detourctl_fleet_publish_commands,
  detourctl_fleet_probe_commands,
  detourctl_fleet_upgrade_commands,
  detourctl_fleet_stage_commands,
  detourctl_fleet_why_commands,
  detourctl_fleet_clients_commands,
  detourctl_fleet_bans_commands,
  detourctl_bridge_commands,
  detourctl_complete_commands,
  NULL,
};
/* clang-format on */

/* Global options are accepted before the command and behind it. */
static void
detourctl_add_global_options (Detourctl *self, GOptionContext *context)
{
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &self->json, N_ ("Print one JSON document, for programs"),
      NULL },
    { "color", 0, 0, G_OPTION_ARG_STRING, &self->color, N_ ("Use colour: auto, always or never"),
      N_ ("WHEN") },
    { "socket", 0, 0, G_OPTION_ARG_FILENAME, &self->socket,
      N_ ("Find the daemon on this control socket"), N_ ("PATH") },
    { "bus", 0, 0, G_OPTION_ARG_STRING, &self->bus,
      N_ ("Find the daemon on the system or the session bus"), N_ ("WHICH") },
    { "timeout", 0, 0, G_OPTION_ARG_STRING, &self->timeout,
      N_ ("Wait so long for an answer: 10s, 500ms; off or 0: for ever"), N_ ("TIME") },
    { NULL },
  };

  g_option_context_add_main_entries (context, entries, GETTEXT_PACKAGE);
}

/* Text for --help ------------------------------------------------------------------------------ */

/* All commands, or with @first those of two words that begin with it. */
static void
detourctl_list_commands (GString *text, const char *first)
{
  g_string_append (text, _ ("Commands:"));
  for (guint i = 0; detourctl_commands[i] != NULL; i++)
    for (const DetourctlCommand *command = detourctl_commands[i]; command->name != NULL; command++)
      {
        g_autofree char *call = NULL;
        guint width;

        if (command->summary == NULL
            || (first != NULL
                && !(g_str_has_prefix (command->name, first)
                     && command->name[strlen (first)] == ' ')))
          continue;
        call = g_strconcat (command->name, *command->arguments != '\0' ? " " : "",
                            *command->arguments != '\0' ? _ (command->arguments) : "", NULL);
        width = detourctl_format_width (call);
        g_string_append_printf (text, "\n  %s%*s%s", call,
                                (int) (HELP_COLUMN - MIN (width, HELP_COLUMN - 1)), "",
                                _ (command->summary));
      }
  g_string_append_c (text, '\n');
}

static char *
detourctl_describe_commands (void)
{
  GString *text = g_string_new (NULL);

  detourctl_list_commands (text, NULL);
  g_string_append_c (text, '\n');
  g_string_append (
      text,
      _ ("\"detourctl COMMAND --help\" says more about a command. Exit status: 0 done, 1 failed, "
         "2 wrong\ncommand line, 3 no daemon, 4 no answer in time. The daemon is looked for on "
         "$DETOUR_SOCKET or,\nif that is not set, on the socket of an installed one."));
  return g_string_free (text, FALSE);
}

/* Finding the command -------------------------------------------------------------------------- */

/* The command that @arguments begins with; one of two words is preferred to one of one word. */
static const DetourctlCommand *
detourctl_find_command (char **arguments, guint *n_words)
{
  for (guint words = 2; words > 0; words--)
    for (guint i = 0; detourctl_commands[i] != NULL; i++)
      for (const DetourctlCommand *command = detourctl_commands[i]; command->name != NULL;
           command++)
        {
          g_auto (GStrv) parts = g_strsplit (command->name, " ", 2);

          if (g_strv_length (parts) != words || g_strcmp0 (parts[0], arguments[0]) != 0
              || (words == 2 && g_strcmp0 (parts[1], arguments[1]) != 0))
            continue;
          *n_words = words;
          return command;
        }
  return NULL;
}

/* Second words of the commands that begin with @first; empty when there are none. */
static char *
detourctl_list_second_words (const char *first)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; detourctl_commands[i] != NULL; i++)
    for (const DetourctlCommand *command = detourctl_commands[i]; command->name != NULL; command++)
      {
        g_auto (GStrv) parts = g_strsplit (command->name, " ", 2);

        if (parts[1] != NULL && strcmp (parts[0], first) == 0)
          g_string_append_printf (text, "%s%s", text->len > 0 ? ", " : "", parts[1]);
      }
  return g_strdup (text->str);
}

static DetourctlExit
detourctl_refuse_command (char **arguments)
{
  g_autofree char *second = detourctl_list_second_words (arguments[0]);
  g_autofree char *written = g_strjoin (" ", arguments[0], arguments[1], NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  const char *meant = NULL;
  const char *nearest;

  if (*second != '\0'
      && (g_strcmp0 (arguments[1], "--help") == 0 || g_strcmp0 (arguments[1], "-h") == 0))
    {
      g_autoptr (GString) text = g_string_new (NULL);

      detourctl_list_commands (text, arguments[0]);
      g_print ("%s", text->str);
      return DETOURCTL_GOOD;
    }
  for (guint i = 0; detourctl_commands[i] != NULL; i++)
    for (const DetourctlCommand *command = detourctl_commands[i]; command->name != NULL; command++)
      if (command->summary != NULL)
        {
          const char *blank = strchr (command->name, ' ');

          g_ptr_array_add (names, (gpointer) command->name);
          /* Somebody remembers "disable" of "plugins disable". */
          if (meant == NULL && blank != NULL && strcmp (blank + 1, arguments[0]) == 0)
            meant = command->name;
        }
  g_ptr_array_add (names, NULL);
  nearest = meant != NULL ? meant : detour_nearest (written, (const char *const *) names->pdata);
  if (nearest == NULL)
    nearest = detour_nearest (arguments[0], (const char *const *) names->pdata);
  if (*second != '\0' && (arguments[1] == NULL || nearest == NULL))
    /* TRANSLATORS: a command, and a list of words that may follow it. */
    detourctl_complain (_ ("what about \"%s\"? Write one of these behind it: %s"), arguments[0],
                        second);
  else if (nearest != NULL)
    detourctl_complain (_ ("there is no command \"%s\"; did you mean \"%s\"?"), written, nearest);
  else
    detourctl_complain (_ ("there is no command \"%s\"; \"detourctl --help\" lists them"),
                        arguments[0]);
  return DETOURCTL_USAGE;
}

/* Options that it does not use -------------------------------------------------------------------
 */

/* FALSE after a message: it would look as if the relay of that daemon were asked. */
static gboolean
detourctl_check_way (const Detourctl *self, const DetourctlCommand *command)
{
  if ((self->socket == NULL && self->bus == NULL) || !g_str_has_prefix (command->name, "fleet "))
    return TRUE;
  /* TRANSLATORS: an option, a command. */
  detourctl_complain (_ ("%s is not for \"%s\": how relays are reached stands in the inventory"),
                      self->socket != NULL ? "--socket" : "--bus", command->name);
  return FALSE;
}

/* What the parser of options says, and where those stand that there are. */
static void
detourctl_refuse_options (const DetourctlCommand *command, const GError *error)
{
  if (g_error_matches (error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION))
    /* TRANSLATORS: "Unknown option --nonsense", a command. */
    detourctl_complain (_ ("%s; \"detourctl %s --help\" lists those of this command"),
                        error->message, command->name);
  else
    detourctl_complain ("%s", error->message);
}

/* Running it ----------------------------------------------------------------------------------- */

static gboolean
detourctl_settle_options (Detourctl *self)
{
  const char *when = self->color != NULL ? self->color : "auto";
  struct winsize size;

  if (strcmp (when, "auto") != 0 && strcmp (when, "always") != 0 && strcmp (when, "never") != 0)
    {
      detourctl_complain (_ ("--color=%s: write auto, always or never"), when);
      return FALSE;
    }
  if (self->bus != NULL && strcmp (self->bus, "system") != 0 && strcmp (self->bus, "session") != 0)
    {
      detourctl_complain (_ ("--bus=%s: write system or session"), self->bus);
      return FALSE;
    }
  if (self->bus != NULL && self->socket != NULL)
    {
      detourctl_complain (_ ("--bus and --socket exclude each other"));
      return FALSE;
    }
  if (!detourctl_settle_timeout (self))
    return FALSE;
  if (isatty (STDOUT_FILENO) && ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    self->width = size.ws_col;
  if (strcmp (when, "auto") == 0)
    self->use_color = self->width > 0
                   && (g_getenv ("NO_COLOR") == NULL || *g_getenv ("NO_COLOR") == '\0')
                   && g_strcmp0 (g_getenv ("TERM"), "dumb") != 0;
  else
    self->use_color = strcmp (when, "always") == 0;
  return TRUE;
}

/* Whether the arguments are another command line, which is passed on unparsed. */
static gboolean
detourctl_takes_everything (const DetourctlCommand *command)
{
  return command->summary == NULL;
}

/* @text, translated, with lines that are no longer than those of the other commands. */
static char *
detourctl_lay_out_details (const char *text)
{
  g_auto (GStrv) lines = text != NULL ? g_strsplit (_ (text), "\n", -1) : NULL;

  if (lines == NULL)
    return NULL;
  for (guint i = 0; lines[i] != NULL; i++)
    {
      char *line = detourctl_format_wrap (lines[i], 0, 0, DETAILS_WIDTH);

      g_free (lines[i]);
      lines[i] = line;
    }
  return g_strjoinv ("\n", lines);
}

static DetourctlExit
detourctl_run_command (Detourctl *self, const DetourctlCommand *command, guint n_words,
                       char **arguments)
{
  g_autofree char *usage = g_strconcat (command->name, *command->arguments != '\0' ? " " : "",
                                        *command->arguments != '\0' ? _ (command->arguments) : "",
                                        NULL);
  g_autoptr (GOptionContext) context = g_option_context_new (usage);
  g_auto (GStrv) rest = g_strdupv (arguments + n_words - 1);
  g_autofree char *details = NULL;
  g_autoptr (GError) error = NULL;
  guint n;

  if (detourctl_takes_everything (command))
    return command->run (self, arguments + n_words);

  /* The option parser expects the name of the program first. */
  g_free (rest[0]);
  rest[0] = g_strdup ("detourctl");
  g_option_context_set_strict_posix (context, command->takes_dashes);
  g_option_context_set_translation_domain (context, GETTEXT_PACKAGE);
  g_option_context_set_summary (context, command->summary);
  details = detourctl_lay_out_details (command->details);
  g_option_context_set_description (context, details);
  if (command->options != NULL)
    g_option_context_add_main_entries (context, command->options, GETTEXT_PACKAGE);
  detourctl_add_global_options (self, context);
  if (!g_option_context_parse_strv (context, &rest, &error))
    {
      detourctl_refuse_options (command, error);
      return DETOURCTL_USAGE;
    }
  n = g_strv_length (rest) - 1;
  if (n < command->n_min || n > command->n_max)
    {
      g_autofree char *second = n_words == 1 ? detourctl_list_second_words (command->name) : NULL;

      /* A surplus word may have been meant as the second word of a command. */
      if (n > command->n_max && second != NULL && *second != '\0')
        return detourctl_refuse_command (arguments);
      g_printerr (_ ("Usage: detourctl %s\n"), usage);
      return DETOURCTL_USAGE;
    }
  if (!detourctl_settle_options (self) || !detourctl_check_way (self, command))
    return DETOURCTL_USAGE;
  return command->run (self, rest + 1);
}

/* Options between the two words of a command, as in "fleet --inventory FILE status": takes them out
 * of @rest. FALSE after a message. */
static gboolean
detourctl_take_middle_options (Detourctl *self, char ***rest)
{
  char **words = *rest;
  g_autofree char *second = detourctl_list_second_words (words[1]);
  g_autoptr (GOptionContext) context = NULL;
  g_auto (GStrv) behind = NULL;
  g_autoptr (GError) error = NULL;
  const GOptionEntry entries[] = { DETOURCTL_FLEET_OPTION, { NULL } };
  guint n_words;

  if (*second == '\0' || words[2] == NULL || *words[2] != '-'
      || detourctl_find_command (words + 1, &n_words) != NULL || strcmp (words[2], "--help") == 0
      || strcmp (words[2], "-h") == 0)
    return TRUE;
  context = g_option_context_new (NULL);
  g_option_context_set_strict_posix (context, TRUE);
  g_option_context_set_translation_domain (context, GETTEXT_PACKAGE);
  g_option_context_add_main_entries (context, entries, GETTEXT_PACKAGE);
  detourctl_add_global_options (self, context);
  behind = g_strdupv (words + 1);
  if (!g_option_context_parse_strv (context, &behind, &error))
    {
      detourctl_complain ("%s", error->message);
      return FALSE;
    }
  for (guint i = 1; words[i] != NULL; i++)
    g_clear_pointer (&words[i], g_free);
  for (guint i = 0; behind[i] != NULL; i++)
    words[i + 1] = g_steal_pointer (&behind[i]);
  return TRUE;
}

static DetourctlExit
detourctl_run (Detourctl *self, char **arguments)
{
  g_autoptr (GOptionContext) context = g_option_context_new (_ ("[COMMAND]"));
  g_autofree char *commands = detourctl_describe_commands ();
  g_auto (GStrv) rest = g_strdupv (arguments);
  g_autoptr (GError) error = NULL;
  const DetourctlCommand *command;
  guint n_words = 1;
  gboolean version = FALSE;
  const GOptionEntry entries[] = { { "version", 0, 0, G_OPTION_ARG_NONE, &version,
                                     N_ ("Print the version and exit"), NULL },
                                   { "inventory", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME,
                                     &detourctl_fleet_inventory, NULL, NULL },
                                   { NULL } };

  /* Options behind the command belong to the command. */
  g_option_context_set_strict_posix (context, TRUE);
  g_option_context_set_translation_domain (context, GETTEXT_PACKAGE);
  g_option_context_set_summary (context,
                                N_ ("Shows the state of the running relay, and controls it."));
  g_option_context_set_description (context, commands);
  g_option_context_add_main_entries (context, entries, GETTEXT_PACKAGE);
  detourctl_add_global_options (self, context);
  if (!g_option_context_parse_strv (context, &rest, &error))
    {
      detourctl_complain ("%s", error->message);
      return DETOURCTL_USAGE;
    }
  if (version)
    {
      g_print ("detourctl %s\n", DETOUR_VERSION);
      return DETOURCTL_GOOD;
    }
  if (rest[1] == NULL)
    {
      char *status[] = { (char *) "status", NULL };

      return detourctl_run_command (self, detourctl_find_command (status, &n_words), n_words,
                                    status);
    }
  if (strcmp (rest[1], "help") == 0 && rest[2] == NULL)
    {
      g_autofree char *help = g_option_context_get_help (context, TRUE, NULL);

      g_print ("%s", help);
      return DETOURCTL_GOOD;
    }
  if (!detourctl_take_middle_options (self, &rest))
    return DETOURCTL_USAGE;
  if (detourctl_fleet_inventory != NULL && strcmp (rest[1], "fleet") != 0)
    {
      detourctl_complain (_ ("--inventory is for the commands that begin with fleet"));
      return DETOURCTL_USAGE;
    }
  command = detourctl_find_command (rest + 1, &n_words);
  return command != NULL ? detourctl_run_command (self, command, n_words, rest + 1)
                         : detourctl_refuse_command (rest + 1);
}

/* GDBus warns of what is no message of D-Bus, and closes the connection. The command tells that, in
 * words for people. */
static void
detourctl_on_warning (const char *domain, GLogLevelFlags level, const char *text, gpointer user)
{
  if (strstr (text, "_g_dbus_worker_do_read_cb") == NULL)
    g_log_default_handler (domain, level, text, user);
}

int
main (int argc, char **argv)
{
  g_autofree char *locale = detour_paths_locale ();
  Detourctl self = { 0 };
  DetourctlExit exit;

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, locale);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  g_set_prgname ("detourctl");
  g_log_set_handler ("GLib-GIO", G_LOG_LEVEL_WARNING, detourctl_on_warning, NULL);

  exit = detourctl_run (&self, argv);
  if (fflush (stdout) != 0 || ferror (stdout))
    {
      detourctl_complain ("%s", _ ("what was to be printed could not be written"));
      exit = exit == DETOURCTL_GOOD ? DETOURCTL_FAILED : exit;
    }
  g_clear_object (&self.connection);
  g_free (self.color);
  g_free (self.bus);
  g_free (self.socket);
  g_free (self.timeout);
  return exit;
}
