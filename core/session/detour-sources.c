/* detour-sources.c: how many connections come from one address.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-sources.h"

#include <string.h>

#include "detour-address.h"

struct _DetourSources {
  GMutex lock;
  GHashTable *counts; /* DetourSource → count in the pointer */
};

static const DetourSource no_source;

static guint
source_hash (gconstpointer key)
{
  const DetourSource *source = key;
  guint64 high, low;

  memcpy (&high, source->bytes, 8);
  memcpy (&low, source->bytes + 8, 8);
  return (guint) (((high ^ low) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15)) >> 32);
}

static gboolean
source_equal (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, sizeof (DetourSource)) == 0;
}

DetourSources *
detour_sources_new (void)
{
  DetourSources *self = g_new0 (DetourSources, 1);

  g_mutex_init (&self->lock);
  self->counts = g_hash_table_new_full (source_hash, source_equal, g_free, NULL);
  return self;
}

void
detour_sources_free (DetourSources *self)
{
  g_hash_table_unref (self->counts);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* FALSE for what has no address, such as a Unix socket. */
static gboolean
source_of (const struct sockaddr *peer, DetourSource *source)
{
  static const guint8 mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

  if (!detour_address_bytes (peer, source->bytes))
    return FALSE;
  if (memcmp (source->bytes, mapped, sizeof mapped) != 0)
    memset (source->bytes + 8, 0, 8);

  /* ::1 is all zero without its last bits, and zero means "not counted". */
  if (source_equal (source, &no_source))
    source->bytes[15] = 1;
  return TRUE;
}

gboolean
detour_sources_enter (DetourSources *self, const struct sockaddr *peer, guint limit, DetourSource *source)
{
  gboolean allowed;
  guint count;

  *source = no_source;
  if (limit == 0 || !source_of (peer, source))
    {
      *source = no_source;
      return TRUE;
    }

  g_mutex_lock (&self->lock);
  count = GPOINTER_TO_UINT (g_hash_table_lookup (self->counts, source));
  allowed = count < limit;
  if (allowed)
    g_hash_table_replace (self->counts, g_memdup2 (source, sizeof *source), GUINT_TO_POINTER (count + 1));
  g_mutex_unlock (&self->lock);

  if (!allowed)
    *source = no_source;
  return allowed;
}

void
detour_sources_leave (DetourSources *self, DetourSource *source)
{
  guint count;

  if (source_equal (source, &no_source))
    return;

  g_mutex_lock (&self->lock);
  count = GPOINTER_TO_UINT (g_hash_table_lookup (self->counts, source));
  g_assert (count > 0);
  if (count == 1)
    g_hash_table_remove (self->counts, source);
  else
    g_hash_table_replace (self->counts, g_memdup2 (source, sizeof *source), GUINT_TO_POINTER (count - 1));
  g_mutex_unlock (&self->lock);
  *source = no_source;
}

guint
detour_sources_size (DetourSources *self)
{
  guint n;

  g_mutex_lock (&self->lock);
  n = g_hash_table_size (self->counts);
  g_mutex_unlock (&self->lock);
  return n;
}
