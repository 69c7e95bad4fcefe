/* detour-verdict-log.c: the last verdicts on each key, for `detourctl why`.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-verdict-log.h"

#include "detour-key-lru.h"

#define RECORDS_MAX 4

typedef struct {
  DetourKeyLruEntry base;
  DetourVerdictRecord records[RECORDS_MAX]; /* the latest first */
  guint n;
} Entry;

struct _DetourVerdictLog {
  DetourKeyLru *entries;
};

static void
verdict_log_clear_record (DetourVerdictRecord *record)
{
  detour_verdict_unref (record->verdict);
  g_free (record->address);
}

static void
verdict_log_entry_free (gpointer data)
{
  Entry *entry = data;

  for (guint i = 0; i < entry->n; i++)
    verdict_log_clear_record (&entry->records[i]);
  g_free (entry);
}

DetourVerdictLog *
detour_verdict_log_new (guint keys_max)
{
  DetourVerdictLog *self = g_new0 (DetourVerdictLog, 1);

  g_assert (keys_max > 0);
  self->entries = detour_key_lru_new (&keys_max, 1, verdict_log_entry_free);
  return self;
}

void
detour_verdict_log_free (DetourVerdictLog *self)
{
  detour_key_lru_free (self->entries);
  g_free (self);
}

/* The entry of @key, as the most recent one. */
static Entry *
verdict_log_use_entry (DetourVerdictLog *self, const DetourKey *key)
{
  Entry *entry = detour_key_lru_use (self->entries, key);

  if (entry == NULL)
    {
      entry = g_new0 (Entry, 1);
      entry->base.key = *key;
      detour_key_lru_add (self->entries, entry, 0);
    }
  return entry;
}

void
detour_verdict_log_add (DetourVerdictLog *self, const DetourAuthRequest *request,
                        DetourVerdict *verdict, gint64 now_us)
{
  Entry *entry = verdict_log_use_entry (self, detour_auth_request_key (request));
  DetourVerdictRecord *latest = &entry->records[0];

  if (entry->n > 0 && detour_verdict_equal (latest->verdict, verdict)
      && strcmp (latest->address, request->address) == 0)
    {
      latest->last_us = now_us;
      latest->count++;
      return;
    }
  if (entry->n == RECORDS_MAX)
    verdict_log_clear_record (&entry->records[--entry->n]);
  memmove (&entry->records[1], latest, entry->n * sizeof *latest);
  entry->n++;
  *latest = (DetourVerdictRecord) {
    .verdict = detour_verdict_ref (verdict),
    .address = g_strdup (request->address),
    .first_us = now_us,
    .last_us = now_us,
    .count = 1,
  };
}

guint
detour_verdict_log_each (const DetourVerdictLog *self, const DetourKey *key,
                         DetourVerdictRecordFunc func, gpointer data)
{
  const Entry *entry = detour_key_lru_peek (self->entries, key);

  if (entry == NULL)
    return 0;
  for (guint i = 0; i < entry->n; i++)
    func (&entry->records[i], data);
  return entry->n;
}
