/* detour-daemon-base.c: what the daemon needs before anything else: its directory and its key.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-daemon-private.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>

#include "detour-daemon.h"
#include "detour-log.h"

static char *
daemon_base_dup_key_path (const DetourConfig *config, const char *state)
{
  const char *named = config->options.core.key_file;

  return named != NULL ? g_strdup (named) : g_build_filename (state, "server.key", NULL);
}

gboolean
detour_daemon_make_state (const char *state, GError **error)
{
  if (g_mkdir_with_parents (state, 0700) == 0)
    return TRUE;
  g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errno),
               "%s: cannot be made: %s; make it once as root and give it to the user that the "
               "relay runs as, or name another: [core] state-directory",
               state, g_strerror (errno));
  return FALSE;
}

DetourServerKey *
detour_daemon_open_key (const DetourConfig *config, const char *state)
{
  g_autofree char *path = daemon_base_dup_key_path (config, state);
  g_autoptr (GError) error = NULL;
  gboolean created;
  DetourServerKey *key = detour_server_key_load_or_create (path, &created, &error);

  if (key == NULL)
    g_warning ("no server key: %s", error->message);
  else if (created)
    detour_log_event (G_LOG_LEVEL_MESSAGE, "server-key-made", "made a server key in %s", path);
  return key;
}

/* One that is not there is made. */
static gboolean
daemon_base_could_open_key (const DetourConfig *config, const char *state, GError **error)
{
  g_autofree char *path = daemon_base_dup_key_path (config, state);
  g_autoptr (DetourServerKey) key = NULL;

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return TRUE;
  key = detour_server_key_load (path, error);
  if (key == NULL)
    g_prefix_error (error, "no server key: ");
  return key != NULL;
}

gboolean
detour_daemon_could_begin (const DetourConfig *config, GError **error)
{
  g_autofree char *state = detour_config_state_directory (config);

  return detour_daemon_make_state (state, error)
      && daemon_base_could_open_key (config, state, error);
}
