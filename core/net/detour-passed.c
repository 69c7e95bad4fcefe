/* detour-passed.c: descriptors that the service manager gave to this process when it started it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-passed.h"

#include <unistd.h>

#include "detour-descriptors.h"

/* The first one. */
#define PASSED_FIRST 3

#define PASSED_MOST 1024u

static const char *const variables[] = { "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES" };

/* NULL: none, or not read yet. */
static GStrv names;

/* Those of another process are none of ours. */
static guint
passed_read_count (void)
{
  const char *pid = g_getenv ("LISTEN_PID");
  const char *text = g_getenv ("LISTEN_FDS");
  guint64 n;

  if (pid == NULL || text == NULL || g_ascii_strtoull (pid, NULL, 10) != (guint64) getpid ()
      || !g_ascii_string_to_unsigned (text, 10, 0, PASSED_MOST, &n, NULL))
    return 0;
  return (guint) n;
}

void
detour_passed_init (void)
{
  const char *text = g_getenv ("LISTEN_FDNAMES");
  g_auto (GStrv) told = g_strsplit (text != NULL ? text : "", ":", -1);
  guint n = passed_read_count ();
  guint n_told = g_strv_length (told);

  g_clear_pointer (&names, g_strfreev);
  if (n > 0)
    names = g_new0 (char *, n + 1);
  for (guint i = 0; i < n; i++)
    names[i] = g_strdup (i < n_told ? told[i] : "");
  for (guint i = 0; i < G_N_ELEMENTS (variables); i++)
    g_unsetenv (variables[i]);
  detour_passed_inherit (FALSE);
}

guint
detour_passed_count (void)
{
  return names != NULL ? g_strv_length (names) : 0;
}

const char *
detour_passed_name (guint index)
{
  return names[index];
}

int
detour_passed_fd (guint index)
{
  return PASSED_FIRST + (int) index;
}

void
detour_passed_forget (guint index)
{
  g_free (names[index]);
  names[index] = g_strdup ("");
}

void
detour_passed_inherit (gboolean pass)
{
  guint n = detour_passed_count ();

  for (guint i = 0; i < n; i++)
    detour_descriptors_inherit (detour_passed_fd (i), pass);
}

GStrv
detour_passed_describe (GStrv environment)
{
  g_autofree char *pid = g_strdup_printf ("%d", (int) getpid ());
  g_autofree char *n = g_strdup_printf ("%u", detour_passed_count ());
  g_autofree char *text = NULL;

  if (names == NULL)
    return environment;
  text = g_strjoinv (":", names);
  environment = g_environ_setenv (environment, "LISTEN_PID", pid, TRUE);
  environment = g_environ_setenv (environment, "LISTEN_FDS", n, TRUE);
  return g_environ_setenv (environment, "LISTEN_FDNAMES", text, TRUE);
}
