/* own-pair.h: a certificate that signs itself, and its key, outside of any file.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gnutls/x509.h>

#include "detour-plugin.h"

G_BEGIN_DECLS

/* Either half may be missing. */
typedef struct {
  gnutls_x509_crt_t crt;
  gnutls_x509_privkey_t key;
} OwnPair;

void own_pair_free (OwnPair *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (OwnPair, own_pair_free)

/* Length of the address in @name, 4 or 16; 0: it is a DNS name. */
gsize own_pair_parse_address (const char *name, guint8 bytes[16]);

/* Without regard to case, and to the way in which an address is written. */
gboolean own_pair_same_name (const char *a, const char *b);

/**
 * own_pair_new:
 * @names: DNS names and addresses, at least one
 * @days: until its end, from @now_s on
 *
 * The beginning of its validity lies years back, because clocks of clients and of this host may be
 * slow.
 *
 * Returns: (transfer full): or NULL with @error set.
 */
OwnPair *own_pair_new (const char *const *names, guint days, gint64 now_s, GError **error);

/* Takes what can be read of both texts, which are PEM; either may be NULL or damaged. */
OwnPair *own_pair_parse (const char *crt_pem, gsize crt_len, const char *key_pem, gsize key_len);

/* Both halves are there and belong together. */
gboolean own_pair_is_whole (const OwnPair *self);
/* The certificates are the same, or, where one is missing, the keys. */
gboolean own_pair_shares_half (const OwnPair *self, const OwnPair *other);
/* The certificate is valid for all of @names, and perhaps for others. */
gboolean own_pair_has_names (const OwnPair *self, const char *const *names);
gint64 own_pair_not_before (const OwnPair *self);
gint64 own_pair_not_after (const OwnPair *self);

/* Of a whole pair. */
DetourCert *own_pair_to_cert (const OwnPair *self);
/* SHA-256 of the certificate in lower-case hex; free with g_free(). */
char *own_pair_pin (const OwnPair *self);

/* PEM, terminated; NULL when GnuTLS fails. The key's text is the caller's to wipe, with
 * own_pair_wipe(). */
char *own_pair_crt_pem (const OwnPair *self);
char *own_pair_key_pem (const OwnPair *self);
void own_pair_wipe (char *pem); /* (nullable): wipes and frees it */

G_END_DECLS
