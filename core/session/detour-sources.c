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

static gboolean
sources_is_counted (const DetourSource *source)
{
  return (source->high | source->low) != 0;
}

static guint
sources_source_hash (gconstpointer key)
{
  const DetourSource *source = key;

  return (guint) (((source->high ^ source->low) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15)) >> 32);
}

static gboolean
sources_source_equal (gconstpointer a, gconstpointer b)
{
  const DetourSource *x = a, *y = b;

  return x->high == y->high && x->low == y->low;
}

DetourSources *
detour_sources_new (void)
{
  DetourSources *self = g_new0 (DetourSources, 1);

  g_mutex_init (&self->lock);
  self->counts = g_hash_table_new_full (sources_source_hash, sources_source_equal, g_free, NULL);
  return self;
}

void
detour_sources_free (DetourSources *self)
{
  g_hash_table_unref (self->counts);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* Not counted: what has no address, such as a Unix socket. */
static DetourSource
sources_source_of (const struct sockaddr *peer)
{
  DetourSource source = { 0, 0 };
  guint64 halves[2];
  guint8 bytes[16];

  if (!detour_address_bytes (peer, bytes))
    return source;
  memcpy (halves, bytes, sizeof halves);
  source.high = GUINT64_FROM_BE (halves[0]);
  source.low = GUINT64_FROM_BE (halves[1]);

  /* ::1 keeps its last bits, or it would be all zero. */
  if (source.high != 0)
    source.low = 0;
  return source;
}

gboolean
detour_sources_same (const struct sockaddr *a, const struct sockaddr *b)
{
  DetourSource x = sources_source_of (a), y = sources_source_of (b);

  return sources_source_equal (&x, &y);
}

gboolean
detour_sources_enter (DetourSources *self, const struct sockaddr *peer, guint limit,
                      DetourSource *source)
{
  gboolean allowed;
  guint count;

  *source = limit > 0 ? sources_source_of (peer) : (DetourSource) { 0, 0 };
  if (!sources_is_counted (source))
    return TRUE;

  g_mutex_lock (&self->lock);
  count = GPOINTER_TO_UINT (g_hash_table_lookup (self->counts, source));
  allowed = count < limit;
  if (allowed)
    g_hash_table_replace (self->counts, g_memdup2 (source, sizeof *source),
                          GUINT_TO_POINTER (count + 1));
  g_mutex_unlock (&self->lock);

  if (!allowed)
    *source = (DetourSource) { 0, 0 };
  return allowed;
}

void
detour_sources_leave (DetourSources *self, DetourSource *source)
{
  guint count;

  if (!sources_is_counted (source))
    return;

  g_mutex_lock (&self->lock);
  count = GPOINTER_TO_UINT (g_hash_table_lookup (self->counts, source));
  g_assert (count > 0);
  if (count == 1)
    g_hash_table_remove (self->counts, source);
  else
    g_hash_table_replace (self->counts, g_memdup2 (source, sizeof *source),
                          GUINT_TO_POINTER (count - 1));
  g_mutex_unlock (&self->lock);
  *source = (DetourSource) { 0, 0 };
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
