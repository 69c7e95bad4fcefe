/* detour-address-counts.c: how many connections come from each client address.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-address-counts.h"

struct _DetourAddressCounts {
  GMutex lock;
  GHashTable *counts; /* DetourAddressKey → count in the pointer */
};

DetourAddressCounts *
detour_address_counts_new (void)
{
  DetourAddressCounts *self = g_new0 (DetourAddressCounts, 1);

  g_mutex_init (&self->lock);
  self->counts = g_hash_table_new_full (detour_address_key_hash, detour_address_key_equal, g_free,
                                        NULL);
  return self;
}

void
detour_address_counts_free (DetourAddressCounts *self)
{
  g_hash_table_unref (self->counts);
  g_mutex_clear (&self->lock);
  g_free (self);
}

gboolean
detour_address_counts_enter (DetourAddressCounts *self, const struct sockaddr *peer, guint limit,
                             DetourAddressKey *key)
{
  gboolean allowed;
  guint count;

  *key = limit > 0 ? detour_address_key_of (peer) : (DetourAddressKey) { 0, 0 };
  if (detour_address_key_is_none (key))
    return TRUE;

  g_mutex_lock (&self->lock);
  count = GPOINTER_TO_UINT (g_hash_table_lookup (self->counts, key));
  allowed = count < limit;
  if (allowed)
    g_hash_table_replace (self->counts, g_memdup2 (key, sizeof *key), GUINT_TO_POINTER (count + 1));
  g_mutex_unlock (&self->lock);

  if (!allowed)
    *key = (DetourAddressKey) { 0, 0 };
  return allowed;
}

void
detour_address_counts_restore (DetourAddressCounts *self, const DetourAddressKey *key)
{
  guint count;

  if (detour_address_key_is_none (key))
    return;
  g_mutex_lock (&self->lock);
  count = GPOINTER_TO_UINT (g_hash_table_lookup (self->counts, key));
  g_hash_table_replace (self->counts, g_memdup2 (key, sizeof *key), GUINT_TO_POINTER (count + 1));
  g_mutex_unlock (&self->lock);
}

void
detour_address_counts_leave (DetourAddressCounts *self, DetourAddressKey *key)
{
  guint count;

  if (detour_address_key_is_none (key))
    return;

  g_mutex_lock (&self->lock);
  count = GPOINTER_TO_UINT (g_hash_table_lookup (self->counts, key));
  g_assert (count > 0);
  if (count == 1)
    g_hash_table_remove (self->counts, key);
  else
    g_hash_table_replace (self->counts, g_memdup2 (key, sizeof *key), GUINT_TO_POINTER (count - 1));
  g_mutex_unlock (&self->lock);
  *key = (DetourAddressKey) { 0, 0 };
}

guint
detour_address_counts_size (DetourAddressCounts *self)
{
  guint n;

  g_mutex_lock (&self->lock);
  n = g_hash_table_size (self->counts);
  g_mutex_unlock (&self->lock);
  return n;
}
