/* tls-credentials.h: state shared by the sessions of one listener: ciphers, certificates, the meta
 * certificate.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reference-counted, so that sessions outlive the instance they came in by. Any thread, unless
 * said otherwise. */
#pragma once

#include <glib.h>
#include <gnutls/gnutls.h>

#include "detour-plugin.h"

G_BEGIN_DECLS

typedef struct _TlsCredentials TlsCredentials;
typedef struct _TlsPair
    TlsPair; /* a certificate of the store as GnuTLS wants it; reference-counted */

/* GnuTLS takes eight, and one is that of challenges. */
#define TLS_ALPN_MAX 7u

typedef struct {
  const char *cert; /* only certificates of this instance; NULL: of any */
  const char *const
      *alpn; /* protocols in order of preference, NULL-terminated; 1 to TLS_ALPN_MAX */
  gboolean tls13_only;
  gboolean exports; /* records are handled here where that is possible, not by GnuTLS */
} TlsConfig;

/* The choice of a certificate for one session. GnuTLS reaches it through the session's pointer. */
typedef struct {
  TlsCredentials *credentials;
  TlsPair *pair;         /* chosen when the client's hello came; NULL before */
  gboolean waits;        /* the hello was received, there was no certificate, and one is expected */
  gboolean missing;      /* the hello was received, and there was no certificate */
  char *sni;             /* name the client asked for; NULL: none */
  gboolean is_challenge; /* the client wants the answer to a challenge, and nothing else */
  struct sockaddr_storage
      *local; /* where the connection arrived; NULL: not known, or not needed any more */
} TlsChoice;

typedef enum {
  TLS_COUNT_FAILED, /* handshakes */
  TLS_COUNT_TLS12,
  TLS_COUNT_TLS13,
  TLS_COUNT_EXPORTED, /* connections */
  TLS_COUNT_NOT_EXPORTED,
  TLS_N_COUNTS,
} TlsCount;

/**
 * tls_credentials_new:
 * @host: used until tls_credentials_detach()
 * @config: copied
 *
 * Main thread.
 * Returns: (transfer full): or NULL with @error set.
 */
TlsCredentials *tls_credentials_new (DetourHost *host, const TlsConfig *config, GError **error);
TlsCredentials *tls_credentials_ref (TlsCredentials *self);
void tls_credentials_unref (TlsCredentials *self);

/* Called when the instance ends: nothing calls its host afterwards. Handshakes that have a
 * certificate continue, those without a hello fail. */
void tls_credentials_detach (TlsCredentials *self);

/* Gives @session its ciphers, protocols and certificates; @choice becomes the session's pointer and
 * has to live as long as it. A negative GnuTLS error, or 0. */
int tls_credentials_arm (TlsCredentials *self, gnutls_session_t session, TlsChoice *choice);

/* Whether a certificate is expected that does not exist yet. */
gboolean tls_credentials_expect (TlsCredentials *self);
/* @choice waits: looks again. FALSE: it goes on to wait. */
gboolean tls_credentials_look_again (TlsCredentials *self, TlsChoice *choice);

gboolean tls_credentials_exports (const TlsCredentials *self);
/* TLS 1.2 is not spoken. */
gboolean tls_credentials_is_tls13_only (const TlsCredentials *self);

/* Once for each handshake that ended, and for each connection that ought to be exported. */
void tls_credentials_count (TlsCredentials *self, TlsCount what);

/* Drops what @choice holds. */
void tls_choice_clear (TlsChoice *choice);

/* The authorities of the system in *@roots, borrowed; main thread. A negative GnuTLS error, or 0.
 */
int tls_credentials_roots (TlsCredentials *self, gnutls_certificate_credentials_t *roots);

/**
 * tls_credentials_arm_client:
 * @trust: has to live as long as the session
 * @name: that is asked for, or an address
 *
 * Makes a session ready to be the client, but for how the server is verified. Returns: a code of
 * GnuTLS.
 */
int tls_credentials_arm_client (TlsCredentials *self, gnutls_session_t session,
                                gnutls_certificate_credentials_t trust, const char *name);

G_END_DECLS
