/* tls-secrets.h: captures the traffic secrets of a GnuTLS session and makes a channel of them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gnutls/gnutls.h>

#include "tls-channel-export.h"

G_BEGIN_DECLS

/* Zeros at first. */
typedef struct {
  guint8 read[TLS_SECRET_MAX];
  guint8 write[TLS_SECRET_MAX];
  guint8 read_len; /* 0: not there yet */
  guint8 write_len;
} TlsSecrets;

/* For a gnutls_handshake_secret_func: remembers what belongs to application data. */
void tls_secrets_note (TlsSecrets *self, gnutls_record_encryption_level_t level, const void *read,
                       const void *write, size_t len);

/**
 * tls_secrets_export:
 * @session: its handshake is over, and it holds nothing that was read and not handed out
 * @sni: (nullable): copied
 *
 * Makes a channel that stands where @session stands and leaves @session as it is; only one of the
 * two can go on.
 *
 * Returns: (nullable): of tls_channel_export_class; NULL when the session is not TLS 1.3, has
 * another cipher, or is unusual in any way.
 */
gpointer tls_secrets_export (const TlsSecrets *self, gnutls_session_t session, gboolean is_client,
                             const char *sni);

void tls_secrets_wipe (TlsSecrets *self);

G_END_DECLS
