/* detourctl-config.c: shows the configuration, and checks its files.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

#include "detour-config-view.h"
#include "detour-paths.h"
#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-print.h"

/* Column at which the facts about a key begin. */
#define FACTS 15u

static char *file;
static gboolean no_vendor;

static const GOptionEntry file_options[] = {
  { "config", 0, 0, G_OPTION_ARG_FILENAME, &file, N_ ("Look at FILE instead of asking the daemon"),
    N_ ("FILE") },
  { "no-vendor", 0, 0, G_OPTION_ARG_NONE, &no_vendor,
    N_ ("With --config: leave out the settings that come with Detour"), NULL },
  { NULL },
};

/* What the daemon would read in this environment, for use without the daemon. */
typedef struct {
  char *vendor_file, *main_file;
  GStrv environment;
  DetourPlugins *plugins;
  DetourConfigSources sources;
} Files;

static void
ctl_config_files_init (Files *self)
{
  g_autofree char *directory = detour_paths_plugins ();
  const char *directories[] = { directory, NULL };

  self->vendor_file = detour_paths_vendor_file ();
  self->main_file = file != NULL ? g_canonicalize_filename (file, NULL) : detour_paths_main_file ();
  self->environment = g_get_environ ();
  self->plugins = detour_plugins_new (directories);
  self->sources = (DetourConfigSources) {
    .vendor_file = no_vendor ? NULL : self->vendor_file,
    .main_file = self->main_file,
    .main_file_optional = file == NULL,
    .environment = (const char *const *) self->environment,
  };
}

static void
ctl_config_files_clear (Files *self)
{
  detour_plugins_free (self->plugins);
  g_strfreev (self->environment);
  g_free (self->vendor_file);
  g_free (self->main_file);
}

static DetourctlExit
ctl_config_print_problems (const Detourctl *self, char **problems)
{
  gboolean good = problems[0] == NULL;

  if (self->json)
    {
      g_autoptr (GVariant)
          list = g_variant_ref_sink (g_variant_new_strv ((const char *const *) problems, -1));
      DetourctlExit exit = detourctl_json_print_variant ("problems", list, NULL);

      return good ? exit : DETOURCTL_FAILED;
    }
  for (; *problems != NULL; problems++)
    {
      g_autofree char *safe = detourctl_format_safe (*problems);

      g_printerr ("%s\n", safe);
    }
  if (good)
    g_print (_ ("The configuration is good.\n"));
  return good ? DETOURCTL_GOOD : DETOURCTL_FAILED;
}

/* The configuration of the files; NULL after messages about what is wrong with them. */
static DetourConfig *
ctl_config_load (const Detourctl *self, DetourctlExit *exit)
{
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_auto (GStrv) problems = NULL;
  DetourConfig *config;
  Files files;

  ctl_config_files_init (&files);
  config = detour_config_load (&files.sources, files.plugins, errors);
  /* Modules stay loaded, so the configuration may point into them. */
  ctl_config_files_clear (&files);
  if (config != NULL)
    return config;
  problems = detour_config_errors_lines (errors);
  *exit = ctl_config_print_problems (self, problems);
  return NULL;
}

/* FALSE after a message. */
static gboolean
ctl_config_options_are_good (void)
{
  if (file != NULL || !no_vendor)
    return TRUE;
  detourctl_complain (_ ("--no-vendor is of no use without --config: the daemon has read what it "
                         "has read"));
  return FALSE;
}

static DetourctlExit
ctl_config_run_check (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_auto (GStrv) problems = NULL;

  if (!ctl_config_options_are_good ())
    return DETOURCTL_USAGE;
  if (file != NULL)
    {
      Files files;

      ctl_config_files_init (&files);
      problems = detour_config_view_check (&files.sources, files.plugins);
      ctl_config_files_clear (&files);
    }
  else
    {
      g_autoptr (GVariant)
          reply = detourctl_call (self, "", "Manager", "CheckConfig", NULL, "(as)", &exit);

      if (reply == NULL)
        return exit;
      g_variant_get (reply, "(^as)", &problems);
    }
  return ctl_config_print_problems (self, problems);
}

static DetourctlExit
ctl_config_run_dump (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autofree char *text = NULL;
  g_autoptr (GVariant) value = NULL;

  if (!ctl_config_options_are_good ())
    return DETOURCTL_USAGE;
  if (file != NULL)
    {
      g_autoptr (DetourConfig) config = ctl_config_load (self, &exit);

      if (config == NULL)
        return exit;
      text = detour_config_dump (config);
    }
  else
    {
      g_autoptr (GVariant)
          reply = detourctl_call (self, "", "Manager", "DumpConfig", NULL, "(s)", &exit);

      if (reply == NULL)
        return exit;
      g_variant_get (reply, "(s)", &text);
    }
  if (self->json)
    {
      value = g_variant_ref_sink (g_variant_new_string (text));
      return detourctl_json_print_variant ("text", value, NULL);
    }
  g_print ("%s", text);
  return DETOURCTL_GOOD;
}

/* One key -------------------------------------------------------------------------------------- */

static void
ctl_config_print_facts (const Detourctl *self, GVariant *facts)
{
  g_autofree const char **words = NULL;
  const char *value;

  g_print ("%s[%s] %s%s\n", detourctl_style (self, DETOURCTL_BOLD), detourctl_text (facts, "group"),
           detourctl_text (facts, "key"), detourctl_style (self, DETOURCTL_PLAIN));
  detourctl_print_fact (self, _ ("meaning"), FACTS, detourctl_text (facts, "summary"));
  detourctl_print_fact (self, _ ("type"), FACTS, detourctl_text (facts, "type"));
  if (g_variant_lookup (facts, "words", "^a&s", &words))
    {
      g_autofree char *all = g_strjoinv (", ", (char **) words);

      detourctl_print_fact (self, _ ("words"), FACTS, all);
    }
  if (*detourctl_text (facts, "maximum") != '\0')
    {
      g_autofree char *range = g_strdup_printf (_ ("%s to %s"), detourctl_text (facts, "minimum"),
                                                detourctl_text (facts, "maximum"));

      detourctl_print_fact (self, _ ("range"), FACTS, range);
    }
  detourctl_print_fact (self, _ ("value"), FACTS,
                        g_variant_lookup (facts, "value", "&s", &value) ? value : _ ("not set"));
  if (*detourctl_text (facts, "origin") != '\0')
    detourctl_print_fact (self, _ ("set in"), FACTS, detourctl_text (facts, "origin"));
  if (g_variant_lookup (facts, "waiting", "&s", &value))
    detourctl_print_fact (self, _ ("waiting"), FACTS, *value != '\0' ? value : _ ("not set"));
  if (*detourctl_text (facts, "waiting_origin") != '\0')
    detourctl_print_fact (self, _ ("set in"), FACTS, detourctl_text (facts, "waiting_origin"));
  if (*detourctl_text (facts, "fallback") != '\0')
    detourctl_print_fact (self, _ ("otherwise"), FACTS, detourctl_text (facts, "fallback"));
  if (detourctl_flag (facts, "required"))
    detourctl_print_fact (self, _ ("note"), FACTS, _ ("must be set"));
  if (g_variant_lookup (facts, "waiting", "&s", &value))
    detourctl_print_fact (self, _ ("note"), FACTS,
                          _ ("restart the daemon to bring the waiting value into force"));
  else if (detourctl_flag (facts, "restart"))
    detourctl_print_fact (self, _ ("note"), FACTS,
                          _ ("a change counts after a restart of the daemon"));
}

static DetourctlExit
ctl_config_run_explain (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) facts = NULL;

  if (!ctl_config_options_are_good ())
    return DETOURCTL_USAGE;
  if (file != NULL)
    {
      g_autoptr (DetourConfig) config = ctl_config_load (self, &exit);
      g_autoptr (GError) error = NULL;

      if (config == NULL)
        return exit;
      facts = detour_config_view_explain (config, NULL, arguments[0], &error);
      if (facts == NULL)
        {
          detourctl_complain ("%s", error->message);
          return DETOURCTL_FAILED;
        }
      g_variant_ref_sink (facts);
    }
  else
    {
      g_autoptr (GVariant) reply = detourctl_call (
          self, "", "Manager", "ExplainKey", g_variant_new ("(s)", arguments[0]), "(a{sv})", &exit);

      if (reply == NULL)
        return exit;
      facts = g_variant_get_child_value (reply, 0);
    }
  if (self->json)
    return detourctl_json_print_variant ("key", facts, NULL);
  ctl_config_print_facts (self, facts);
  return DETOURCTL_GOOD;
}

const DetourctlCommand detourctl_config_commands[] = {
  { .name = "config check",
    .arguments = "",
    .summary = N_ ("Check the files of the configuration"),
    .details = N_ (
        "Nothing is changed. The daemon need not run when --config says which file to look at."),
    .options = file_options,
    .run = ctl_config_run_check },
  { .name = "config dump",
    .arguments = "",
    .summary = N_ ("Print all settings, and where each comes from"),
    .options = file_options,
    .run = ctl_config_run_dump },
  { .name = "config explain",
    .arguments = N_ ("KEY"),
    .summary = N_ ("Show what a key means and its value"),
    .details = N_ (
        "KEY is GROUP.KEY, as in limits.write-timeout or service/stun.listen; stun.listen "
        "will do where nothing else\nthat has the key is called stun."),
    .options = file_options,
    .run = ctl_config_run_explain,
    .n_min = 1,
    .n_max = 1 },
  { NULL },
};
