/* doctor-config.c: whether the configuration is good, and whether it is what the relay runs with.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "doctor.h"

static char *
doctor_config_check_command (const Doctor *doctor)
{
  g_autofree char *option = doctor_config_option (doctor);

  return g_strconcat ("detourd --check-config", option, NULL);
}

/* The lines of errors end with one that counts them. */
static void
doctor_config_tell_errors (const Doctor *doctor, DoctorReport *report)
{
  g_auto (GStrv) lines = detour_config_errors_lines (doctor->errors);
  guint n = g_strv_length (lines);

  for (guint i = 0; i + 1 < n; i++)
    doctor_find (report, "config_error", DOCTOR_PROBLEM, g_strdup (lines[i]),
                 g_strdup (_ ("correct that line, and check the file again:")),
                 doctor_config_check_command (doctor));
}

static void
doctor_config_tell_warnings (const Doctor *doctor, DoctorReport *report)
{
  g_auto (GStrv) lines = detour_config_errors_warnings (doctor->errors);

  for (guint i = 0; lines[i] != NULL; i++)
    doctor_find (report, "config_warning", DOCTOR_WARNING, g_strdup (lines[i]), NULL, NULL);
}

/* What plugins will put up with, but clients will not. */
static void
doctor_config_tell_advice (const Doctor *doctor, DoctorReport *report)
{
  const DetourConfig *config = doctor->config;
  g_autoptr (GPtrArray) advice = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (!instance->enabled)
        continue;
      if (instance->plugin == NULL)
        doctor_find (report, "plugin_broken", DOCTOR_PROBLEM,
                     g_strdup_printf (_ ("%s will not start: %s"), instance->id, instance->problem),
                     g_strdup (_ ("install the plugin, or switch the instance off in its group:")),
                     g_strdup ("enabled = false"));
      else if (instance->plugin->advise != NULL)
        instance->plugin->advise (instance->settings, config->options.core.hostname, advice);
    }
  for (guint i = 0; i < advice->len; i++)
    doctor_find (report, "config_warning", DOCTOR_WARNING, g_strdup (advice->pdata[i]), NULL, NULL);
}

static void
doctor_config_tell_waiting (const Doctor *doctor, DoctorReport *report)
{
  g_autoptr (GVariant) waiting = g_variant_lookup_value (doctor->manager, "WaitingChanges",
                                                         G_VARIANT_TYPE ("a(sss)"));
  GVariantIter iter;
  const char *key, *old, *new;

  if (waiting == NULL)
    return;
  g_variant_iter_init (&iter, waiting);
  while (g_variant_iter_loop (&iter, "(&s&s&s)", &key, &old, &new))
    doctor_find (report, "restart_needed", DOCTOR_WARNING,
                 g_strdup_printf (_ ("%s is \"%s\" in the file, but the relay runs with \"%s\""),
                                  key, new, old),
                 g_strdup (_ ("restart the relay when clients may be disturbed:")),
                 doctor_restart_command (doctor));
}

/* Where a look at all areas is going to tell it. */
static gboolean
doctor_config_is_told_elsewhere (const Doctor *doctor, GVariant *properties)
{
  return doctor->has_all_areas
      && strcmp (detourctl_text (properties, "Plugin"), "service-stun") == 0;
}

typedef struct {
  const Doctor *doctor;
  DoctorReport *report;
} PluginContext;

static void
doctor_config_look_at_plugin (const char *path, GVariant *properties, gpointer user)
{
  const PluginContext *context = user;
  DoctorReport *report = context->report;
  const char *id = detourctl_text (properties, "Id");
  const char *trouble = detourctl_text (properties, "Trouble");

  if (strcmp (detourctl_text (properties, "State"), "failed") == 0)
    doctor_find (
        report, "plugin_failed", DOCTOR_PROBLEM,
        g_strdup_printf (_ ("%s has failed: %s"), id, detourctl_text (properties, "Error")),
        g_strdup (_ ("mend that, and start it again:")),
        g_strdup_printf ("detourctl plugins restart %s", id));
  else if (*trouble != '\0' && !doctor_config_is_told_elsewhere (context->doctor, properties))
    doctor_find (report, "plugin_trouble", DOCTOR_WARNING, g_strdup_printf ("%s: %s", id, trouble),
                 NULL, NULL);
}

void
doctor_config_check (const Doctor *doctor, DoctorReport *report)
{
  if (doctor->config == NULL)
    doctor_config_tell_errors (doctor, report);
  else
    doctor_config_tell_advice (doctor, report);
  /* --dev is as it is on purpose. */
  if (!doctor->is_dev)
    doctor_config_tell_warnings (doctor, report);
  if (doctor->config != NULL && doctor->config->options.core.hostname == NULL)
    doctor_find (
        report, "no_hostname", DOCTOR_WARNING,
        g_strdup (_ ("the configuration does not say by which name clients find the relay")),
        doctor->is_without_file ? g_strdup (_ ("set this variable where the relay is started:"))
                                : g_strdup_printf (_ ("write it in %s:"), doctor->main_file),
        doctor_setting (doctor, doctor->config->core, "core", "hostname", "relay.example.com"));
  if (doctor->manager != NULL)
    doctor_config_tell_waiting (doctor, report);
  if (doctor->objects != NULL)
    detourctl_each_object (doctor->objects, "Plugin", doctor_config_look_at_plugin,
                           &(PluginContext) { doctor, report });
  if (report->findings->len == 0)
    doctor_find (report, "config_good", DOCTOR_OK,
                 doctor->is_without_file
                     ? g_strdup (_ ("the configuration in the environment is good"))
                 : doctor->main_file != NULL
                     ? g_strdup_printf (_ ("the configuration in %s is good"), doctor->main_file)
                     : g_strdup (_ ("the configuration of --dev is good")),
                 NULL, NULL);
}
