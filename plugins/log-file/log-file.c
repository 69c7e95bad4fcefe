/* log-file.c: appends the log to a file and lets it be rotated.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  DetourHost *host;
  DetourSettings *settings;
  DetourLogStyle style;
  int fd; /* the number never changes: reload() puts another file behind it while write() may run */
  gboolean cut; /* the last line is not complete; of write() alone */
  DetourCounter *lines;
  DetourCounter *write_errors;
} LogFile;

static const DetourConfigKey log_file_config[] = {
  { "path", DETOUR_CONFIG_PATH, NULL, 0, 0, "file that is appended to", DETOUR_CONFIG_REQUIRED },
  DETOUR_LOG_STYLE_KEYS,
  DETOUR_LOG_FORMAT_KEY,
  { NULL },
};

/* O_NONBLOCK, because a FIFO in the place of the file would block the start and each write. */
static int
log_file_open_file (const DetourSettings *settings, GError **error)
{
  const char *path = detour_settings_string (settings, "path");
  int fd = open (path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);

  if (fd < 0)
    detour_settings_error (settings, "path", error, "cannot open %s for appending: %s", path,
                           g_strerror (errno));
  return fd;
}

/* A log that cannot be written does not keep the relay from starting, but should be known before.
 */
static gboolean
log_file_check (const DetourSettings *settings, GError **error)
{
  const char *path = detour_settings_string (settings, "path");
  g_autofree char *folder = g_path_get_dirname (path);
  struct stat st;

  if (stat (path, &st) == 0 && S_ISDIR (st.st_mode))
    detour_settings_warn (settings, "path", "%s is a directory; write the name of a file in it",
                          path);
  else if (faccessat (AT_FDCWD, path, W_OK, AT_EACCESS) == 0)
    return TRUE;
  else if (errno != ENOENT)
    detour_settings_warn (settings, "path", "%s cannot be written by user %u: %s", path,
                          (guint) geteuid (), g_strerror (errno));
  else if (faccessat (AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0)
    detour_settings_warn (settings, "path", "%s cannot be made by user %u: %s: %s", path,
                          (guint) geteuid (), folder, g_strerror (errno));
  return TRUE;
}

static gboolean
log_file_write_all (int fd, const char *data, gsize len)
{
  while (len > 0)
    {
      gssize n = write (fd, data, len);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return FALSE;
      data += n;
      len -= (gsize) n;
    }
  return TRUE;
}

static void
log_file_write (gpointer data, const DetourLogRecord *record)
{
  LogFile *self = data;
  GString *line;

  if (!detour_log_style_wants (&self->style, record))
    return;
  line = detour_log_format (&self->style, record);
  /* After a line that a full disk cut off, the next one begins on a line of its own. */
  if (self->cut)
    g_string_prepend_c (line, '\n');
  self->cut = !log_file_write_all (self->fd, line->str, line->len);
  detour_counter_add (self->cut ? self->write_errors : self->lines, 1);
  g_string_free (line, TRUE);
}

static void
log_file_reload (gpointer data)
{
  LogFile *self = data;
  g_autoptr (GError) error = NULL;
  int fd = log_file_open_file (self->settings, &error);

  if (fd >= 0)
    {
      dup3 (fd, self->fd, O_CLOEXEC);
      close (fd);
      detour_host_set_trouble (self->host, NULL);
      return;
    }
  detour_host_set_trouble (self->host, "still writing to the file of before: %s", error->message);
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "instance-trouble",
                    DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
                    "still writing to the file of before: %s", error->message);
}

static gpointer
log_file_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  LogFile *self;
  int fd = log_file_open_file (settings, error);

  if (fd < 0)
    return NULL;
  self = g_new0 (LogFile, 1);
  self->host = host;
  self->settings = detour_settings_ref (settings);
  self->fd = fd;
  detour_log_style_init (&self->style, detour_settings_string (settings, "level"),
                         detour_settings_string (settings, "privacy"),
                         detour_settings_string (settings, "format"));
  self->lines = detour_host_counter (host, "lines", "lines written");
  self->write_errors = detour_host_counter (host, "write_errors", "lines lost or cut off");
  detour_host_set_summary (host, "writing to %s", detour_settings_string (settings, "path"));
  return self;
}

static void
log_file_stop (gpointer data)
{
  LogFile *self = data;

  close (self->fd);
  detour_settings_unref (self->settings);
  g_free (self);
}

static const DetourLogFuncs log_file_funcs = { .write = log_file_write };

DETOUR_PLUGIN_DEFINE (.name = "log-file", .kind = DETOUR_KIND_LOG,
                      .summary = "appends the log to a file", .config = log_file_config,
                      .check = log_file_check, .start = log_file_start, .reload = log_file_reload,
                      .stop = log_file_stop, .funcs.log = &log_file_funcs);
