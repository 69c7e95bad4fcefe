/* detour-cert.c: one certificate chain with its key, immutable; the calls are in detour-plugin.h.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-cert.h"

#include <sodium.h>
#include <string.h>

struct _DetourCert {
  gatomicrefcount refs;
  GBytes **chain;
  guint n_chain;
  GBytes *private_key; /* over memory of libsodium, which wipes it */
  GStrv names;
  gint64 not_before;
  gint64 not_after;
  gboolean self_signed;
  char *alpn; /* NULL: for everyone */
};

DetourCert *
detour_cert_new (GBytes *const *chain, guint n_chain, const guint8 *key, gsize key_len,
                 const char *const *names, gint64 not_before, gint64 not_after)
{
  DetourCert *self = g_new0 (DetourCert, 1);
  guint8 *copy;
  int ready = sodium_init ();

  g_assert (ready >= 0 && n_chain > 0 && key_len > 0);
  copy = sodium_malloc (key_len);
  g_assert (copy != NULL);
  memcpy (copy, key, key_len);

  g_atomic_ref_count_init (&self->refs);
  self->chain = g_new0 (GBytes *, n_chain);
  for (guint i = 0; i < n_chain; i++)
    self->chain[i] = g_bytes_ref (chain[i]);
  self->n_chain = n_chain;
  self->private_key = g_bytes_new_with_free_func (copy, key_len, sodium_free, copy);
  self->names = g_strdupv ((GStrv) names);
  self->not_before = not_before;
  self->not_after = not_after;
  return self;
}

DetourCert *
detour_cert_ref (DetourCert *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
detour_cert_unref (DetourCert *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  for (guint i = 0; i < self->n_chain; i++)
    g_bytes_unref (self->chain[i]);
  g_free (self->chain);
  g_bytes_unref (self->private_key);
  g_strfreev (self->names);
  g_free (self->alpn);
  g_free (self);
}

guint
detour_cert_chain (const DetourCert *self, GBytes *const **chain)
{
  *chain = self->chain;
  return self->n_chain;
}

GBytes *
detour_cert_private_key (const DetourCert *self)
{
  return self->private_key;
}

const char *const *
detour_cert_names (const DetourCert *self)
{
  return (const char *const *) self->names;
}

gint64
detour_cert_not_before (const DetourCert *self)
{
  return self->not_before;
}

gint64
detour_cert_not_after (const DetourCert *self)
{
  return self->not_after;
}

gboolean
detour_cert_self_signed (const DetourCert *self)
{
  return self->self_signed;
}

void
detour_cert_set_self_signed (DetourCert *self)
{
  self->self_signed = TRUE;
}

char *
detour_cert_pin (const DetourCert *self)
{
  g_autofree char *hex = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, self->chain[0]);

  return g_strconcat ("sha256-raw:", hex, NULL);
}

const char *
detour_cert_alpn (const DetourCert *self)
{
  return self->alpn;
}

void
detour_cert_set_alpn (DetourCert *self, const char *protocol)
{
  g_free (self->alpn);
  self->alpn = g_strdup (protocol);
}
