/* cert-place.h: a pair of files that is checked repeatedly for a newer certificate.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Main thread. */
#pragma once

#include "cert-pair.h"

G_BEGIN_DECLS

typedef struct _CertPlace CertPlace;

typedef enum {
  CERT_PLACE_SAME,    /* nothing new */
  CERT_PLACE_NEW,     /* another certificate from now on */
  CERT_PLACE_TROUBLE, /* the files cannot be used now; the previous certificate stays in use */
} CertPlaceLook;

/* @name: (nullable): as for cert_pair_load(). */
CertPlace *cert_place_new (const char *chain_path, const char *key_path, const char *name);
void cert_place_free (CertPlace *self);

/**
 * cert_place_look:
 * @force: read the files even if size, time and inode are what they were
 *
 * Returns: %CERT_PLACE_TROUBLE with @error set; the other two without.
 */
CertPlaceLook cert_place_look (CertPlace *self, gboolean force, GError **error);

DetourCert *cert_place_cert (const CertPlace *self); /* (nullable): before the first good look */
const char *cert_place_trouble (
    const CertPlace *self); /* of the last look that read the files; NULL: none */
const char *cert_place_chain_path (const CertPlace *self);
const char *cert_place_key_path (const CertPlace *self);
const CertPairNotes *cert_place_notes (const CertPlace *self); /* of the last good look */

G_END_DECLS
