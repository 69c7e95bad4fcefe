/* tls-channel-export.h: the channel that handles the records of TLS 1.3 itself, from the traffic
 * secrets on.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"
#include "tls-keys.h"

G_BEGIN_DECLS

extern const DetourChannelClass tls_channel_export_class;

/* Where a connection stands when its handshake is over. */
typedef struct {
  TlsCipher cipher;
  gboolean is_client;        /* we dialled */
  const guint8 *read_secret; /* what the peer writes with; tls_keys_secret_size() bytes each */
  const guint8 *write_secret;
  guint64 read_seq; /* numbers of the next records */
  guint64 write_seq;
  const char *sni; /* NULL: none */
} TlsExportStart;

/**
 * tls_channel_export_new:
 * @start: copied
 *
 * Any thread.
 * Returns: (nullable): NULL when no keys can be made of the secrets.
 */
gpointer tls_channel_export_new (const TlsExportStart *start);

/* The keys as they are, for comparison with those of another library. Borrowed. */
const TlsKeys *tls_channel_export_keys (gconstpointer self, gboolean of_peer);

G_END_DECLS
