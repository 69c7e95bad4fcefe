/* doctor-setting.c: how a value of the configuration is given, where this relay has its own.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A variable of the environment beats every file, so a line for a file would change nothing there.
 */
#include "config.h"

#include "detour-config-environment.h"
#include "doctor.h"

/* Whether a variable sets @key, or would have to. */
static gboolean
doctor_setting_is_variable (const Doctor *doctor, const DetourSettings *settings, const char *key)
{
  const char *file = NULL;
  guint line = 0;

  if (settings != NULL && detour_settings_origin (settings, key, &file, &line))
    return line == 0;
  return doctor->is_without_file;
}

char *
doctor_setting (const Doctor *doctor, const DetourSettings *settings, const char *group,
                const char *key, const char *value)
{
  g_autofree char *variable = detour_config_environment_variable (group, key);

  return doctor_setting_is_variable (doctor, settings, key)
           ? g_strdup_printf ("%s=%s", variable, value)
           : g_strdup_printf ("[%s]\n%s = %s", group, key, value);
}
