/* detourd.c: the daemon's main program.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <grp.h>
#include <locale.h>
#include <pwd.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "detour-config-trial.h"
#include "detour-daemon-user.h"
#include "detour-daemon.h"
#include "detour-dev.h"
#include "detour-last-config.h"
#include "detour-log.h"
#include "detour-options.h"
#include "detour-paths.h"
#include "detour-rehearsal.h"
#include "detour-server-key.h"
#include "detour-store.h"
#include "detour-successor.h"

static DetourExit
detourd_generate_key (const char *path)
{
  g_autoptr (DetourServerKey) key = detour_server_key_new ();
  g_autofree char *text = detour_key_to_text (detour_server_key_public (key));
  g_autoptr (GError) error = NULL;

  if (!detour_server_key_save (key, path, &error))
    {
      g_printerr ("%s\n", error->message);
      return DETOUR_EXIT_FAILED;
    }
  g_print ("%s\n", text);
  return DETOUR_EXIT_GOOD;
}

/* For options whose result is what they print: a part of it must not be taken for all. */
static DetourExit
detourd_has_printed (void)
{
  if (fflush (stdout) == 0 && !ferror (stdout))
    return DETOUR_EXIT_GOOD;
  g_printerr ("%s\n", _ ("what was to be printed could not be written"));
  return DETOUR_EXIT_FAILED;
}

static DetourExit
detourd_list_plugins (DetourPlugins *plugins)
{
  g_auto (GStrv) names = detour_plugins_names (plugins, DETOUR_N_KINDS);

  for (guint i = 0; names[i] != NULL; i++)
    {
      g_autoptr (GError) error = NULL;
      const DetourPlugin *plugin = detour_plugins_load (plugins, names[i], &error);

      if (plugin != NULL)
        g_print ("%-22s %s\n", names[i], plugin->summary);
      else
        g_print ("%-22s cannot be used: %s\n", names[i], error->message);
    }
  return detourd_has_printed ();
}

/* A plugin that is installed but cannot be used makes its instance fail and not the relay, so it is
 * no error of the file. */
static void
detourd_print_broken (const DetourConfig *config)
{
  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (instance->enabled && instance->plugin == NULL)
        g_printerr ("%s will not start: %s\n", instance->id, instance->problem);
    }
}

/* What plugins will put up with, but clients will not. */
static guint
detourd_print_advice (const DetourConfig *config)
{
  g_autoptr (GPtrArray) advice = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (instance->enabled && instance->plugin != NULL && instance->plugin->advise != NULL)
        instance->plugin->advise (instance->settings, config->options.core.hostname, advice);
    }
  for (guint i = 0; i < advice->len; i++)
    g_printerr ("%s\n", (const char *) advice->pdata[i]);
  return advice->len;
}

/* Returns: how many there are. */
static guint
detourd_print_findings (const DetourConfigErrors *errors)
{
  g_auto (GStrv) lines = detour_config_errors_warnings (errors);
  guint n;

  for (n = 0; lines[n] != NULL; n++)
    g_printerr (_ ("warning: %s\n"), lines[n]);
  return n;
}

/* Root reads files that are closed to the daemon, so a check by root is made as the user that owns
 * the daemon's state, or else as the one that the service unit names. NULL when this is not root,
 * or there is no such user; else its name, to be freed. */
static char *
detourd_become_user_of_daemon (void)
{
  g_autofree char *state = detour_paths_state_directory ();
  g_autofree char *name = NULL;
  const struct passwd *user = detour_daemon_user (state);

  if (user == NULL || user->pw_uid == 0)
    return NULL;
  name = g_strdup (user->pw_name);
  if (initgroups (name, user->pw_gid) < 0 || setgid (user->pw_gid) < 0 || setuid (user->pw_uid) < 0)
    {
      g_printerr (_ ("cannot check as user %s: %s\n"), name, g_strerror (errno));
      return NULL;
    }
  return g_steal_pointer (&name);
}

/* Whether a program with these options relays. */
static gboolean
detourd_is_to_run (const DetourOptions *options)
{
  return !options->check_config && !options->dump_config && !options->list_plugins
      && !options->try_takeover;
}

/* What was in force before is no better than the files. */
static void
detourd_add_last_errors (DetourConfigErrors *errors, const DetourConfigErrors *last)
{
  g_auto (GStrv) lines = detour_config_errors_lines (last);

  /* The last of them is their number. */
  for (guint i = 0; lines[i] != NULL && lines[i + 1] != NULL; i++)
    {
      g_autofree char *text = g_strconcat ("the configuration that was in force before cannot be "
                                           "used either: ",
                                           lines[i], NULL);

      detour_config_errors_add_line (errors, NULL, 0, text);
    }
}

/* The program before has left clients, and the files are no good, or name what is not there: what
 * was in force before takes the place of @config, and what there is to say of it that of @errors.
 * @fork: of @plugins before the files were read. Returns: (transfer full) (nullable): what is wrong
 * with the files; NULL: all stays as it is */
static DetourConfigErrors *
detourd_fall_back (const DetourProgram *program, DetourPlugins *plugins, DetourPlugins *fork,
                   DetourConfig **config, DetourConfigErrors **errors)
{
  g_autoptr (DetourConfigErrors) last_errors = detour_config_errors_new ();
  g_autoptr (DetourConfigErrors) refused = NULL;
  g_autoptr (GError) error = NULL;
  DetourConfig *last;

  if (*config != NULL && detour_daemon_could_begin (*config, &error))
    return NULL;
  last = detour_last_config_load (program, fork, last_errors);
  if (last == NULL)
    {
      if (*config == NULL)
        detourd_add_last_errors (*errors, last_errors);
      return NULL;
    }
  if (error != NULL)
    {
      refused = detour_config_errors_new ();
      detour_config_errors_add_line (refused, NULL, 0, error->message);
      detour_config_errors_free (*errors);
    }
  else
    refused = *errors;
  *errors = g_steal_pointer (&last_errors);
  detour_plugins_adopt (plugins, fork);
  g_clear_pointer (config, detour_config_unref);
  *config = last;
  return g_steal_pointer (&refused);
}

/* FALSE: there is nothing to be run, and @exit says how it ends. One that takes over in another way
 * was started with the same options. */
static gboolean
detourd_await (const DetourOptions *options, DetourConfig *config, DetourProgram *program,
               DetourExit *exit)
{
  g_autofree char *path = NULL;

  if (options->take_over == NULL || program->handover >= 0 || detour_store_is_passed ())
    return TRUE;
  path = g_canonicalize_filename (options->take_over, NULL);
  switch (detour_successor_wait (config, path, &program->before))
    {
    case DETOUR_SUCCESSOR_CALLED:
    case DETOUR_SUCCESSOR_ALONE:
      return TRUE;
    case DETOUR_SUCCESSOR_ENDED:
      *exit = DETOUR_EXIT_GOOD;
      return FALSE;
    case DETOUR_SUCCESSOR_FAILED:
    default:
      *exit = DETOUR_EXIT_FAILED;
      return FALSE;
    }
}

static DetourExit
detourd_run (const DetourOptions *options, DetourProgram *program)
{
  g_autofree char *checked_as = NULL;
  g_autofree char *plugin_directory = detour_paths_plugins ();
  const char *directories[] = { plugin_directory, NULL };
  g_autoptr (DetourPlugins) plugins = detour_plugins_new (directories);
  g_autofree char *vendor_file = detour_paths_vendor_file ();
  g_autofree char *main_file = options->config != NULL
                                 ? g_canonicalize_filename (options->config, NULL)
                                 : detour_paths_main_file ();
  g_auto (GStrv) environment = g_get_environ ();
  DetourConfigSources sources = { .vendor_file = vendor_file,
                                  .main_file = main_file,
                                  .environment = (const char *const *) environment };
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (DetourDev) dev = NULL;
  g_autoptr (DetourConfigErrors) refused = NULL;
  g_autoptr (DetourPlugins) fork = NULL;
  g_autoptr (DetourConfig) config = NULL;
  DetourExit exit;

  if (options->dev)
    {
      g_autoptr (GError) error = NULL;

      dev = detour_dev_new (plugins, &error);
      if (dev == NULL)
        {
          g_printerr ("%s\n", error->message);
          return DETOUR_EXIT_FAILED;
        }
      sources.built_in = detour_dev_settings (dev);
      sources.vendor_file = NULL;
      if (options->config == NULL)
        sources.main_file = NULL;
    }
  if (options->no_vendor)
    sources.vendor_file = NULL;
  sources.main_file_optional = options->config == NULL;

  if (options->check_config)
    checked_as = detourd_become_user_of_daemon ();
  fork = detour_plugins_fork (plugins);
  config = detour_config_load (&sources, plugins, errors);
  if (detourd_is_to_run (options) && detour_last_config_is_there (program))
    refused = detourd_fall_back (program, plugins, fork, &config, &errors);
  if (config != NULL && options->check_config)
    {
      g_autofree char *state = detour_config_state_directory (config);

      detour_config_try (config, state, checked_as != NULL, errors);
    }
  /* The plugins that the configuration knows of, even when the rest of it is wrong. */
  if (options->list_plugins)
    return detourd_list_plugins (plugins);
  if (detour_config_errors_count (errors) > 0)
    {
      g_auto (GStrv) lines = detour_config_errors_lines (errors);

      /* Who asks for an upgrade wants to know what hinders it, in a line. */
      if (!options->try_takeover)
        detourd_print_findings (errors);
      for (guint i = 0; lines[i] != NULL; i++)
        g_printerr ("%s\n", lines[i]);
      if (detour_store_is_passed ())
        g_printerr ("clients of the program before wait in the service manager, which closes their "
                    "connections when it gives up starting this one\n");
      return DETOUR_EXIT_BAD_CONFIG;
    }
  if (options->dump_config)
    {
      g_autofree char *text = detour_config_dump (config);

      g_print ("%s", text);
      return detourd_has_printed ();
    }
  if (options->check_config)
    {
      guint n_advice;

      detourd_print_broken (config);
      n_advice = detourd_print_findings (errors) + detourd_print_advice (config);
      if (checked_as != NULL)
        g_print (_ ("checked as user %s, as whom the relay runs\n"), checked_as);
      if (n_advice > 0)
        g_print (ngettext ("the configuration is good, but see the line above\n",
                           "the configuration is good, but see the %u lines above\n", n_advice),
                 n_advice);
      else
        g_print (_ ("the configuration is good\n"));
      return DETOUR_EXIT_GOOD;
    }
  if (options->try_takeover)
    return detour_rehearsal_play (config, program) ? DETOUR_EXIT_GOOD : DETOUR_EXIT_FAILED;
  if (!detourd_await (options, config, program, &exit))
    return exit;
  program->is_passing = options->dev;
  /* It is open to everyone on purpose, and says so itself. */
  if (!options->dev)
    detour_daemon_log_findings (errors);
  return detour_daemon_run (config, &sources, plugins, program, refused, options->dev);
}

/* Help and the errors of --check-config are translated, because people read them at a terminal. The
 * log stays English. */
static void
detourd_speak_to_people (void)
{
  g_autofree char *locale = detour_paths_locale ();

  setlocale (LC_CTYPE, "");
  setlocale (LC_MESSAGES, "");
  bindtextdomain (GETTEXT_PACKAGE, locale);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
}

int
main (int argc, char **argv)
{
  g_auto (DetourProgram) program;
  g_auto (DetourOptions) options;
  g_autoptr (GError) error = NULL;

  detour_program_init (&program, argc, argv);
  detourd_speak_to_people ();
  if (!detour_options_parse (&options, &argc, &argv, &error))
    {
      g_printerr (_ ("%s\nTry \"detourd --help\".\n"), error->message);
      return DETOUR_EXIT_BAD_CONFIG;
    }
  if (!options.check_config)
    setlocale (LC_MESSAGES, "C");
  if (options.version)
    {
      g_print ("detourd %s\n", DETOUR_VERSION);
      return DETOUR_EXIT_GOOD;
    }
  if (sodium_init () < 0)
    {
      g_printerr ("libsodium cannot start\n");
      return DETOUR_EXIT_FAILED;
    }
  detour_log_init ();
  signal (SIGPIPE, SIG_IGN);
  /* A file, also one in memory, that may not grow is an error of the write. */
  signal (SIGXFSZ, SIG_IGN);
  if (options.generate_key != NULL)
    return detourd_generate_key (options.generate_key);
  return detourd_run (&options, &program);
}
