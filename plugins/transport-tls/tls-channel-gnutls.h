/* tls-channel-gnutls.h: the channel that leaves records to GnuTLS.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tls-credentials.h"

G_BEGIN_DECLS

extern const DetourChannelClass tls_channel_gnutls_class;

/**
 * tls_channel_gnutls_new:
 * @credentials: a reference is kept
 * @local: (nullable): address the connection arrived at; copied
 *
 * The server's side. Any thread.
 * Returns: (nullable): NULL when GnuTLS has no session to give.
 */
gpointer tls_channel_gnutls_new (TlsCredentials *credentials, const struct sockaddr_storage *local);

/**
 * tls_channel_gnutls_connect:
 * @host: name or address of the server
 * @pin, @ca_file: (nullable): as in DetourDialer
 *
 * The client's side; its records stay with GnuTLS. Main thread.
 * Returns: (nullable): NULL with @error set.
 */
gpointer tls_channel_gnutls_connect (TlsCredentials *credentials, const char *host, const char *pin,
                                     const char *ca_file, GError **error);

/**
 * tls_channel_gnutls_export:
 * @self: a channel whose handshake() returned OK, and that did nothing since
 *
 * What settle() does, without giving @self up; only one of the two can go on.
 * Returns: (nullable): of tls_channel_export_class; NULL when @self has to stay what it is.
 */
gpointer tls_channel_gnutls_export (gpointer self);

G_END_DECLS
