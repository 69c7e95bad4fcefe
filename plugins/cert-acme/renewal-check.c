/* renewal-check.c: what of a [cert NAME] group of cert-acme cannot work, seen before the start.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-check.h"

#include <string.h>

#include "client/acme-dns-server.h"
#include "renewal-options.h"

#define CA_FILE_MAX (4u * 1024 * 1024)

/* Nothing that is seen as space, and nothing that is not seen. */
static gboolean
renewal_check_is_word (const char *text)
{
  for (const char *at = text; *at != '\0'; at = g_utf8_next_char (at))
    if (!g_unichar_isgraph (g_utf8_get_char (at)))
      return FALSE;
  return *text != '\0';
}

/* One address: what is before and behind its only `@` is the affair of the authority. */
static gboolean
renewal_check_is_mail (const char *text)
{
  const char *at = strchr (text, '@');

  return renewal_check_is_word (text) && strpbrk (text, ",;:<>") == NULL && at != NULL && at > text
      && at[1] != '\0' && strchr (at + 1, '@') == NULL;
}

/* In a form that the program understands. */
static gboolean
renewal_check_is_server (const char *text)
{
  g_autoptr (AcmeDnsServer) server = acme_dns_server_new (text);

  return server != NULL;
}

gboolean
renewal_check_values (const DetourSettings *settings, GError **error)
{
  const char *email = detour_settings_string (settings, "email");
  const char *profile = detour_settings_string (settings, "profile");
  const char *const *servers = detour_settings_list (settings, "dns-servers");

  if (email != NULL && !renewal_check_is_mail (email))
    {
      detour_settings_error (settings, "email", error,
                             "\"%s\" is no mail address; write one, such as admin@example.com",
                             email);
      return FALSE;
    }
  if (!renewal_check_is_word (profile))
    {
      detour_settings_error (settings, "profile", error,
                             "\"%s\" is no name of a profile; write one word, or auto", profile);
      return FALSE;
    }
  for (guint i = 0; servers[i] != NULL; i++)
    if (!renewal_check_is_server (servers[i]))
      {
        detour_settings_error (settings, "dns-servers", error,
                               "\"%s\" is no address of a name server; write IP:PORT", servers[i]);
        return FALSE;
      }
  return TRUE;
}

static void
renewal_check_program (const DetourSettings *settings, const char *key)
{
  const char *path = detour_settings_string (settings, key);

  /* A folder counts as executable, too. */
  if (path != NULL
      && (!g_file_test (path, G_FILE_TEST_IS_REGULAR)
          || !g_file_test (path, G_FILE_TEST_IS_EXECUTABLE)))
    detour_settings_warn (settings, key, "%s is no program that can be run", path);
}

/* As it will be read. */
static void
renewal_check_file (const DetourSettings *settings, const char *key, gsize max,
                    DetourFileFlags flags)
{
  const char *path = detour_settings_string (settings, key);
  g_auto (DetourFile) file = { NULL };
  g_autoptr (GError) error = NULL;

  if (path != NULL && !detour_file_read (path, max, flags, &file, &error))
    detour_settings_warn (settings, key, "%s", error->message);
}

void
renewal_check_files (const DetourSettings *settings)
{
  const char *folder = detour_settings_string (settings, "import-directory");

  renewal_check_program (settings, "dns-hook");
  renewal_check_program (settings, "program");
  renewal_check_file (settings, "ca-file", CA_FILE_MAX, 0);
  renewal_check_file (settings, "eab-key-file", RENEWAL_OPTIONS_EAB_FILE_MAX,
                      DETOUR_FILE_PRIVATE | DETOUR_FILE_PROTECTED);
  if (folder != NULL && !g_file_test (folder, G_FILE_TEST_IS_DIR))
    detour_settings_warn (settings, "import-directory", "there is no folder %s", folder);
}
