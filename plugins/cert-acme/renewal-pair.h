/* renewal-pair.h: a certificate chain with its key, read from PEM.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gnutls/x509.h>

#include "detour-plugin.h"

G_BEGIN_DECLS

#define RENEWAL_PAIR_ERROR (renewal_pair_error_quark ())
GQuark renewal_pair_error_quark (void);

typedef enum {
  RENEWAL_PAIR_ERROR_FORM,  /* it cannot be read */
  RENEWAL_PAIR_ERROR_KEY,   /* the key is another's */
  RENEWAL_PAIR_ERROR_NAMES, /* it is for other names */
  RENEWAL_PAIR_ERROR_DATES, /* it is not valid now */
  RENEWAL_PAIR_ERROR_CHAIN, /* its certificates do not follow each other */
  RENEWAL_PAIR_ERROR_TRIAL, /* TLS does not work with it */
} RenewalPairError;

typedef struct {
  gnutls_x509_crt_t *chain; /* leaf first */
  guint n_chain;
  gnutls_x509_privkey_t key;
  GStrv names; /* DNS names and addresses of the leaf */
  gint64 not_before, not_after;
} RenewalPair;

void renewal_pair_free (RenewalPair *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RenewalPair, renewal_pair_free)

/**
 * renewal_pair_read:
 * @key_pem, @chain_pem: may be the same text, and have more in it
 *
 * Returns: (transfer full): a chain whose first certificate belongs to the key, or NULL with @error
 *   set. Dates and names are not judged.
 */
RenewalPair *renewal_pair_read (const char *key_pem, gsize key_len, const char *chain_pem,
                                gsize chain_len, GError **error);

/* The leaf is valid for each of @names. */
gboolean renewal_pair_has_names (const RenewalPair *self, const char *const *names);

/**
 * renewal_pair_try:
 * @names: that it was ordered for
 * @now: Unix time in seconds
 *
 * Everything that can be tried without a client: names, dates, that each certificate was signed by
 * the next one, and a handshake of a server that shows it with a client that asks for a name.
 */
gboolean renewal_pair_try (const RenewalPair *self, const char *const *names, gint64 now,
                           GError **error);

/* (transfer full) */
DetourCert *renewal_pair_to_cert (const RenewalPair *self);
/* Key and chain in PEM, as derper keeps them; wiped and freed with renewal_pair_wipe(). NULL:
 * GnuTLS cannot. */
char *renewal_pair_to_pem (const RenewalPair *self);
void renewal_pair_wipe (char *pem); /* (nullable) */
/* The chain alone; free with g_free(). */
char *renewal_pair_chain_pem (const RenewalPair *self);

/* The name by which an authority knows it (RFC 9773, section 4.1); NULL when the leaf does not say
 * who signed it. Free with g_free(). */
char *renewal_pair_renewal_id (const RenewalPair *self);

G_END_DECLS
