/* log-journal.c: sends the log with all its fields to the systemd journal.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Longest name of a field that the journal accepts. */
#define NAME_MAX_BYTES 64

typedef struct {
  DetourLogStyle style;
  struct sockaddr_un address;
  int fd;
  DetourCounter *records;
  DetourCounter *lost;
} LogJournal;

static const DetourConfigKey log_journal_config[] = {
  { "socket", DETOUR_CONFIG_PATH, "/run/systemd/journal/socket", 0, 0,
    "datagram socket of the journal; another one for a journal namespace" },
  DETOUR_LOG_STYLE_KEYS,
  /* A file has to be good for whatever `plugin = auto` chooses, at a terminal and under systemd. */
  { "format", DETOUR_CONFIG_ENUM, "text", 0, 0,
    "without effect, as the journal keeps fields as fields; for files with plugin = auto", 0,
    "text|json" },
  { NULL },
};

/* The binary form of a field: NAME, line feed, length in 8 bytes with the lowest first, value, line
 * feed. It takes any value, with line feeds in it or without. */
static void
log_journal_append_field (gpointer user, const char *name, const char *value, gsize len)
{
  GString *out = user;
  guint64 size = GUINT64_TO_LE ((guint64) len);

  if (!g_ascii_isupper (*name) || strlen (name) > NAME_MAX_BYTES
      || name[strspn (name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] != '\0')
    return;
  g_string_append (out, name);
  g_string_append_c (out, '\n');
  g_string_append_len (out, (const char *) &size, sizeof size);
  g_string_append_len (out, value, (gssize) len);
  g_string_append_c (out, '\n');
}

/* The event's name stays a field beside its identifier, by which catalogues of the journal go. */
static void
log_journal_append_record_field (gpointer user, const char *name, const char *value, gsize len)
{
  log_journal_append_field (user, name, value, len);
  if (g_str_equal (name, DETOUR_LOG_EVENT))
    {
      char id[DETOUR_LOG_EVENT_ID_SIZE];

      detour_log_event_id (value, id);
      log_journal_append_field (user, "MESSAGE_ID", id, strlen (id));
    }
}

static void
log_journal_append_text (GString *out, const char *name, const char *value)
{
  log_journal_append_field (out, name, value, strlen (value));
}

/* A record that is too long for a datagram goes as a sealed file whose descriptor is the datagram.
 */
static gboolean
log_journal_send_as_file (LogJournal *self, const GString *data)
{
  union {
    struct cmsghdr header;
    guint8 bytes[CMSG_SPACE (sizeof (int))];
  } control = { 0 };
  struct msghdr message = {
    .msg_name = &self->address,
    .msg_namelen = sizeof self->address,
    .msg_control = &control,
    .msg_controllen = sizeof control,
  };
  int fd = memfd_create ("detour-log", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  gboolean sent;

  if (fd < 0)
    return FALSE;
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN (sizeof fd);
  memcpy (CMSG_DATA (&control.header), &fd, sizeof fd);
  sent = write (fd, data->str, data->len) == (gssize) data->len
      && fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0
      && sendmsg (self->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
  close (fd);
  return sent;
}

/* Each datagram has the address, so that a journal that was restarted gets it, too. */
static gboolean
log_journal_send_record (LogJournal *self, const GString *data)
{
  if (sendto (self->fd, data->str, data->len, MSG_DONTWAIT | MSG_NOSIGNAL,
              (const struct sockaddr *) &self->address, sizeof self->address)
      >= 0)
    return TRUE;
  return (errno == EMSGSIZE || errno == ENOBUFS) && log_journal_send_as_file (self, data);
}

static void
log_journal_write (gpointer user, const DetourLogRecord *record)
{
  LogJournal *self = user;
  const char priority[] = { (char) ('0' + detour_log_priority (record->level)), '\0' };
  GString *data;

  if (!detour_log_style_wants (&self->style, record))
    return;
  data = g_string_sized_new (512);
  log_journal_append_text (data, "PRIORITY", priority);
  log_journal_append_text (data, "SYSLOG_IDENTIFIER", "detourd");
  log_journal_append_text (data, "GLIB_DOMAIN", record->domain);
  detour_log_each_field (&self->style, record, log_journal_append_record_field, data);
  detour_counter_add (log_journal_send_record (self, data) ? self->records : self->lost, 1);
  g_string_free (data, TRUE);
}

static gboolean
log_journal_check (const DetourSettings *settings, GError **error)
{
  struct sockaddr_un address;

  return detour_settings_unix_address (settings, "socket", &address, error);
}

static gpointer
log_journal_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  const char *path = detour_settings_string (settings, "socket");
  struct sockaddr_un address;
  LogJournal *self;
  int fd;

  if (!detour_settings_unix_address (settings, "socket", &address, error))
    return NULL;
  fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  /* Connecting only shows whether there is a journal; records carry the address themselves. */
  if (fd < 0 || connect (fd, (const struct sockaddr *) &address, sizeof address) != 0)
    {
      detour_settings_error (settings, "socket", error,
                             "no journal at %s: %s; where there is no systemd, use "
                             "plugin=stderr or plugin=file",
                             path, g_strerror (errno));
      if (fd >= 0)
        close (fd);
      return NULL;
    }

  self = g_new0 (LogJournal, 1);
  self->address = address;
  self->fd = fd;
  detour_log_style_init (&self->style, detour_settings_string (settings, "level"),
                         detour_settings_string (settings, "privacy"), NULL);
  self->records = detour_host_counter (host, "records", "records sent");
  self->lost = detour_host_counter (host, "lost", "records that the journal did not take");
  return self;
}

static void
log_journal_stop (gpointer data)
{
  LogJournal *self = data;

  close (self->fd);
  g_free (self);
}

/* Where standard error leads to the journal anyway, the plugin keeps the fields. */
static guint
log_journal_suits (void)
{
  return g_log_writer_is_journald (STDERR_FILENO) ? 20 : 0;
}

static const DetourLogFuncs log_journal_funcs = { .write = log_journal_write,
                                                  .suits = log_journal_suits };

DETOUR_PLUGIN_DEFINE (.name = "log-journal", .kind = DETOUR_KIND_LOG,
                      .summary = "sends the log to the systemd journal",
                      .config = log_journal_config, .check = log_journal_check,
                      .start = log_journal_start, .stop = log_journal_stop,
                      .funcs.log = &log_journal_funcs);
