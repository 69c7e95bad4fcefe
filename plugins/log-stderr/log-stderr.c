/* log-stderr.c: writes the log to standard error, without ever waiting for its reader.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* A pipe that polls as writable takes this much at once (PIPE_BUF). */
#define PIECE_BYTES 4096

typedef struct {
  DetourLogStyle style;
  DetourCounter *lines;
  DetourCounter *lost;
} LogStderr;

static const DetourConfigKey log_stderr_config[] = {
  DETOUR_LOG_STYLE_KEYS,
  DETOUR_LOG_FORMAT_KEY,
  { NULL },
};

/* Standard error is shared with others, so it cannot be made non-blocking; it is asked first
 * instead. */
static gboolean
log_stderr_has_room (void)
{
  struct pollfd entry = { .fd = STDERR_FILENO, .events = POLLOUT };

  return poll (&entry, 1, 0) == 1 && (entry.revents & POLLOUT) != 0;
}

static void
log_stderr_write (gpointer data, const DetourLogRecord *record)
{
  LogStderr *self = data;
  GString *line;
  gsize done = 0;

  if (!detour_log_style_wants (&self->style, record))
    return;
  line = detour_log_format (&self->style, record);
  while (done < line->len && log_stderr_has_room ())
    {
      gssize n = write (STDERR_FILENO, line->str + done, MIN (line->len - done, PIECE_BYTES));

      if (n < 0 && errno != EINTR)
        break;
      done += n > 0 ? (gsize) n : 0;
    }
  detour_counter_add (done == line->len ? self->lines : self->lost, 1);
  g_string_free (line, TRUE);
}

static gpointer
log_stderr_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  LogStderr *self = g_new0 (LogStderr, 1);

  detour_log_style_init (&self->style, detour_settings_string (settings, "level"),
                         detour_settings_string (settings, "privacy"),
                         detour_settings_string (settings, "format"));
  self->style.terminal = isatty (STDERR_FILENO) == 1;
  self->lines = detour_host_counter (host, "lines", "lines written");
  self->lost = detour_host_counter (host, "lost", "lines lost because standard error took no more");
  return self;
}

static guint
log_stderr_suits (void)
{
  return 10;
}

static const DetourLogFuncs log_stderr_funcs = { .write = log_stderr_write,
                                                 .suits = log_stderr_suits };

DETOUR_PLUGIN_DEFINE (.name = "log-stderr", .kind = DETOUR_KIND_LOG,
                      .summary = "writes the log to standard error", .config = log_stderr_config,
                      .start = log_stderr_start, .stop = g_free, .funcs.log = &log_stderr_funcs);
