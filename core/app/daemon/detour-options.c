/* detour-options.c: the command line of detourd.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-options.h"

#include <glib/gi18n.h>
#include <string.h>

gboolean
detour_options_parse (DetourOptions *self, int *argc, char ***argv, GError **error)
{
  /* TRANSLATORS: of an option; %s is the path of the usual file. */
  g_autofree char *where = g_strdup_printf (_ ("Read FILE instead of %s"),
                                            DETOUR_SYSCONF_DIR "/detour.conf");
  const GOptionEntry entries[] = {
    { "config", 0, 0, G_OPTION_ARG_FILENAME, &self->config, where, N_ ("FILE") },
    { "no-vendor", 0, 0, G_OPTION_ARG_NONE, &self->no_vendor,
      N_ ("Leave out the settings that come with Detour"), NULL },
    { "take-over", 0, 0, G_OPTION_ARG_FILENAME, &self->take_over,
      N_ ("Wait at SOCKET for the relay that runs, and go on with its clients"), N_ ("SOCKET") },
    { "check-config", 0, 0, G_OPTION_ARG_NONE, &self->check_config,
      N_ ("Check the configuration and exit"), NULL },
    { "try-takeover", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &self->try_takeover, NULL, NULL },
    { "dump-config", 0, 0, G_OPTION_ARG_NONE, &self->dump_config,
      N_ ("Print the merged configuration and exit"), NULL },
    { "list-plugins", 0, 0, G_OPTION_ARG_NONE, &self->list_plugins,
      N_ ("Print the plugins there are and exit"), NULL },
    { "generate-key", 0, 0, G_OPTION_ARG_FILENAME, &self->generate_key,
      N_ ("Make a server key in FILE and exit"), N_ ("FILE") },
    { "dev", 0, 0, G_OPTION_ARG_NONE, &self->dev,
      N_ ("Run on loopback with throw-away state, open to everyone there"), NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &self->version, N_ ("Print the version and exit"), NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);

  memset (self, 0, sizeof *self);
  g_option_context_set_translation_domain (context, GETTEXT_PACKAGE);
  g_option_context_set_summary (
      context, N_ ("A DERP relay. Runs in the foreground; SIGHUP reloads, SIGTERM stops, "
                   "SIGUSR1 drains, SIGUSR2 upgrades."));
  g_option_context_add_main_entries (context, entries, GETTEXT_PACKAGE);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (self->take_over != NULL && self->dev)
    {
      g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                           _ ("--take-over and --dev exclude each other"));
      return FALSE;
    }
  if (*argc > 1)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("unexpected argument \"%s\""), (*argv)[1]);
      return FALSE;
    }
  return TRUE;
}

void
detour_options_clear (DetourOptions *self)
{
  g_clear_pointer (&self->config, g_free);
  g_clear_pointer (&self->take_over, g_free);
  g_clear_pointer (&self->generate_key, g_free);
}
