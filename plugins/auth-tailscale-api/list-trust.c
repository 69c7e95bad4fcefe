/* list-trust.c: which list of devices counts, and for how long.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "list-trust.h"

void
list_trust_init (ListTrust *self, gint64 refresh_us, gint64 grace_us, const char *const *tags)
{
  *self = (ListTrust) { .refresh_us = refresh_us, .grace_us = grace_us, .tags = tags };
}

void
list_trust_clear (ListTrust *self)
{
  g_clear_pointer (&self->table, device_table_unref);
  g_clear_pointer (&self->doubtful, device_table_unref);
}

void
list_trust_recall (ListTrust *self, DeviceTable *table, gint64 listed_us, gint64 now)
{
  device_table_ref (table);
  g_clear_pointer (&self->table, device_table_unref);
  self->table = table;
  self->listed_us = listed_us;
  self->next_expiry = device_table_next_expiry (table, now);
}

/* Whether the list, which has lost most devices, is to be doubted still. */
static gboolean
list_trust_doubts (ListTrust *self, DeviceTable *table, gint64 now_us)
{
  /* What is said twice within a moment is said once. */
  if (self->n_doubtful == 0 || now_us - self->doubtful_us >= self->refresh_us / 2)
    {
      self->n_doubtful++;
      self->doubtful_us = now_us;
    }
  if (self->n_doubtful >= LIST_TRUST_TIMES)
    return FALSE;
  self->doubtful = device_table_ref (table);
  return TRUE;
}

gboolean
list_trust_take (ListTrust *self, DeviceTable *table, const DeviceChange *change, gint64 asked_us,
                 gint64 now_us, gint64 now)
{
  gboolean is_doubtful = self->table != NULL && !self->believes_all
                      && device_change_is_doubtful (change, device_table_size (self->table));

  g_clear_pointer (&self->doubtful, device_table_unref);
  if (is_doubtful && list_trust_doubts (self, table, now_us))
    {
      /* The API is well, so the list before does not grow old. */
      self->listed_us = now_us;
      return FALSE;
    }
  self->n_doubtful = 0;
  self->believes_all = FALSE;
  self->is_proven = TRUE;
  list_trust_recall (self, table, asked_us, now);
  return TRUE;
}

gboolean
list_trust_holds (const ListTrust *self, gint64 now_us)
{
  return self->table != NULL && now_us - self->listed_us <= self->grace_us;
}

const Device *
list_trust_find (const ListTrust *self, const guint8 *key, gint64 now)
{
  const Device *device = device_table_find (self->table, key);
  const Device *other = NULL;

  if (self->doubtful != NULL
      && (device == NULL || device_standing (device, self->tags, now) != DEVICE_WELCOME))
    other = device_table_find (self->doubtful, key);
  return other != NULL ? other : device;
}

gboolean
list_trust_is_sure (const ListTrust *self)
{
  return self->is_proven && self->doubtful == NULL;
}

gboolean
list_trust_has_expired (ListTrust *self, gint64 now)
{
  if (self->table == NULL || self->next_expiry > now)
    return FALSE;
  self->next_expiry = device_table_next_expiry (self->table, now);
  return TRUE;
}
