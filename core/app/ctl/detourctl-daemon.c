/* detourctl-daemon.c: commands for the daemon as a whole: reload, log level, counters, version.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-table.h"

/* Reloading ------------------------------------------------------------------------------------ */

/* a(sss): key, value in force, value that waits; NULL when the daemon cannot say. */
static GVariant *
ctl_daemon_ask_for_waiting (Detourctl *self, DetourctlExit *exit)
{
  g_autoptr (GVariant) manager = detourctl_manager (self, exit);

  return manager != NULL
           ? g_variant_lookup_value (manager, "WaitingChanges", G_VARIANT_TYPE ("a(sss)"))
           : NULL;
}

static void
ctl_daemon_tell_waiting (GVariant *waiting, DetourctlJson *json)
{
  GVariantIter iter;
  const char *key, *old, *new;

  g_variant_iter_init (&iter, waiting);
  while (g_variant_iter_loop (&iter, "(&s&s&s)", &key, &old, &new))
    if (json != NULL)
      {
        detourctl_json_begin_object (json, NULL);
        detourctl_json_text (json, "key", key);
        detourctl_json_text (json, "in_force", old);
        detourctl_json_text (json, "waiting", new);
        detourctl_json_end_object (json);
      }
    else
      {
        g_autofree char *safe_old = detourctl_format_safe (*old != '\0' ? old : _ ("not set"));
        g_autofree char *safe_new = detourctl_format_safe (*new != '\0' ? new : _ ("not set"));

        /* TRANSLATORS: a key of the configuration, its value in force, the value in the files. */
        g_print (_ ("%s stays %s until the daemon is restarted; then it is %s\n"), key, safe_old,
                 safe_new);
      }
}

static DetourctlExit
ctl_daemon_run_reload (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) reply = detourctl_call (self, "", "Manager", "Reload", NULL, "(sas)", &exit);
  g_autofree const char **problems = NULL;
  g_autoptr (GVariant) waiting = NULL;
  const char *outcome;
  gboolean good;

  if (reply == NULL)
    return exit;
  g_variant_get (reply, "(&s^a&s)", &outcome, &problems);
  good = strcmp (outcome, "reloaded") == 0;
  waiting = ctl_daemon_ask_for_waiting (self, &exit);
  if (waiting == NULL)
    return exit;
  if (self->json)
    {
      DetourctlJson *json = detourctl_json_begin_document ();

      detourctl_json_text (json, "outcome", outcome);
      detourctl_json_begin_array (json, "problems");
      for (guint i = 0; problems[i] != NULL; i++)
        detourctl_json_text (json, NULL, problems[i]);
      detourctl_json_end_array (json);
      detourctl_json_begin_array (json, "waiting");
      ctl_daemon_tell_waiting (waiting, json);
      detourctl_json_end_array (json);
      return detourctl_json_end_document (json, good ? DETOURCTL_GOOD : DETOURCTL_FAILED);
    }
  for (guint i = 0; problems[i] != NULL; i++)
    {
      g_autofree char *safe = detourctl_format_safe (problems[i]);

      g_printerr ("%s\n", safe);
    }
  if (good)
    {
      g_print (_ ("Reloaded.\n"));
      ctl_daemon_tell_waiting (waiting, NULL);
    }
  else if (strcmp (outcome, "partly") == 0)
    detourctl_complain (_ ("reloaded, but not everything could follow"));
  else
    detourctl_complain (_ ("not reloaded; the daemon goes on as it was"));
  return good ? DETOURCTL_GOOD : DETOURCTL_FAILED;
}

static DetourctlExit
ctl_daemon_run_log_level (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  const char *level = strcmp (arguments[0], "configured") == 0 ? "" : arguments[0];
  g_autoptr (GVariant) reply = detourctl_call (self, "", "Manager", "SetLogLevel",
                                               g_variant_new ("(s)", level), NULL, &exit);
  g_autoptr (GVariant) value = NULL;

  if (reply == NULL)
    return exit;
  if (self->json)
    {
      value = g_variant_ref_sink (g_variant_new_string (level));
      return detourctl_json_print_variant ("log_level", value, NULL);
    }
  if (*level == '\0')
    g_print (_ ("Each log is written as its configuration says.\n"));
  else
    g_print (_ ("All logs are written from level %s on, until the daemon ends.\n"), level);
  return DETOURCTL_GOOD;
}

/* Counters ------------------------------------------------------------------------------------- */

static char *
ctl_daemon_describe_labels (GVariant *labels)
{
  GString *text = g_string_new (NULL);
  GVariantIter iter;
  const char *name, *value;

  g_variant_iter_init (&iter, labels);
  while (g_variant_iter_loop (&iter, "{&s&s}", &name, &value))
    g_string_append_printf (text, "%s%s=%s", text->len > 0 ? " " : "", name, value);
  return g_string_free (text, FALSE);
}

static void
ctl_daemon_write_counter (DetourctlJson *json, const char *name, GVariant *labels, guint64 value,
                          const char *help)
{
  GVariantIter iter;
  const char *label, *text;

  detourctl_json_begin_object (json, NULL);
  detourctl_json_text (json, "name", name);
  detourctl_json_begin_object (json, "labels");
  g_variant_iter_init (&iter, labels);
  while (g_variant_iter_loop (&iter, "{&s&s}", &label, &text))
    detourctl_json_text (json, label, text);
  detourctl_json_end_object (json);
  detourctl_json_number (json, "value", value);
  detourctl_json_text (json, "help", help);
  detourctl_json_end_object (json);
}

static gboolean show_zeros;

static const GOptionEntry counters_options[] = {
  { "all", 0, 0, G_OPTION_ARG_NONE, &show_zeros, N_ ("Show those that are zero, too"), NULL },
  { NULL },
};

static void
ctl_daemon_print_counters (GVariant *counters, DetourctlTable *table, DetourctlJson *json)
{
  GVariantIter iter;
  const char *name, *help;
  GVariant *labels;
  guint64 value;

  g_variant_iter_init (&iter, counters);
  while (g_variant_iter_loop (&iter, "(&s@a{ss}t&s)", &name, &labels, &value, &help))
    {
      g_autofree char *words = ctl_daemon_describe_labels (labels);
      g_autofree char *number = detourctl_format_count (value);

      if (json != NULL)
        ctl_daemon_write_counter (json, name, labels, value, help);
      else if (value > 0 || show_zeros)
        detourctl_table_add (table, name, words, number, help, NULL);
    }
}

static DetourctlExit
ctl_daemon_run_counters (Detourctl *self, char **arguments)
{
  const DetourctlColumn columns[] = {
    { _ ("NAME"), DETOURCTL_COLUMN_LEFT },
    { _ ("OF"), DETOURCTL_COLUMN_LEFT },
    { _ ("VALUE"), DETOURCTL_COLUMN_RIGHT },
    { _ ("WHAT"), DETOURCTL_COLUMN_LEFT },
    { NULL },
  };
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant)
      reply = detourctl_call (self, "", "Manager", "GetCounters", NULL, "(a(sa{ss}ts))", &exit);
  g_autoptr (GVariant) counters = reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
  g_autoptr (DetourctlTable) table = NULL;
  DetourctlJson *json;

  if (counters == NULL)
    return exit;
  if (!self->json)
    {
      table = detourctl_table_new (columns);
      ctl_daemon_print_counters (counters, table, NULL);
      detourctl_print_table (self, table);
      return DETOURCTL_GOOD;
    }
  json = detourctl_json_begin_document ();
  detourctl_json_begin_array (json, "counters");
  ctl_daemon_print_counters (counters, NULL, json);
  detourctl_json_end_array (json);
  return detourctl_json_end_document (json, DETOURCTL_GOOD);
}

/* ---------------------------------------------------------------------------------------------- */

static DetourctlExit
ctl_daemon_run_version (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) manager = NULL;
  DetourctlJson *json;

  if (!self->json)
    g_print ("detourctl %s\n", DETOUR_VERSION);
  manager = detourctl_manager (self, &exit);
  if (!self->json)
    {
      if (manager != NULL)
        g_print ("detourd %s\n", detourctl_text (manager, "Version"));
      return exit;
    }
  json = detourctl_json_begin_document ();
  detourctl_json_text (json, "detourctl", DETOUR_VERSION);
  detourctl_json_text (json, "detourd",
                       manager != NULL ? detourctl_text (manager, "Version") : NULL);
  return detourctl_json_end_document (json, exit);
}

const DetourctlCommand detourctl_daemon_commands[] = {
  { .name = "reload",
    .arguments = "",
    .summary = N_ ("Read the configuration again"),
    .run = ctl_daemon_run_reload },
  { .name = "log-level",
    .arguments = N_ ("LEVEL"),
    .summary = N_ ("Set the level of all logs"),
    .details = N_ ("LEVEL is debug, info, message, warning or critical, and counts until the "
                   "daemon ends; with\n"
                   "\"configured\", each log goes by its configuration again."),
    .run = ctl_daemon_run_log_level,
    .n_min = 1,
    .n_max = 1 },
  { .name = "counters",
    .arguments = "",
    .summary = N_ ("Show all counters"),
    .options = counters_options,
    .run = ctl_daemon_run_counters },
  { .name = "version",
    .arguments = "",
    .summary = N_ ("Show the versions of this program and of the daemon"),
    .run = ctl_daemon_run_version },
  { NULL },
};
