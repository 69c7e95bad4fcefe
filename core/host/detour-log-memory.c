/* detour-log-memory.c: the last lines of the log, for who has no journal.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-log-memory.h"

#include <string.h>

#include "detour-log.h"

/* What a line costs besides its texts: the allocation, and its link in the queue. */
#define OVERHEAD 64u
/* A longer text is cut; a field that would make its line longer than this is left out. */
#define TEXT_BYTES_MAX 8192u
#define LINE_BYTES_MAX 16384u

/* Numbers of tags are never used for another thing. */
enum {
  TAG_LINE = 1,
  /* Inside of one. */
  TAG_TIME = 1,
  TAG_LEVEL = 2,
  TAG_TEXTS = 3,
};

/* GLib has one log in a process, and so there is one memory of it. */
static struct {
  GMutex lock;
  GQueue lines; /* of DetourLogLine; the newest is the last */
  gsize bytes;
  gsize size; /* atomic */
  guint64 last;
} memory = { .size = DETOUR_LOG_MEMORY_BYTES };

static gsize
log_memory_cost (const DetourLogLine *line)
{
  return sizeof *line + line->len + OVERHEAD;
}

/* With the lock held. */
static void
log_memory_shrink (gsize size)
{
  while (memory.bytes > size)
    {
      DetourLogLine *oldest = g_queue_pop_head (&memory.lines);

      memory.bytes -= log_memory_cost (oldest);
      g_atomic_rc_box_release (oldest);
    }
}

void
detour_log_memory_set_size (gsize bytes)
{
  g_mutex_lock (&memory.lock);
  __atomic_store_n (&memory.size, bytes, __ATOMIC_RELAXED);
  log_memory_shrink (bytes);
  g_mutex_unlock (&memory.lock);
}

gboolean
detour_log_memory_is_on (void)
{
  return __atomic_load_n (&memory.size, __ATOMIC_RELAXED) > 0;
}

static void
log_memory_append (GString *texts, const char *text, gsize len)
{
  g_autofree char *valid = NULL;

  if (len > TEXT_BYTES_MAX)
    len = TEXT_BYTES_MAX;
  /* What is behind a NUL is not text. */
  valid = g_utf8_make_valid (text, (gssize) strnlen (text, len));
  g_string_append_len (texts, valid, (gssize) strlen (valid) + 1);
}

static void
log_memory_append_field (gpointer user, const char *name, const char *value, gsize len)
{
  GString *texts = user;
  g_autofree char *key = NULL;

  if (strcmp (name, "MESSAGE") == 0)
    {
      log_memory_append (texts, value, len);
      return;
    }
  key = detour_log_short_name (name);
  if (key == NULL || texts->len + strlen (key) + len > LINE_BYTES_MAX)
    return;
  log_memory_append (texts, key, strlen (key));
  log_memory_append (texts, value, len);
}

static DetourLogLine *
log_memory_make_line (const DetourLogRecord *record, DetourLogPrivacy privacy)
{
  const DetourLogStyle style = { .level = G_LOG_LEVEL_DEBUG, .privacy = privacy };
  g_autoptr (GString) texts = g_string_sized_new (256);
  DetourLogLine *line;

  log_memory_append (texts, record->domain, strlen (record->domain));
  detour_log_each_field (&style, record, log_memory_append_field, texts);
  line = g_atomic_rc_box_alloc (sizeof *line + texts->len);
  line->real_us = record->real_us;
  line->level = record->level & G_LOG_LEVEL_MASK;
  line->len = texts->len;
  memcpy (line->texts, texts->str, texts->len);
  return line;
}

void
detour_log_memory_add (const DetourLogRecord *record, DetourLogPrivacy privacy)
{
  DetourLogLine *line;

  if (!detour_log_memory_is_on ())
    return;
  line = log_memory_make_line (record, privacy);
  g_mutex_lock (&memory.lock);
  line->number = ++memory.last;
  memory.bytes += log_memory_cost (line);
  g_queue_push_tail (&memory.lines, line);
  log_memory_shrink (memory.size);
  g_mutex_unlock (&memory.lock);
}

guint64
detour_log_memory_last (void)
{
  guint64 last;

  g_mutex_lock (&memory.lock);
  last = memory.last;
  g_mutex_unlock (&memory.lock);
  return last;
}

/* The oldest line behind @after, which is nearer to the end more often than not; NULL: there is
 * none. With the lock held. */
static GList *
log_memory_find (guint64 after)
{
  GList *found = NULL;

  for (GList *link = memory.lines.tail; link != NULL; link = link->prev)
    {
      if (((const DetourLogLine *) link->data)->number <= after)
        break;
      found = link;
    }
  return found;
}

/* The oldest of the last @max lines from @first on that are grave enough; NULL: there is none. With
 * the lock held. */
static GList *
log_memory_find_newest (GList *first, GLogLevelFlags least, guint max)
{
  GList *found = NULL;

  for (GList *link = first != NULL ? memory.lines.tail : NULL; link != NULL && max > 0;
       link = link != first ? link->prev : NULL)
    if (((const DetourLogLine *) link->data)->level <= least)
      {
        found = link;
        max--;
      }
  return found;
}

GPtrArray *
detour_log_memory_read (guint64 after, GLogLevelFlags least, guint max, gboolean newest,
                        guint64 *next, guint64 *lost)
{
  GPtrArray *out = g_ptr_array_new_with_free_func ((GDestroyNotify) g_atomic_rc_box_release);
  const DetourLogLine *oldest;
  GList *link;

  g_mutex_lock (&memory.lock);
  oldest = g_queue_peek_head (&memory.lines);
  /* Numbers have no gaps. */
  *lost = (oldest != NULL ? oldest->number : memory.last + 1) - 1;
  *lost -= MIN (*lost, after);
  *next = MAX (memory.last, after);
  link = log_memory_find (after);
  if (newest)
    link = log_memory_find_newest (link, least, max);
  for (; link != NULL; link = link->next)
    {
      const DetourLogLine *line = link->data;

      if (line->level > least)
        continue;
      if (out->len == max)
        {
          *next = line->number - 1;
          break;
        }
      g_ptr_array_add (out, g_atomic_rc_box_acquire (link->data));
    }
  g_mutex_unlock (&memory.lock);
  return out;
}

/* Another program's lines ---------------------------------------------------------------------- */

void
detour_log_memory_write (DetourRecord *out, guint16 tag, guint64 after)
{
  gsize mark = detour_record_begin (out, tag);

  g_mutex_lock (&memory.lock);
  for (const GList *link = memory.lines.head; link != NULL; link = link->next)
    {
      const DetourLogLine *line = link->data;
      gsize line_mark;

      if (line->number <= after)
        continue;
      line_mark = detour_record_begin (out, TAG_LINE);
      detour_record_put_number (out, TAG_TIME, (guint64) line->real_us);
      detour_record_put_number (out, TAG_LEVEL, line->level);
      detour_record_put (out, TAG_TEXTS, line->texts, line->len);
      detour_record_end (out, line_mark);
    }
  g_mutex_unlock (&memory.lock);
  detour_record_end (out, mark);
}

/* Domain, message, and pairs, each with its end. */
static gboolean
log_memory_are_texts (const char *texts, gsize len)
{
  guint n = 0;

  if (len == 0 || len > LINE_BYTES_MAX + 2 * TEXT_BYTES_MAX || texts[len - 1] != '\0')
    return FALSE;
  for (const char *at = texts; at < texts + len; at += strlen (at) + 1, n++)
    if (!g_utf8_validate (at, -1, NULL))
      return FALSE;
  return n >= 2 && n % 2 == 0;
}

/* Free with g_atomic_rc_box_release(). NULL: it is damaged. */
static DetourLogLine *
log_memory_read_line (const DetourRecordItem *item)
{
  DetourRecordReader reader = detour_record_inside (item);
  DetourRecordItem inner, texts = { 0 };
  DetourLogLine head = { 0 };
  DetourLogLine *line;
  DetourRecordStep step;
  guint64 level = 0;

  while ((step = detour_record_next (&reader, &inner)) == DETOUR_RECORD_ITEM)
    if (inner.tag == TAG_TEXTS)
      texts = inner;
    else if ((inner.tag == TAG_TIME && !detour_record_time (&inner, &head.real_us))
             || (inner.tag == TAG_LEVEL
                 && !detour_record_number (&inner, (guint32) G_LOG_LEVEL_MASK, &level)))
      return NULL;
  if (step != DETOUR_RECORD_END || level < G_LOG_LEVEL_ERROR || (level & (level - 1)) != 0
      || !log_memory_are_texts ((const char *) texts.data, texts.len))
    return NULL;
  line = g_atomic_rc_box_alloc (sizeof *line + texts.len);
  *line = head;
  line->level = (GLogLevelFlags) level;
  line->len = texts.len;
  memcpy (line->texts, texts.data, texts.len);
  return line;
}

/* Behind all lines that are not newer. */
static void
log_memory_insert (DetourLogLine *line)
{
  GList *link;

  g_mutex_lock (&memory.lock);
  line->number = ++memory.last;
  for (link = memory.lines.tail; link != NULL; link = link->prev)
    {
      DetourLogLine *newer = link->data;

      if (newer->real_us <= line->real_us)
        break;
      line->number = newer->number++;
    }
  memory.bytes += log_memory_cost (line);
  g_queue_insert_after (&memory.lines, link, line);
  log_memory_shrink (memory.size);
  g_mutex_unlock (&memory.lock);
}

gboolean
detour_log_memory_take (const DetourRecordItem *item)
{
  DetourRecordReader reader = detour_record_inside (item);
  DetourRecordItem inner;
  DetourRecordStep step;

  while ((step = detour_record_next (&reader, &inner)) == DETOUR_RECORD_ITEM)
    {
      DetourLogLine *line = inner.tag == TAG_LINE ? log_memory_read_line (&inner) : NULL;

      if (line != NULL)
        log_memory_insert (line);
      else if (inner.tag == TAG_LINE || (inner.tag & DETOUR_RECORD_MUST) != 0)
        return FALSE;
    }
  return step == DETOUR_RECORD_END;
}

const char *
detour_log_line_next (const DetourLogLine *line, const char *text)
{
  text += strlen (text) + 1;
  return text < line->texts + line->len ? text : NULL;
}
