/* tls-thread.c: what a thread keeps to seal and open records: a library's engine, expanded keys.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-thread.h"

#include <sodium.h>
#include <string.h>

/* Expanded keys that are kept: 256, a quarter of a megabyte. A miss costs about 100 ns. */
#define N_SETS 64u
#define N_WAYS 4u
#define KEY_ALIGN 64u

/* The first records of a key do not make it kept: most connections say little, and those that are still on their way
 * through the handshake pool must leave nothing behind there, since they end in another thread. */
#define KEEP_FROM_SEQ 8u

typedef struct {
  const TlsKeys *owner; /* NULL: free */
  guint32 used;         /* when, in ticks of the thread */
  guint8 cipher;
  guint8 key[TLS_AEAD_KEY_MAX]; /* an address may come to belong to other keys: the bytes decide */
} Slot;

struct _TlsThread {
  TlsAeadSet set;
  gsize stride;    /* bytes of an expanded key, rounded up */
  guint8 *once;    /* for a key that is not kept */
  guint8 *kept;    /* of all slots; NULL: no key was kept yet */
  guint32 tick;
  Slot slots[N_SETS][N_WAYS];
};

static void
tls_thread_clear_slot (TlsThread *self, guint set, guint way)
{
  Slot *slot = &self->slots[set][way];
  guint8 *expanded = self->kept + (set * N_WAYS + way) * self->stride;
  const TlsAead *aead = self->set.aead[slot->cipher];

  if (aead->release != NULL)
    aead->release (expanded);
  sodium_memzero (expanded, self->stride);
  sodium_memzero (slot, sizeof *slot);
}

static void
tls_thread_free (gpointer ptr)
{
  TlsThread *self = ptr;

  for (guint set = 0; set < N_SETS; set++)
    for (guint way = 0; way < N_WAYS; way++)
      if (self->slots[set][way].owner != NULL)
        tls_thread_clear_slot (self, set, way);
  g_aligned_free (self->kept);
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
  self->stride = (self->stride + KEY_ALIGN - 1) & ~(gsize) (KEY_ALIGN - 1);
  self->once = g_aligned_alloc0 (1, self->stride, KEY_ALIGN);
  return self;
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
set_of (const TlsKeys *keys)
{
  return (guint) (((guint64) (gsize) keys >> 3) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15) >> 58);
}

G_STATIC_ASSERT (N_SETS == 1u << (64 - 58));

/* In a time that does not tell where they differ. */
static gboolean
same_key (const Slot *slot, const TlsKeys *keys)
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
  guint set = set_of (keys);
  Slot *slots = self->slots[set];
  guint way = 0;
  guint8 *expanded;

  for (guint i = 0; i < N_WAYS; i++)
    {
      if (slots[i].owner == keys)
        {
          if (same_key (&slots[i], keys))
            {
              slots[i].used = ++self->tick;
              return self->kept + (set * N_WAYS + i) * self->stride;
            }
          way = i;
          break;
        }
      if (slots[i].owner == NULL || (slots[way].owner != NULL && self->tick - slots[i].used > self->tick - slots[way].used))
        way = i;
    }

  if (self->kept == NULL)
    self->kept = g_aligned_alloc0 (N_SETS * N_WAYS, self->stride, KEY_ALIGN);
  if (slots[way].owner != NULL)
    tls_thread_clear_slot (self, set, way);
  expanded = self->kept + (set * N_WAYS + way) * self->stride;
  if (!self->set.aead[keys->cipher]->expand (self->set.engine[keys->cipher], keys->cipher, keys->key, expanded))
    return NULL;
  slots[way].owner = keys;
  slots[way].used = ++self->tick;
  slots[way].cipher = keys->cipher;
  memcpy (slots[way].key, keys->key, sizeof slots[way].key);
  return expanded;
}

static gboolean
is_kept (const TlsAead *aead, const TlsKeys *keys)
{
  return aead->keep && keys->seq >= KEEP_FROM_SEQ;
}

/* The expanded key for one record; put it back. NULL: the library failed. */
static gconstpointer
tls_thread_take_key (TlsThread *self, const TlsAead *aead, const TlsKeys *keys)
{
  if (is_kept (aead, keys))
    return tls_thread_keep (self, keys);
  return aead->expand (self->set.engine[keys->cipher], keys->cipher, keys->key, self->once) ? self->once : NULL;
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
tls_thread_seal (TlsThread *self, TlsKeys *keys, const guint8 *head, TlsText text, guint8 type, guint8 *out)
{
  const TlsAead *aead = self->set.aead[keys->cipher];
  gconstpointer expanded = tls_thread_take_key (self, aead, keys);
  guint8 nonce[TLS_AEAD_NONCE_SIZE];
  gboolean done;

  if (expanded == NULL)
    return FALSE;
  tls_keys_nonce (keys, nonce);
  done = aead->seal (self->set.engine[keys->cipher], keys->cipher, expanded, nonce, head, text, type, out);
  tls_thread_put_key (self, aead, expanded);
  keys->seq++;
  return done;
}

gboolean
tls_thread_open (TlsThread *self, TlsKeys *keys, const guint8 *head, TlsText sealed, const guint8 *tag, guint8 *out)
{
  const TlsAead *aead = self->set.aead[keys->cipher];
  gconstpointer expanded = tls_thread_take_key (self, aead, keys);
  guint8 nonce[TLS_AEAD_NONCE_SIZE];
  gboolean done;

  if (expanded == NULL)
    return FALSE;
  tls_keys_nonce (keys, nonce);
  done = aead->open (self->set.engine[keys->cipher], keys->cipher, expanded, nonce, head, sealed, tag, out);
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
  guint set = set_of (keys);

  if (self == NULL)
    return;
  for (guint way = 0; way < N_WAYS; way++)
    if (self->slots[set][way].owner == keys)
      tls_thread_clear_slot (self, set, way);
}
