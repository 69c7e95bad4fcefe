/* detour-config-credentials.c: paths of the configuration below the folder of the credentials.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-credentials.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "detour-config-errors.h"

#define VARIABLE "CREDENTIALS_DIRECTORY"
#define WRITTEN  "${" VARIABLE "}"
/* Where systemd has it for the unit that comes with Detour. */
#define OF_THE_SERVICE "/run/credentials/detour.service"

gboolean
detour_config_credentials_expand (char **text, GError **error)
{
  const char *folder = g_getenv (VARIABLE);
  const char *rest;
  char *path;

  if ((*text)[0] != '$')
    return TRUE;
  if (!g_str_has_prefix (*text, WRITTEN))
    return detour_config_refuse_value (error, *text,
                                       _ ("begins with a variable; the only one that a path may "
                                          "begin with is %s"),
                                       WRITTEN);
  rest = *text + strlen (WRITTEN);
  if (*rest != '/' && *rest != '\0')
    return detour_config_refuse_value (error, *text, _ ("needs a \"/\" behind %s"), WRITTEN);
  if (folder == NULL && g_file_test (OF_THE_SERVICE, G_FILE_TEST_IS_DIR))
    folder = OF_THE_SERVICE;
  if (folder == NULL)
    return detour_config_refuse_value (
        error, *text,
        _ ("needs the variable %s, which is not set; systemd sets it for a unit with "
           "LoadCredential= or SetCredential="),
        VARIABLE);
  if (!g_path_is_absolute (folder))
    return detour_config_refuse_value (
        error, *text, _ ("needs an absolute path in the variable %s; it is \"%s\""), VARIABLE,
        folder);
  path = g_strconcat (folder, rest, NULL);
  g_free (*text);
  *text = path;
  return TRUE;
}
