/* cert-pair.h: a certificate and its key, read from two files.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

#define CERT_PAIR_ERROR (cert_pair_error_quark ())
GQuark cert_pair_error_quark (void);

typedef enum {
  CERT_PAIR_ERROR_CHAIN, /* the file with the chain is at fault */
  CERT_PAIR_ERROR_KEY,   /* the file with the key is */
} CertPairError;

/* What the files show beyond the certificate. */
typedef struct {
  gboolean exposed;          /* the key's file may be read by everyone */
  gboolean name_in_subject;  /* no subject alternative name, so that clients find no name */
  gboolean needless_issuers; /* the leaf signs itself, and other certificates follow */
  gboolean is_alone;         /* the leaf does not sign itself, and its issuer does not follow */
  char *missing_issuer;      /* of one that is alone, as cert_pair_missing_issuer() says; not set by
                                cert_pair_load() */
} CertPairNotes;

void cert_pair_notes_clear (CertPairNotes *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CertPairNotes, cert_pair_notes_clear)

/**
 * cert_pair_load:
 * @chain_path: PEM, the leaf first, then its issuers
 * @key_path: PEM, not encrypted; of any kind GnuTLS knows; may be the same file
 * @name: (nullable): DNS name or address that the leaf has to be valid for
 * @notes: (out): for cert_pair_notes_clear()
 *
 * Reads at most 1 MiB of each. Dates are not judged. A leaf that signs itself and stands alone gets
 * the mark of a self-signed certificate, so that its pin is told. Any thread.
 *
 * Returns: (transfer full): or NULL with @error set, which names the file, what was found and what
 * was expected.
 */
DetourCert *cert_pair_load (const char *chain_path, const char *key_path, const char *name,
                            CertPairNotes *notes, GError **error);

/* (nullable): the name of the issuer of one that is alone, unless this host knows it as an
 * authority: then nothing is missing. Reads all authorities of the host, which takes some
 * milliseconds. Free with g_free(). */
char *cert_pair_missing_issuer (const DetourCert *cert);

/* The same certificates and the same key. */
gboolean cert_pair_equal (const DetourCert *a, const DetourCert *b);

G_END_DECLS
