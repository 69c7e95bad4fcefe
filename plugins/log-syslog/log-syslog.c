/* log-syslog.c: sends the log to the syslog daemon of this host, without ever waiting for it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * syslog(3) is not used: it waits while the daemon is busy, and one program has one connection. */
#include "config.h"

#include "detour-plugin.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* rsyslog and syslog-ng take messages of this length by default. */
#define MESSAGE_MAX 8192u

typedef struct {
  DetourLogStyle style;
  struct sockaddr_un address;
  int facility; /* of syslog.h */
  int fd;
  DetourCounter *messages;
  DetourCounter *lost;
  DetourCounter *cut;
} LogSyslog;

static const struct {
  const char *name;
  int code;
} facilities[] = {
  { "daemon", LOG_DAEMON }, { "user", LOG_USER },     { "local0", LOG_LOCAL0 },
  { "local1", LOG_LOCAL1 }, { "local2", LOG_LOCAL2 }, { "local3", LOG_LOCAL3 },
  { "local4", LOG_LOCAL4 }, { "local5", LOG_LOCAL5 }, { "local6", LOG_LOCAL6 },
  { "local7", LOG_LOCAL7 },
};

static const DetourConfigKey log_syslog_config[] = {
  { "path", DETOUR_CONFIG_PATH, "/dev/log", 0, 0, "datagram socket of the syslog daemon" },
  { "facility", DETOUR_CONFIG_ENUM, "daemon", 0, 0, "by which the daemon sorts the messages", 0,
    "daemon|user|local0|local1|local2|local3|local4|local5|local6|local7" },
  DETOUR_LOG_STYLE_KEYS,
  DETOUR_LOG_FORMAT_KEY,
  { NULL },
};

static int
log_syslog_facility (const char *name)
{
  guint i = 0;

  while (!g_str_equal (facilities[i].name, name))
    i++;
  return facilities[i].code;
}

/* The form of RFC 3164 without a host, which local daemons expect: "<30>Jan  2 03:04:05
 * detourd[4711]: ". Months are English whatever the locale. */
static void
log_syslog_append_head (const LogSyslog *self, const DetourLogRecord *record, GString *out)
{
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  time_t seconds = (time_t) (record->real_us / G_USEC_PER_SEC);
  struct tm tm = { .tm_mday = 1 };

  localtime_r (&seconds, &tm);
  g_string_append_printf (out, "<%u>%.3s %2d %02d:%02d:%02d detourd[%d]: ",
                          (guint) self->facility | detour_log_priority (record->level),
                          months + 3 * tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                          (int) getpid ());
}

/* Not within a character. */
static void
log_syslog_cut (GString *message)
{
  gsize len = MESSAGE_MAX;

  while (len > 0 && ((guint8) message->str[len] & 0xc0) == 0x80)
    len--;
  g_string_truncate (message, len);
}

/* Each datagram has the address, so that a daemon that was restarted gets it, too. */
static gboolean
log_syslog_send (const LogSyslog *self, const GString *message)
{
  return sendto (self->fd, message->str, message->len, MSG_DONTWAIT | MSG_NOSIGNAL,
                 (const struct sockaddr *) &self->address, sizeof self->address)
      >= 0;
}

static void
log_syslog_write (gpointer data, const DetourLogRecord *record)
{
  LogSyslog *self = data;
  g_autoptr (GString) message = NULL;
  g_autoptr (GString) line = NULL;

  if (!detour_log_style_wants (&self->style, record))
    return;
  line = detour_log_format (&self->style, record);
  message = g_string_sized_new (line->len + 64);
  log_syslog_append_head (self, record, message);
  /* The line feed ends a line, not a message. */
  g_string_append_len (message, line->str, (gssize) line->len - 1);
  if (message->len > MESSAGE_MAX)
    {
      log_syslog_cut (message);
      detour_counter_add (self->cut, 1);
    }
  detour_counter_add (log_syslog_send (self, message) ? self->messages : self->lost, 1);
}

static gboolean
log_syslog_check (const DetourSettings *settings, GError **error)
{
  struct sockaddr_un address;

  return detour_settings_unix_address (settings, "path", &address, error);
}

static gpointer
log_syslog_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  const char *path = detour_settings_string (settings, "path");
  struct sockaddr_un address;
  LogSyslog *self;
  int fd;

  if (!detour_settings_unix_address (settings, "path", &address, error))
    return NULL;
  fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  /* Connecting only shows whether there is a daemon; messages carry the address themselves. */
  if (fd < 0 || connect (fd, (const struct sockaddr *) &address, sizeof address) != 0)
    {
      const char *why = errno == EPROTOTYPE ? "it is no datagram socket" : g_strerror (errno);

      detour_settings_error (settings, "path", error,
                             "no syslog daemon at %s: %s; where there is none, use "
                             "plugin=journal, plugin=file or plugin=stderr",
                             path, why);
      if (fd >= 0)
        close (fd);
      return NULL;
    }

  self = g_new0 (LogSyslog, 1);
  self->address = address;
  self->fd = fd;
  self->facility = log_syslog_facility (detour_settings_string (settings, "facility"));
  detour_log_style_init (&self->style, detour_settings_string (settings, "level"),
                         detour_settings_string (settings, "privacy"),
                         detour_settings_string (settings, "format"));
  self->style.bare = TRUE;
  self->messages = detour_host_counter (host, "messages", "messages sent");
  self->lost = detour_host_counter (host, "lost", "messages that the daemon did not take");
  self->cut = detour_host_counter (host, "cut", "messages that were too long and lost their end");
  return self;
}

static void
log_syslog_stop (gpointer data)
{
  LogSyslog *self = data;

  close (self->fd);
  g_free (self);
}

static const DetourLogFuncs log_syslog_funcs = { .write = log_syslog_write };

DETOUR_PLUGIN_DEFINE (.name = "log-syslog", .kind = DETOUR_KIND_LOG,
                      .summary = "sends the log to the syslog daemon of this host",
                      .config = log_syslog_config, .check = log_syslog_check,
                      .start = log_syslog_start, .stop = log_syslog_stop,
                      .funcs.log = &log_syslog_funcs);
