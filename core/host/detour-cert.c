/* detour-cert.c: one certificate chain with its key, immutable; the calls are in detour-plugin.h.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-cert.h"

#include <sodium.h>
#include <string.h>

#include "detour-x509.h"

struct _DetourCert {
  gatomicrefcount refs;
  GBytes **chain;
  guint n_chain;
  GBytes *private_key; /* over memory of libsodium, which wipes it */
  GStrv names;
  gint64 not_before;
  gint64 not_after;
  char *issuer;
  gboolean self_signed;
};

/* What the leaf says about who signed it; one that is no X.509 says nothing. */
static void
cert_read_issuer (DetourCert *self)
{
  gsize len;
  const guint8 *der = g_bytes_get_data (self->chain[0], &len);
  DetourX509 leaf;

  if (!detour_x509_read (der, len, &leaf))
    {
      self->issuer = g_strdup ("");
      return;
    }
  self->issuer = detour_x509_name_text (leaf.issuer, leaf.issuer_len);
  self->self_signed = leaf.issuer_len == leaf.subject_len && leaf.issuer_len > 0
                   && memcmp (leaf.issuer, leaf.subject, leaf.issuer_len) == 0;
}

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
  cert_read_issuer (self);
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
  g_free (self->issuer);
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

const char *
detour_cert_issuer (const DetourCert *self)
{
  return self->issuer;
}

char *
detour_cert_pin (const DetourCert *self)
{
  g_autofree char *hex = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, self->chain[0]);

  return g_strconcat (DETOUR_CERT_PIN_PREFIX, hex, NULL);
}
