/* tls-metacert.h: the throw-away certificate that tells a client the DERP key during the
 * handshake.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-plugin.h"

G_BEGIN_DECLS

/* Seconds the certificate is valid before and after the time it is made for. */
#define TLS_METACERT_SPAN_S (30 * 86400)

/**
 * tls_metacert_new:
 * @server_key: (array fixed-size=32): the relay's public DERP key
 * @now_s: Unix time in seconds
 *
 * A self-signed Ed25519 certificate with a key that exists only here: subject and issuer are
 * "derpkey" and the hex digits of @server_key, serial number 2. Any thread.
 *
 * Returns: (transfer full): DER, or NULL with @error set.
 */
GBytes *tls_metacert_new (const guint8 *server_key, gint64 now_s, GError **error);

G_END_DECLS
