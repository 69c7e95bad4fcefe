/* detourctl-place.c: reads a whole text from where somebody said it is.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-place.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#include "detour-file.h"
#include "detour-package.h"
#include "detour-paths.h"
#include "detourctl-local-api.h"

#define TAILSCALED "tailscaled:"

static gboolean
ctl_place_is_url (const char *place)
{
  return g_ascii_strncasecmp (place, "http://", strlen ("http://")) == 0
      || g_ascii_strncasecmp (place, "https://", strlen ("https://")) == 0;
}

/* Until its end. @shown: for messages */
static char *
ctl_place_read_stream (int fd, const char *shown, gsize max, gsize *len, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (;;)
    {
      char buffer[16384];
      ssize_t n = read (fd, buffer, sizeof buffer);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        {
          g_set_error (error, G_FILE_ERROR, (int) g_file_error_from_errno (errno),
                       _ ("%s cannot be read: %s"), shown, g_strerror (errno));
          return NULL;
        }
      if (n == 0)
        break;
      if ((gsize) n > max - text->len)
        {
          g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, _ ("%s is longer than %zu bytes"),
                       shown, max);
          return NULL;
        }
      g_string_append_len (text, buffer, n);
    }
  *len = text->len;
  return g_string_free (g_steal_pointer (&text), FALSE);
}

void
detourctl_place_set_missing (const char *url, const GError *fault, GError **error)
{
  g_autofree char *package = detour_package_of (DETOUR_PACKAGES, "detour-fetch");

  if (package != NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                 _ ("%s: the program that fetches it is not installed; install the package %s"),
                 url, package);
  else
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                 _ ("%s: the program that fetches it is missing: %s"), url, fault->message);
}

static char *
ctl_place_fetch (const char *url, gsize max, gint64 limit_ms, gsize *len, GError **error)
{
  g_autofree char *program = detour_paths_fetch ();
  g_autofree char *bytes = g_strdup_printf ("%" G_GSIZE_FORMAT, max);
  g_autofree char *limit = g_strdup_printf ("%" G_GINT64_FORMAT, limit_ms);
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GBytes) out = NULL;
  g_autoptr (GBytes) err = NULL;
  g_autoptr (GError) fault = NULL;
  gsize err_len;
  const char *reason;

  process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE,
                              &fault, program, url, bytes, limit, NULL);
  if (process == NULL)
    {
      detourctl_place_set_missing (url, fault, error);
      return NULL;
    }
  if (!g_subprocess_communicate (process, NULL, NULL, &out, &err, error))
    return NULL;
  if (!g_subprocess_get_successful (process))
    {
      g_autofree char *text = NULL;

      reason = g_bytes_get_data (err, &err_len);
      text = g_utf8_make_valid (reason != NULL ? reason : "", (gssize) err_len);
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("%s cannot be fetched: %s"), url,
                   g_strchomp (text));
      return NULL;
    }
  *len = g_bytes_get_size (out);
  return g_strndup (*len > 0 ? g_bytes_get_data (out, NULL) : "", *len);
}

char *
detourctl_place_read (const char *place, gsize max, gint64 limit_ms, gsize *len, GError **error)
{
  DetourFile file;
  char *text;

  if (strcmp (place, "-") == 0)
    return ctl_place_read_stream (STDIN_FILENO, _ ("standard input"), max, len, error);
  if (g_str_has_prefix (place, TAILSCALED))
    return detourctl_local_api_get (place + strlen (TAILSCALED), "/localapi/v0/derpmap", max,
                                    limit_ms, len, error);
  if (ctl_place_is_url (place))
    return ctl_place_fetch (place, max, limit_ms, len, error);
  if (!detour_file_read (place, max, 0, &file, error))
    return NULL;
  text = g_strndup (file.data, file.len);
  *len = file.len;
  detour_file_clear (&file);
  return text;
}
