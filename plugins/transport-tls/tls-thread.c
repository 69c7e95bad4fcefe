/* tls-thread.c: state of a thread for sealing and opening records: the cipher library, expanded
 * keys.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-thread.h"

#include <sodium.h>
#include <string.h>

/* The cache keeps 1024 expanded keys, for 512 busy connections: at most a megabyte, of which unused
 * pages take no memory. A miss costs about 150 ns. */
#define SETS_BITS 8u
#define N_SETS    (1u << SETS_BITS)
#define N_WAYS    4u
#define KEY_ALIGN 64u

/* The first records of a key are not cached: most connections send little, and a connection in the
 * handshake pool must leave nothing in that thread's cache, since it moves to another thread. */
#define KEEP_FROM_SEQ 8u

/* The expanded key lies behind it. */
typedef struct {
  _Alignas(KEY_ALIGN) const TlsKeys *owner; /* NULL: free */
  guint32 used;                             /* when, in ticks of the thread */
  guint8 cipher;
  guint8 key[TLS_AEAD_KEY_MAX]; /* addresses are reused, so the bytes are compared */
} Slot;

struct _TlsThread {
  TlsAeadSet set;
  gsize stride;   /* bytes of a slot and its expanded key */
  guint8 *once;   /* for a key that is not kept */
  guint8 *kept;   /* N_SETS times N_WAYS slots; NULL: no key was kept yet */
  gpointer pages; /* they lie in */
  guint32 tick;
};

static inline Slot *
tls_thread_slot (const TlsThread *self, guint set, guint way)
{
  return (Slot *) (gpointer) (self->kept + (set * N_WAYS + way) * self->stride);
}

static void
tls_thread_clear_slot (TlsThread *self, Slot *slot)
{
  const TlsAead *aead = self->set.aead[slot->cipher];

  if (aead->release != NULL)
    aead->release (slot + 1);
  sodium_memzero (slot, self->stride);
}

static void
tls_thread_free (gpointer ptr)
{
  TlsThread *self = ptr;

  for (guint set = 0; self->kept != NULL && set < N_SETS; set++)
    for (guint way = 0; way < N_WAYS; way++)
      if (tls_thread_slot (self, set, way)->owner != NULL)
        tls_thread_clear_slot (self, tls_thread_slot (self, set, way));
  g_free (self->pages);
  g_aligned_free (self->once);
  tls_aead_set_clear (&self->set);
  g_free (self);
}

static GPrivate tls_thread_current = G_PRIVATE_INIT (tls_thread_free);

static TlsThread *
tls_thread_new (void)
{
  TlsThread *self = g_new0 (TlsThread, 1);

  tls_aead_set_init (&self->set);
  for (guint cipher = 0; cipher < TLS_N_CIPHERS; cipher++)
    self->stride = MAX (self->stride, self->set.aead[cipher]->key_size);
  self->stride = sizeof (Slot) + ((self->stride + KEY_ALIGN - 1) & ~(gsize) (KEY_ALIGN - 1));
  self->once = g_aligned_alloc0 (1, self->stride, KEY_ALIGN);
  return self;
}

/* A block of this size comes from the kernel as zero pages that take no memory until they are
 * written. */
static void
tls_thread_make_room (TlsThread *self)
{
  self->pages = g_malloc0 (N_SETS * N_WAYS * self->stride + KEY_ALIGN);
  self->kept = (guint8 *) (((gsize) self->pages + KEY_ALIGN - 1) & ~(gsize) (KEY_ALIGN - 1));
}

TlsThread *
tls_thread_get (void)
{
  TlsThread *self = g_private_get (&tls_thread_current);

  if (G_UNLIKELY (self == NULL))
    {
      self = tls_thread_new ();
      g_private_set (&tls_thread_current, self);
    }
  return self;
}

static guint
tls_thread_set_of (const TlsKeys *keys)
{
  return (guint) (((guint64) (gsize) keys >> 3) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15)
                  >> (64 - SETS_BITS));
}

/* In constant time. */
static gboolean
tls_thread_same_key (const Slot *slot, const TlsKeys *keys)
{
  guint64 differ = slot->cipher ^ keys->cipher;

  for (guint i = 0; i < TLS_AEAD_KEY_MAX; i += 8)
    {
      guint64 a, b;

      memcpy (&a, slot->key + i, sizeof a);
      memcpy (&b, keys->key + i, sizeof b);
      differ |= a ^ b;
    }
  return differ == 0;
}

/* NULL: the library failed. */
static gconstpointer
tls_thread_keep (TlsThread *self, const TlsKeys *keys)
{
  guint set = tls_thread_set_of (keys);
  Slot *slot = NULL;

  if (self->kept == NULL)
    tls_thread_make_room (self);
  for (guint way = 0; way < N_WAYS; way++)
    {
      Slot *other = tls_thread_slot (self, set, way);

      if (other->owner == keys)
        {
          slot = other;
          if (!tls_thread_same_key (slot, keys))
            break;
          slot->used = ++self->tick;
          return slot + 1;
        }
      if (slot == NULL || other->owner == NULL
          || (slot->owner != NULL && self->tick - other->used > self->tick - slot->used))
        slot = other;
    }

  if (slot->owner != NULL)
    tls_thread_clear_slot (self, slot);
  if (!self->set.aead[keys->cipher]->expand (self->set.engine[keys->cipher], keys->cipher,
                                             keys->key, slot + 1))
    return NULL;
  slot->owner = keys;
  slot->used = ++self->tick;
  slot->cipher = keys->cipher;
  memcpy (slot->key, keys->key, sizeof slot->key);
  return slot + 1;
}

static gboolean
tls_thread_is_kept (const TlsAead *aead, const TlsKeys *keys)
{
  return aead->keep && keys->seq >= KEEP_FROM_SEQ;
}

/* The expanded key for one record; put it back. NULL: the library failed. */
static gconstpointer
tls_thread_take_key (TlsThread *self, const TlsAead *aead, const TlsKeys *keys)
{
  if (tls_thread_is_kept (aead, keys))
    return tls_thread_keep (self, keys);
  return aead->expand (self->set.engine[keys->cipher], keys->cipher, keys->key, self->once)
           ? self->once
           : NULL;
}

static void
tls_thread_put_key (TlsThread *self, const TlsAead *aead, gconstpointer expanded)
{
  if (expanded != self->once)
    return;
  if (aead->release != NULL)
    aead->release (self->once);
  sodium_memzero (self->once, aead->key_size);
}

gboolean
tls_thread_seal (TlsThread *self, TlsKeys *keys, const guint8 *head, TlsText text, guint8 type,
                 guint8 *out)
{
  const TlsAead *aead = self->set.aead[keys->cipher];
  gconstpointer expanded = tls_thread_take_key (self, aead, keys);
  guint8 nonce[TLS_AEAD_NONCE_SIZE];
  gboolean done;

  if (expanded == NULL)
    return FALSE;
  tls_keys_nonce (keys, nonce);
  done = aead->seal (self->set.engine[keys->cipher], keys->cipher, expanded, nonce, head, text,
                     type, out);
  tls_thread_put_key (self, aead, expanded);
  keys->seq++;
  return done;
}

gboolean
tls_thread_open (TlsThread *self, TlsKeys *keys, const guint8 *head, TlsText sealed,
                 const guint8 *tag, guint8 *out)
{
  const TlsAead *aead = self->set.aead[keys->cipher];
  gconstpointer expanded = tls_thread_take_key (self, aead, keys);
  guint8 nonce[TLS_AEAD_NONCE_SIZE];
  gboolean done;

  if (expanded == NULL)
    return FALSE;
  tls_keys_nonce (keys, nonce);
  done = aead->open (self->set.engine[keys->cipher], keys->cipher, expanded, nonce, head, sealed,
                     tag, out);
  tls_thread_put_key (self, aead, expanded);
  if (!done)
    sodium_memzero (out, sealed.len + TLS_AEAD_TAG_SIZE);
  keys->seq++;
  return done;
}

void
tls_thread_forget (const TlsKeys *keys)
{
  TlsThread *self = g_private_get (&tls_thread_current);
  guint set = tls_thread_set_of (keys);

  if (self == NULL || self->kept == NULL)
    return;
  for (guint way = 0; way < N_WAYS; way++)
    if (tls_thread_slot (self, set, way)->owner == keys)
      tls_thread_clear_slot (self, tls_thread_slot (self, set, way));
}
