/* detour-paths.c: where the daemon finds its files, installed or in a build tree.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-paths.h"

/* The directory of the running program. */
static char *
paths_program_directory (void)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);

  return program != NULL ? g_path_get_dirname (program) : g_strdup ("/");
}

/* In the build tree the programs are in core/app. */
static char *
paths_from_program (const char *in_build_tree, const char *from_sbindir)
{
  g_autofree char *here = paths_program_directory ();
  g_autofree char *ninja = g_build_filename (here, "../../build.ninja", NULL);
  g_autofree char *path = NULL;

  if (g_file_test (ninja, G_FILE_TEST_EXISTS))
    path = g_build_filename (here, "../..", in_build_tree, NULL);
  else
    path = g_build_filename (here, from_sbindir, NULL);
  return g_canonicalize_filename (path, NULL);
}

char *
detour_paths_plugins (void)
{
  return paths_from_program ("plugins", DETOUR_PLUGINS_FROM_SBINDIR);
}

char *
detour_paths_vendor_file (void)
{
  return paths_from_program ("data/detour.conf", DETOUR_VENDOR_FROM_SBINDIR "/detour.conf");
}

char *
detour_paths_locale (void)
{
  return paths_from_program ("po", DETOUR_LOCALE_FROM_BINDIR);
}

char *
detour_paths_tls_client (void)
{
  return paths_from_program ("plugins/transport-tls/client/detour-tls-client",
                             DETOUR_PLUGINS_FROM_SBINDIR "/" DETOUR_LIBEXEC_FROM_PLUGINDIR
                                                         "/detour-tls-client");
}

char *
detour_paths_fetch (void)
{
  return paths_from_program ("plugins/curl/detour-fetch",
                             DETOUR_LIBEXEC_FROM_BINDIR "/detour-fetch");
}

char *
detour_paths_main_file (void)
{
  return g_strdup (DETOUR_SYSCONF_DIR "/detour.conf");
}

/* The service manager may give several paths, separated by colons; Detour uses the first. */
static char *
paths_from_environment (const char *variable, const char *otherwise)
{
  const char *value = g_getenv (variable);
  g_auto (GStrv) parts = g_strsplit (value != NULL ? value : "", ":", 2);

  return g_strdup (parts[0] != NULL && g_path_is_absolute (parts[0]) ? parts[0] : otherwise);
}

char *
detour_paths_state_directory (void)
{
  return paths_from_environment ("STATE_DIRECTORY", DETOUR_STATE_DIR);
}

char *
detour_paths_run_directory (void)
{
  return paths_from_environment ("RUNTIME_DIRECTORY", DETOUR_RUN_DIR);
}
