/* test-tls-peer.h: a TLS client in memory, and certificates for the server it talks to.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "test-tls-wire.h"

/* A self-made chain of @n_chain certificates whose leaf has an @algorithm key and stands for @names
 * (NULL-terminated). */
DetourCert *test_cert_new (gnutls_pk_algorithm_t algorithm, guint n_chain,
                           const char *const *names);

typedef struct {
  gnutls_session_t session;
  gnutls_certificate_credentials_t credentials;
  GByteArray *sent;     /* bytes for the server that nobody took yet */
  GByteArray *received; /* bytes of the server that the session did not take yet */
  TestWire wire;        /* puts the session between the two */
} TestPeer;

#define TEST_PEER_TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define TEST_PEER_TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

/* @sni and @alpn (protocols separated by commas) may be NULL. */
TestPeer *test_peer_new (const char *priorities, const char *sni, const char *alpn);
void test_peer_free (TestPeer *self);

typedef struct {
  gsize step; /* bytes in a span for the channel; 0: all there are */
  gsize room; /* bytes of room in its output; 0: DETOUR_CHANNEL_FEED_SLACK */
} TestPace;

/* Until both sides are through, or one refuses: the channel's answer; *@client_rc that of the
 * client. On the way it checks what the contract promises of handshake(). */
DetourChannelResult test_peer_handshake (TestPeer *self, const DetourChannelClass *cls,
                                         gpointer channel, TestPace pace, int *client_rc,
                                         const char **reason);
/* The client's handshake and the channel's both succeed. */
void test_peer_handshake_ok (TestPeer *self, const DetourChannelClass *cls, gpointer channel);

/* What the client sent, as test_wire_feed() does. */
DetourChannelResult test_peer_feed (TestPeer *self, const DetourChannelClass *cls, gpointer channel,
                                    gsize step, GByteArray *plain, gboolean *reply);
/* Seals and hands the bytes to the client; the number of bytes on the wire. */
gsize test_peer_seal (TestPeer *self, const DetourChannelClass *cls, gpointer channel,
                      const struct iovec *spans, guint n);
/* Everything the client can decrypt now; the last answer of GnuTLS in *@rc. */
GByteArray *test_peer_read (TestPeer *self, ssize_t *rc);
/* Common name of the certificate the server sent at place @i; NULL: it sent fewer. */
char *test_peer_cert_name (TestPeer *self, guint i);
