/* detour-event-file.c: keeps events on disk, so that they can be asked for after a restart.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-event-file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "detour-file.h"
#include "detour-json.h"
#include "detour-log.h"

/* What happens at once is written at once. */
#define PAUSE_US G_USEC_PER_SEC
/* A file that somebody made larger is not read. */
#define READ_MAX ((gsize) 1 << 30)
#define TEXT_MAX 1024u

struct _DetourEventFile {
  char *path, *before;
  guint64 part_max;
  DetourLogStyle style;
  GThread *thread;
  gboolean stop; /* under the lock of events */

  /* Of the thread, and of the main thread while it pauses. */
  guint64 after;      /* number of the last event that is written */
  guint64 skip_until; /* number; up to there it has those before the time below */
  gint64 skip_before_us;
  int fd; /* -1: none */
  guint64 size;
  gboolean is_told; /* the log knows that it does not work */
};

/* Writing -------------------------------------------------------------------------------------- */

static void
event_file_tell (DetourEventFile *self, const char *what)
{
  if (!self->is_told)
    g_warning ("%s: %s: %s; events are kept in memory only", self->path, what, g_strerror (errno));
  self->is_told = TRUE;
}

static gboolean
event_file_open (DetourEventFile *self)
{
  struct stat info;

  if (self->fd >= 0)
    return TRUE;
  self->fd = open (self->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (self->fd < 0 || fstat (self->fd, &info) < 0)
    {
      event_file_tell (self, "cannot be opened");
      return FALSE;
    }
  self->size = (guint64) info.st_size;
  return TRUE;
}

static void
event_file_close (DetourEventFile *self)
{
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
}

static void
event_file_turn (DetourEventFile *self)
{
  event_file_close (self);
  if (g_rename (self->path, self->before) < 0)
    event_file_tell (self, "cannot be renamed");
}

static void
event_file_put (DetourEventFile *self, const GString *line)
{
  if (!event_file_open (self))
    return;
  if (self->size + line->len > self->part_max)
    event_file_turn (self);
  if (!event_file_open (self))
    return;
  if (write (self->fd, line->str, line->len) == (gssize) line->len)
    self->is_told = FALSE;
  else
    {
      event_file_tell (self, "cannot be written");
      event_file_close (self);
      return;
    }
  self->size += line->len;
}

/* A line as logs have them, so that keys and addresses are hidden alike. */
static GString *
event_file_format (const DetourEventFile *self, const DetourEvent *event)
{
  g_autofree char *key = event->key != NULL ? detour_key_to_text (event->key) : NULL;
  const char *kind = detour_event_kind_name (event->kind);
  char first[24], count[24], result[24], flags[24];
  const struct {
    const char *name, *value;
  } fields[] = {
    { DETOUR_LOG_EVENT, kind },
    { DETOUR_LOG_KEY, key },
    { DETOUR_LOG_ADDRESS, event->address },
    { "DETOUR_SOURCE", event->source },
    { "DETOUR_LABEL", event->label },
    { "DETOUR_CLASS", event->class_ },
    { "DETOUR_TENANT", event->tenant },
    { DETOUR_LOG_REASON, event->text },
    { "DETOUR_FIRST", first },
    { "DETOUR_COUNT", count },
    { "DETOUR_RESULT", result },
    { "DETOUR_FLAGS", flags },
  };
  GLogField list[G_N_ELEMENTS (fields)];
  DetourLogRecord record = {
    .level = G_LOG_LEVEL_MESSAGE,
    .domain = "detour",
    .message = kind,
    .real_us = event->last_us,
    .fields = list,
  };

  g_snprintf (first, sizeof first, "%" G_GINT64_FORMAT, event->first_us);
  g_snprintf (count, sizeof count, "%u", event->count);
  g_snprintf (result, sizeof result, "%u", event->result);
  g_snprintf (flags, sizeof flags, "%u", event->flags);
  for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
    if (fields[i].value != NULL)
      list[record.n_fields++] = (GLogField) { fields[i].name, fields[i].value, -1 };
  return detour_log_format (&self->style, &record);
}

static void
event_file_write_new (DetourEventFile *self)
{
  g_autoptr (GPtrArray) events = detour_events_read (self->after, NULL);

  for (guint i = 0; i < events->len; i++)
    {
      const DetourEvent *event = events->pdata[i];
      GString *line;

      self->after = event->number;
      if (event->number <= self->skip_until && event->last_us < self->skip_before_us)
        continue;
      line = event_file_format (self, event);
      event_file_put (self, line);
      g_string_free (line, TRUE);
    }
}

static gpointer
event_file_run (gpointer data)
{
  DetourEventFile *self = data;

  do
    {
      detour_events_wait (self->after, &self->stop, 0);
      event_file_write_new (self);
      /* No event has that number: it waits for the time, or for the end. */
      detour_events_wait (G_MAXUINT64 - 1, &self->stop, g_get_monotonic_time () + PAUSE_US);
    }
  while (!self->stop);
  event_file_write_new (self);
  event_file_close (self);
  return NULL;
}

static void
event_file_start (DetourEventFile *self)
{
  self->thread = g_thread_new ("events", event_file_run, self);
}

DetourEventFile *
detour_event_file_new (const char *path, guint64 size_max, DetourLogPrivacy privacy)
{
  DetourEventFile *self = g_new0 (DetourEventFile, 1);

  self->path = g_strdup (path);
  self->before = g_strconcat (path, ".1", NULL);
  self->part_max = size_max / 2;
  self->fd = -1;
  self->style = (DetourLogStyle) { .level = G_LOG_LEVEL_DEBUG, .privacy = privacy, .json = TRUE };
  event_file_start (self);
  return self;
}

void
detour_event_file_pause (DetourEventFile *self)
{
  detour_events_wake (&self->stop);
  g_thread_join (self->thread);
}

void
detour_event_file_skip (DetourEventFile *self, gint64 before_real_us)
{
  self->skip_until = detour_events_last ();
  self->skip_before_us = before_real_us;
}

void
detour_event_file_go_on (DetourEventFile *self)
{
  self->stop = FALSE;
  event_file_start (self);
}

void
detour_event_file_free (DetourEventFile *self)
{
  detour_event_file_pause (self);
  g_free (self->path);
  g_free (self->before);
  g_free (self);
}

/* Reading -------------------------------------------------------------------------------------- */

/* One line, taken apart. */
typedef struct {
  DetourEvent event;
  DetourKey key;
  gboolean has_kind;
  char key_text[DETOUR_KEY_HEX_SIZE + 16];
  char address[TEXT_MAX], source[TEXT_MAX], label[TEXT_MAX], class_[TEXT_MAX], tenant[TEXT_MAX],
      text[TEXT_MAX];
} Row;

static gboolean
event_file_on_member (const DetourJsonValue *name, const DetourJsonValue *value, gpointer user)
{
  Row *row = user;
  const struct {
    const char *name;
    const char **text;
    char *room;
  } texts[] = {
    { "\"address\"", &row->event.address, row->address },
    { "\"source\"", &row->event.source, row->source },
    { "\"label\"", &row->event.label, row->label },
    { "\"class\"", &row->event.class_, row->class_ },
    { "\"tenant\"", &row->event.tenant, row->tenant },
    { "\"reason\"", &row->event.text, row->text },
  };
  char word[64];

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    if (strncmp (name->text, texts[i].name, name->len) == 0
        && detour_json_get_string (value, texts[i].room, TEXT_MAX))
      *texts[i].text = texts[i].room;
  if (strncmp (name->text, "\"key\"", name->len) == 0)
    return detour_json_get_string (value, row->key_text, sizeof row->key_text);
  if (!detour_json_get_string (value, word, sizeof word))
    return TRUE;
  if (strncmp (name->text, "\"event\"", name->len) == 0)
    row->has_kind = detour_event_kind_from_name (word, &row->event.kind);
  else if (strncmp (name->text, "\"first\"", name->len) == 0)
    row->event.first_us = g_ascii_strtoll (word, NULL, 10);
  else if (strncmp (name->text, "\"count\"", name->len) == 0)
    row->event.count = (guint32) g_ascii_strtoull (word, NULL, 10);
  else if (strncmp (name->text, "\"result\"", name->len) == 0)
    row->event.result = (guint8) MIN (g_ascii_strtoull (word, NULL, 10), DETOUR_AUTH_UNAVAILABLE);
  else if (strncmp (name->text, "\"flags\"", name->len) == 0)
    row->event.flags = (guint8) g_ascii_strtoull (word, NULL, 10);
  else if (strncmp (name->text, "\"time\"", name->len) == 0)
    {
      g_autoptr (GDateTime) time = g_date_time_new_from_iso8601 (word, NULL);

      if (time != NULL)
        row->event.last_us = g_date_time_to_unix (time) * G_USEC_PER_SEC
                           + g_date_time_get_microsecond (time);
    }
  return TRUE;
}

/* What `privacy` has left of a key is compared as far as it goes. */
static gboolean
event_file_is_of (const Row *row, const char *digits)
{
  const char *hex = g_str_has_prefix (row->key_text, "nodekey:")
                      ? row->key_text + strlen ("nodekey:")
                      : row->key_text;
  gsize len = MIN (strlen (hex), strlen (digits));

  return len > 0 && strncmp (hex, digits, len) == 0;
}

static DetourEvent *
event_file_parse (const char *line, gsize len, const char *digits, gint64 from_us, gint64 until_us)
{
  g_autofree Row *row = g_new0 (Row, 1);
  DetourJsonValue root;
  const char *reason;

  if (!detour_json_scan (line, len, 1, &root, event_file_on_member, row, &reason, NULL)
      || !row->has_kind || row->event.last_us < from_us || row->event.first_us > until_us)
    return NULL;
  if (digits != NULL && !event_file_is_of (row, digits))
    return NULL;
  if (detour_key_parse (&row->key, row->key_text, "nodekey:"))
    row->event.key = &row->key;
  row->event.count = MAX (row->event.count, 1);
  return detour_event_copy (&row->event);
}

static void
event_file_read_part (const char *path, const char *digits, gint64 from_us, gint64 until_us,
                      guint most, GPtrArray *out)
{
  g_auto (DetourFile) file = { 0 };
  gboolean is_there = detour_file_read (path, READ_MAX, 0, &file, NULL);
  const char *at = file.data;
  gsize left = is_there ? file.len : 0;
  /* So few digits are in every line of the key, whatever `privacy` is. */
  g_autofree char *needle = digits != NULL ? g_strndup (digits, 8) : NULL;

  while (left > 0)
    {
      const char *end = memchr (at, '\n', left);
      gsize len = end != NULL ? (gsize) (end - at) : left;
      DetourEvent *event = needle == NULL || memmem (at, len, needle, strlen (needle)) != NULL
                             ? event_file_parse (at, len, digits, from_us, until_us)
                             : NULL;

      if (event != NULL)
        g_ptr_array_add (out, event);
      if (out->len > 2 * most)
        g_ptr_array_remove_range (out, 0, out->len - most);
      len += end != NULL ? 1 : 0;
      at += len;
      left -= len;
    }
}

GPtrArray *
detour_event_file_read (const char *path, const char *digits, gint64 from_us, gint64 until_us,
                        guint most)
{
  g_autofree char *before = g_strconcat (path, ".1", NULL);
  GPtrArray *out = g_ptr_array_new_with_free_func (g_free);

  event_file_read_part (before, digits, from_us, until_us, most, out);
  event_file_read_part (path, digits, from_us, until_us, most, out);
  if (out->len > most)
    g_ptr_array_remove_range (out, 0, out->len - most);
  return out;
}
