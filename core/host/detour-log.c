/* detour-log.c: where log messages go: to the log instances that run, or to standard error while
 * there is none.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-log.h"

#include <stdio.h>
#include <string.h>

#include "detour-log-memory.h"
#include "detour-text.h"

/* A warning that comes again within this time is counted and not written. Messages of lower levels
 * are always written, because people and tools wait for them. */
#define FOLD_US (10 * G_USEC_PER_SEC)

typedef struct {
  const DetourLogFuncs *funcs;
  gpointer self;
  GLogLevelFlags least;
  DetourLogPrivacy privacy;
} Sink;

/* GLib has one writer in a process, so this is the one piece of core that is not in a struct. */
static GMutex lock;
static GArray *sinks;
static int least;    /* the least grave level that any sink writes; atomic */
static int privacy;  /* of the sink that masks most; atomic */
static int override; /* for all sinks; 0: each has its own; atomic */
static struct {
  char *domain;
  char *message;
  GLogLevelFlags level;
  gint64 since_us; /* when it was written, monotonic */
  guint again;
} last;

/* Set while this thread is inside a sink: a message of the sink itself must not wait for the lock
 * that the thread holds already. */
static _Thread_local gboolean inside;

const char *
detour_log_level_name (GLogLevelFlags level)
{
  if ((level & G_LOG_LEVEL_ERROR) != 0)
    return "error";
  if ((level & G_LOG_LEVEL_CRITICAL) != 0)
    return "critical";
  if ((level & G_LOG_LEVEL_WARNING) != 0)
    return "warning";
  if ((level & G_LOG_LEVEL_MESSAGE) != 0)
    return "message";
  if ((level & G_LOG_LEVEL_INFO) != 0)
    return "info";
  return "debug";
}

gboolean
detour_log_level_from_name (const char *name, GLogLevelFlags *level)
{
  for (guint i = G_LOG_LEVEL_CRITICAL; i <= G_LOG_LEVEL_DEBUG; i <<= 1)
    if (strcmp (detour_log_level_name (i), name) == 0)
      {
        *level = i;
        return TRUE;
      }
  return FALSE;
}

gboolean
detour_log_may_show (gunichar c)
{
  return !detour_text_is_hidden (c);
}

char *
detour_log_escape (const char *text, gssize len)
{
  gsize left = len < 0 ? strlen (text) : (gsize) len;
  GString *out = g_string_sized_new (left);

  while (left > 0)
    {
      gunichar c = g_utf8_get_char_validated (text, (gssize) left);
      gsize n = 1;

      if (c == (gunichar) -1 || c == (gunichar) -2 || c == 0)
        g_string_append_printf (out, "\\x%02x", (guint) (guint8) *text);
      else
        {
          n = (gsize) (g_utf8_next_char (text) - text);
          if (!detour_log_may_show (c))
            g_string_append_printf (out, "\\x%02x", c);
          else
            g_string_append_len (out, text, (gssize) n);
        }
      text += n;
      left -= n;
    }
  return g_string_free (out, FALSE);
}

static void
log_write_stderr (const DetourLogRecord *record)
{
  fprintf (stderr, "%s: %s\n", detour_log_level_name (record->level), record->message);
}

/* With the lock held, after the sinks or the override changed. */
static void
log_find_least (void)
{
  GLogLevelFlags found = detour_log_memory_is_on () ? G_LOG_LEVEL_MESSAGE : 0;
  DetourLogPrivacy most = DETOUR_LOG_PRIVACY_FULL;

  for (guint i = 0; i < sinks->len; i++)
    {
      found = MAX (found, g_array_index (sinks, Sink, i).least);
      most = MAX (most, g_array_index (sinks, Sink, i).privacy);
    }
  if (sinks->len == 0)
    found = g_getenv ("G_MESSAGES_DEBUG") != NULL ? G_LOG_LEVEL_DEBUG : G_LOG_LEVEL_MESSAGE;
  if (override != 0)
    found = override;
  __atomic_store_n (&least, (int) found, __ATOMIC_RELAXED);
  __atomic_store_n (&privacy, (int) most, __ATOMIC_RELAXED);
}

static void
log_remember (const DetourLogRecord *record)
{
  detour_log_memory_add (record, (DetourLogPrivacy) __atomic_load_n (&privacy, __ATOMIC_RELAXED));
}

/* With the lock held. */
static void
log_write_everywhere (const DetourLogRecord *record)
{
  log_remember (record);
  if (sinks->len == 0)
    {
      log_write_stderr (record);
      return;
    }
  inside = TRUE;
  for (guint i = 0; i < sinks->len; i++)
    {
      const Sink *sink = &g_array_index (sinks, Sink, i);

      if (record->level <= (override != 0 ? (GLogLevelFlags) override : sink->least))
        sink->funcs->write (sink->self, record);
    }
  inside = FALSE;
}

static void
log_tell_repeats (void)
{
  g_autofree char *text = NULL;

  if (last.again == 0)
    return;
  text = g_strdup_printf ("last message repeated %u time%s", last.again,
                          last.again == 1 ? "" : "s");
  last.again = 0;

  {
    GLogField fields[] = { { "MESSAGE", text, -1 }, { "GLIB_DOMAIN", last.domain, -1 } };
    DetourLogRecord record = { last.level,         last.domain, text,
                               g_get_real_time (), fields,      G_N_ELEMENTS (fields) };

    log_write_everywhere (&record);
  }
}

static gboolean
log_is_repeat (const DetourLogRecord *record)
{
  static const GLogLevelFlags folded = G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING;
  gint64 now_us = g_get_monotonic_time ();

  if (last.message != NULL && (record->level & folded) != 0 && record->level == last.level
      && now_us - last.since_us < FOLD_US && strcmp (record->domain, last.domain) == 0
      && strcmp (record->message, last.message) == 0)
    {
      last.again++;
      return TRUE;
    }
  log_tell_repeats ();
  g_free (last.domain);
  g_free (last.message);
  last.domain = g_strdup (record->domain);
  last.message = g_strdup (record->message);
  last.level = record->level;
  last.since_us = now_us;
  return FALSE;
}

static char *
log_dup_field (const GLogField *field)
{
  return field->length < 0 ? g_strdup (field->value)
                           : g_strndup (field->value, (gsize) field->length);
}

static GLogWriterOutput
log_writer (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
  g_autofree char *domain = NULL;
  g_autofree char *message = NULL;
  DetourLogRecord record;

  if (!detour_log_wants (level))
    return G_LOG_WRITER_HANDLED;
  for (gsize i = 0; i < n_fields; i++)
    {
      if (domain == NULL && strcmp (fields[i].key, "GLIB_DOMAIN") == 0)
        domain = log_dup_field (&fields[i]);
      else if (message == NULL && strcmp (fields[i].key, "MESSAGE") == 0)
        message = detour_log_escape (fields[i].value, fields[i].length);
    }
  record.level = level & G_LOG_LEVEL_MASK;
  record.domain = domain != NULL ? domain : "";
  record.message = message != NULL ? message : "";
  record.real_us = g_get_real_time ();
  record.fields = fields;
  record.n_fields = n_fields;

  if (inside)
    {
      log_remember (&record);
      log_write_stderr (&record);
      return G_LOG_WRITER_HANDLED;
    }
  g_mutex_lock (&lock);
  if (!log_is_repeat (&record))
    log_write_everywhere (&record);
  g_mutex_unlock (&lock);
  return G_LOG_WRITER_HANDLED;
}

gboolean
detour_log_wants (GLogLevelFlags level)
{
  return (int) (level & G_LOG_LEVEL_MASK) <= __atomic_load_n (&least, __ATOMIC_RELAXED);
}

void
detour_log_init (void)
{
  g_mutex_lock (&lock);
  if (sinks == NULL)
    {
      sinks = g_array_new (FALSE, FALSE, sizeof (Sink));
      log_find_least ();
      g_log_set_writer_func (log_writer, NULL, NULL);
    }
  g_mutex_unlock (&lock);
}

void
detour_log_add_sink (const DetourLogFuncs *funcs, gpointer self, GLogLevelFlags sink_least,
                     DetourLogPrivacy sink_privacy)
{
  Sink sink = { funcs, self, sink_least, sink_privacy };

  g_mutex_lock (&lock);
  if (sinks != NULL)
    {
      g_array_append_val (sinks, sink);
      log_find_least ();
    }
  g_mutex_unlock (&lock);
}

void
detour_log_remove_sink (gpointer self)
{
  g_mutex_lock (&lock);
  for (guint i = 0; sinks != NULL && i < sinks->len; i++)
    if (g_array_index (sinks, Sink, i).self == self)
      {
        log_tell_repeats ();
        g_array_remove_index (sinks, i);
        log_find_least ();
        break;
      }
  g_mutex_unlock (&lock);
}

void
detour_log_set_override (GLogLevelFlags level)
{
  g_mutex_lock (&lock);
  __atomic_store_n (&override, (int) level, __ATOMIC_RELAXED);
  if (sinks != NULL)
    log_find_least ();
  g_mutex_unlock (&lock);
}

GLogLevelFlags
detour_log_override (void)
{
  return (GLogLevelFlags) __atomic_load_n (&override, __ATOMIC_RELAXED);
}

void
detour_log_flush (void)
{
  g_mutex_lock (&lock);
  if (sinks != NULL)
    log_tell_repeats ();
  g_mutex_unlock (&lock);
}
