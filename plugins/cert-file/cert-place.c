/* cert-place.c: a pair of files that is checked repeatedly for a newer certificate.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cert-place.h"

#include <string.h>
#include <sys/stat.h>

/* Attributes that change when a file is rewritten or replaced. Symbolic links are followed, because
 * renewal tools change their targets. */
typedef struct {
  dev_t device;
  ino_t inode;
  off_t size;
  struct timespec changed;
} Stamp;

struct _CertPlace {
  char *chain_path, *key_path, *name;
  DetourCert *cert;
  char *trouble;
  Stamp stamps[2]; /* of the files as they were read last */
  CertPairNotes notes;
};

CertPlace *
cert_place_new (const char *chain_path, const char *key_path, const char *name)
{
  CertPlace *self = g_new0 (CertPlace, 1);

  self->chain_path = g_strdup (chain_path);
  self->key_path = g_strdup (key_path);
  self->name = g_strdup (name);
  return self;
}

void
cert_place_free (CertPlace *self)
{
  g_clear_pointer (&self->cert, detour_cert_unref);
  g_free (self->chain_path);
  g_free (self->key_path);
  g_free (self->name);
  g_free (self->trouble);
  cert_pair_notes_clear (&self->notes);
  g_free (self);
}

/* All zero for a file that is not there. */
static Stamp
cert_place_stamp_of (const char *path)
{
  Stamp stamp;
  struct stat st;

  memset (&stamp, 0, sizeof stamp);
  if (stat (path, &st) == 0)
    {
      stamp.device = st.st_dev;
      stamp.inode = st.st_ino;
      stamp.size = st.st_size;
      stamp.changed = st.st_ctim;
    }
  return stamp;
}

static gboolean
cert_place_stamp_equal (const Stamp *a, const Stamp *b)
{
  return a->device == b->device && a->inode == b->inode && a->size == b->size
      && a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

CertPlaceLook
cert_place_look (CertPlace *self, gboolean force, GError **error)
{
  /* Taken before reading, so that a change during the read is noticed the next time. */
  const Stamp stamps[2] = { cert_place_stamp_of (self->chain_path),
                            cert_place_stamp_of (self->key_path) };
  g_auto (CertPairNotes) notes = { 0 };
  g_autoptr (DetourCert) cert = NULL;
  GError *why = NULL;
  gboolean is_same;

  if (!force && cert_place_stamp_equal (&stamps[0], &self->stamps[0])
      && cert_place_stamp_equal (&stamps[1], &self->stamps[1]))
    return CERT_PLACE_SAME;
  memcpy (self->stamps, stamps, sizeof stamps);
  g_clear_pointer (&self->trouble, g_free);
  cert = cert_pair_load (self->chain_path, self->key_path, self->name, &notes, &why);
  if (cert == NULL)
    {
      self->trouble = g_strdup (why->message);
      g_propagate_error (error, why);
      return CERT_PLACE_TROUBLE;
    }
  is_same = self->cert != NULL && cert_pair_equal (self->cert, cert);
  /* What was found out about the certificate is not found out again at each reload. */
  if (is_same)
    notes.missing_issuer = g_steal_pointer (&self->notes.missing_issuer);
  else if (notes.is_alone)
    notes.missing_issuer = cert_pair_missing_issuer (cert);
  cert_pair_notes_clear (&self->notes);
  self->notes = notes;
  notes = (CertPairNotes) { 0 };
  if (is_same)
    return CERT_PLACE_SAME;
  g_clear_pointer (&self->cert, detour_cert_unref);
  self->cert = g_steal_pointer (&cert);
  return CERT_PLACE_NEW;
}

DetourCert *
cert_place_cert (const CertPlace *self)
{
  return self->cert;
}

const char *
cert_place_trouble (const CertPlace *self)
{
  return self->trouble;
}

const char *
cert_place_chain_path (const CertPlace *self)
{
  return self->chain_path;
}

const char *
cert_place_key_path (const CertPlace *self)
{
  return self->key_path;
}

const CertPairNotes *
cert_place_notes (const CertPlace *self)
{
  return &self->notes;
}
