/* tls-challenge.c: the certificate that answers a tls-alpn-01 challenge.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-challenge.h"

#include <gnutls/x509.h>
#include <string.h>

#define OID_ACME_IDENTIFIER "1.3.6.1.5.5.7.1.31"

/* Both ends of its life are a day away, whatever the clock of the authority says. */
#define SPAN_S (24 * 60 * 60)

#define COMMON_NAME "ACME challenge"

static int
tls_challenge_say (gnutls_x509_crt_t crt, const DetourTlsChallenge *challenge)
{
  /* An OCTET STRING of 32 bytes. */
  guint8 identifier[2 + sizeof challenge->digest] = { 0x04, sizeof challenge->digest };
  int rc;

  memcpy (identifier + 2, challenge->digest, sizeof challenge->digest);
  if (challenge->address_len > 0)
    rc = gnutls_x509_crt_set_subject_alt_name (crt, GNUTLS_SAN_IPADDRESS, challenge->address,
                                               challenge->address_len, GNUTLS_FSAN_SET);
  else
    rc = gnutls_x509_crt_set_subject_alt_name (crt, GNUTLS_SAN_DNSNAME, challenge->name,
                                               (unsigned) strlen (challenge->name),
                                               GNUTLS_FSAN_SET);
  if (rc >= 0)
    rc = gnutls_x509_crt_set_extension_by_oid (crt, OID_ACME_IDENTIFIER, identifier,
                                               sizeof identifier, TRUE);
  return rc;
}

static int
tls_challenge_write (gnutls_x509_crt_t crt, const DetourTlsChallenge *challenge, gint64 now_s,
                     gnutls_x509_privkey_t key)
{
  static const guint8 serial[] = { 1 };
  int rc = gnutls_x509_privkey_generate (key, GNUTLS_PK_ECDSA,
                                         GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1), 0);

  if (rc >= 0)
    rc = gnutls_x509_crt_set_version (crt, 3);
  if (rc >= 0)
    rc = gnutls_x509_crt_set_serial (crt, serial, sizeof serial);
  if (rc >= 0)
    rc = gnutls_x509_crt_set_activation_time (crt, (time_t) (now_s - SPAN_S));
  if (rc >= 0)
    rc = gnutls_x509_crt_set_expiration_time (crt, (time_t) (now_s + SPAN_S));
  if (rc >= 0)
    rc = gnutls_x509_crt_set_dn_by_oid (crt, GNUTLS_OID_X520_COMMON_NAME, 0, COMMON_NAME,
                                        strlen (COMMON_NAME));
  if (rc >= 0)
    rc = gnutls_x509_crt_set_key (crt, key);
  if (rc >= 0)
    rc = tls_challenge_say (crt, challenge);
  /* The issuer becomes the subject, byte for byte. */
  if (rc >= 0)
    rc = gnutls_x509_crt_sign2 (crt, crt, key, GNUTLS_DIG_SHA256, 0);
  return rc;
}

static int
tls_challenge_give (gnutls_x509_crt_t crt, gnutls_x509_privkey_t own, gnutls_pcert_st *certificate,
                    gnutls_privkey_t *key)
{
  int rc = gnutls_privkey_init (key);

  if (rc < 0)
    return rc;
  rc = gnutls_privkey_import_x509 (*key, own, GNUTLS_PRIVKEY_IMPORT_COPY);
  if (rc >= 0)
    rc = gnutls_pcert_import_x509 (certificate, crt, 0);
  if (rc < 0)
    gnutls_privkey_deinit (*key);
  return rc;
}

int
tls_challenge_make (const DetourTlsChallenge *challenge, gint64 now_s, gnutls_pcert_st *certificate,
                    gnutls_privkey_t *key)
{
  gnutls_x509_crt_t crt;
  gnutls_x509_privkey_t own;
  int rc = gnutls_x509_crt_init (&crt);

  if (rc < 0)
    return rc;
  rc = gnutls_x509_privkey_init (&own);
  if (rc >= 0)
    {
      rc = tls_challenge_write (crt, challenge, now_s, own);
      if (rc >= 0)
        rc = tls_challenge_give (crt, own, certificate, key);
      gnutls_x509_privkey_deinit (own);
    }
  gnutls_x509_crt_deinit (crt);
  return rc;
}
