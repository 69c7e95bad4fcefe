/* detour-verdict-log.c: the last verdicts on each key, for who asks why.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-verdict-log.h"

#define NOTES_MAX 4

typedef struct {
  DetourKey key;                      /* first: the table hashes it here */
  DetourVerdictNote notes[NOTES_MAX]; /* the latest first; their texts are owned */
  guint n;
  GList link;
} Entry;

struct _DetourVerdictLog {
  GHashTable *entries; /* Entry: itself */
  GQueue recent;       /* of Entry, the most recent one first */
  guint keys_max;
};

static gboolean
verdict_log_keys_equal (gconstpointer a, gconstpointer b)
{
  return detour_key_equal (a, b);
}

static void
verdict_log_clear_note (DetourVerdictNote *note)
{
  g_free ((char *) note->source);
  g_free ((char *) note->label);
  g_free ((char *) note->reason);
  g_free ((char *) note->address);
}

static void
verdict_log_entry_free (gpointer data)
{
  Entry *entry = data;

  for (guint i = 0; i < entry->n; i++)
    verdict_log_clear_note (&entry->notes[i]);
  g_free (entry);
}

DetourVerdictLog *
detour_verdict_log_new (guint keys_max)
{
  DetourVerdictLog *self = g_new0 (DetourVerdictLog, 1);

  g_assert (keys_max > 0);
  self->entries = g_hash_table_new_full (detour_question_hash_key, verdict_log_keys_equal,
                                         verdict_log_entry_free, NULL);
  self->keys_max = keys_max;
  g_queue_init (&self->recent);
  return self;
}

void
detour_verdict_log_free (DetourVerdictLog *self)
{
  g_hash_table_unref (self->entries);
  g_free (self);
}

/* The entry of @key, as the most recent one. */
static Entry *
verdict_log_take_entry (DetourVerdictLog *self, const DetourKey *key)
{
  Entry *entry = g_hash_table_lookup (self->entries, key);

  if (entry != NULL)
    {
      g_queue_unlink (&self->recent, &entry->link);
      g_queue_push_head_link (&self->recent, &entry->link);
      return entry;
    }
  if (self->recent.length >= self->keys_max)
    {
      Entry *oldest = self->recent.tail->data;

      g_queue_unlink (&self->recent, &oldest->link);
      g_hash_table_remove (self->entries, oldest);
    }
  entry = g_new0 (Entry, 1);
  entry->key = *key;
  entry->link.data = entry;
  g_queue_push_head_link (&self->recent, &entry->link);
  g_hash_table_add (self->entries, entry);
  return entry;
}

static gboolean
verdict_log_repeats (const DetourVerdictNote *a, const DetourVerdictNote *b)
{
  return a->result == b->result && a->flags == b->flags && strcmp (a->source, b->source) == 0
      && g_strcmp0 (a->label, b->label) == 0 && g_strcmp0 (a->reason, b->reason) == 0
      && strcmp (a->address, b->address) == 0;
}

void
detour_verdict_log_add (DetourVerdictLog *self, const DetourKey *key, const DetourVerdictNote *note,
                        gint64 now_us)
{
  Entry *entry = verdict_log_take_entry (self, key);

  if (entry->n > 0 && verdict_log_repeats (&entry->notes[0], note))
    {
      entry->notes[0].last_us = now_us;
      entry->notes[0].count++;
      return;
    }
  if (entry->n == NOTES_MAX)
    verdict_log_clear_note (&entry->notes[--entry->n]);
  memmove (&entry->notes[1], &entry->notes[0], entry->n * sizeof entry->notes[0]);
  entry->n++;
  entry->notes[0] = *note;
  entry->notes[0].source = g_strdup (note->source);
  entry->notes[0].label = g_strdup (note->label);
  entry->notes[0].reason = g_strdup (note->reason);
  entry->notes[0].address = g_strdup (note->address);
  entry->notes[0].first_us = entry->notes[0].last_us = now_us;
  entry->notes[0].count = 1;
}

guint
detour_verdict_log_each (const DetourVerdictLog *self, const DetourKey *key,
                         DetourVerdictNoteFunc func, gpointer data)
{
  const Entry *entry = g_hash_table_lookup (self->entries, key);

  if (entry == NULL)
    return 0;
  for (guint i = 0; i < entry->n; i++)
    func (&entry->notes[i], data);
  return entry->n;
}
