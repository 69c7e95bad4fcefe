/* tls-channel-gnutls-private.h: the inside of the channel that leaves records to GnuTLS.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tls-channel-gnutls.h"
#include "tls-dial.h"
#include "tls-secrets.h"

G_BEGIN_DECLS

/* Alerts and other records without data that a peer may send in a row. */
#define USELESS_MAX 16

/* All handshake messages of a client together. Its hello has some hundred bytes, with keys for
 * post-quantum algorithms 2,000; GnuTLS by itself would keep 128 KiB of one that is not finished.
 */
#define MESSAGES_MAX 16384
/* The same in bytes on the wire: derper takes messages that are cut into records of a single byte,
 * which have six bytes then. */
#define HANDSHAKE_WIRE_MAX (8 * MESSAGES_MAX)

#define RECORD_HEAD_SIZE      5
#define RECORD_HANDSHAKE      22
#define RECORD_PROTECTED_DATA 23

typedef struct {
  gnutls_session_t session;
  const guint8 *in; /* span of the call that runs */
  gsize in_len;
  DetourBuffer *out; /* where pushed bytes go in the call that runs; NULL: to `kept` */
  GByteArray *kept;  /* pushed bytes that found no room, before all later ones; NULL: none */
  TlsChoice choice;
  TlsSecrets *secrets;           /* caught for the export channel; NULL: there will be none */
  guint8 head[RECORD_HEAD_SIZE]; /* of the record that is being pulled in the handshake */
  guint8 head_len;
  guint16 body_left; /* bytes of that record behind its head */
  guint32 taken;     /* bytes pulled in the handshake */
  guint32 content;   /* bytes of handshake messages among them */
  guint8 useless;    /* records without data in a row */
  guint8 owed; /* bytes at the front of the next span that were consumed already, though they were
                  reported as unused */
  gboolean finished; /* the handshake */
  gboolean begun;    /* the peer has sent at least one byte */
  gboolean put_off;  /* `hello` waits for a certificate */
  GByteArray *hello; /* all that came, while a certificate is expected; NULL: none is */
  TlsDial dial;      /* of the server that we dialled; zero: we are the server */
} TlsChannel;

/* Bytes for the peer, into the output of the call that runs. */
void tls_channel_gnutls_put (TlsChannel *self, const guint8 *data, gsize len);
/* Moves what was kept into @out, which takes later pushes of this call, too. TRUE: nothing is kept
 * any more. */
gboolean tls_channel_gnutls_flush (TlsChannel *self, DetourBuffer *out);
/* Begins a session; FALSE: GnuTLS has none to give. */
gboolean tls_channel_gnutls_open (TlsChannel *self, guint end);
/* FALSE: GnuTLS does not take what the server's session needs. */
gboolean tls_channel_gnutls_arm (TlsChannel *self);
/* A static text for an error of GnuTLS; for an alert of the peer, what it says. */
const char *tls_channel_gnutls_reason (TlsChannel *self, int rc);

/* In tls-channel-handshake.c: as handshake() of the class. */
DetourChannelResult tls_channel_gnutls_handshake (gpointer ptr, const guint8 *in, gsize len,
                                                  gsize *used, DetourBuffer *out,
                                                  const char **reason);

G_END_DECLS
