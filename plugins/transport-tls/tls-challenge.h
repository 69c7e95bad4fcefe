/* tls-challenge.h: the certificate that answers a tls-alpn-01 challenge.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <gnutls/abstract.h>

#include "detour-plugin.h"

G_BEGIN_DECLS

/**
 * tls_challenge_make:
 * @challenge: what it has to say
 * @now_s: Unix time in seconds
 * @certificate: initialised on success
 * @key: initialised on success
 *
 * Makes a self-signed certificate with a key of its own (RFC 8737, section 3). It takes as long as
 * a handshake, so that it is made for each connection that asks.
 *
 * Returns: a code of GnuTLS.
 */
int tls_challenge_make (const DetourTlsChallenge *challenge, gint64 now_s,
                        gnutls_pcert_st *certificate, gnutls_privkey_t *key);

G_END_DECLS
