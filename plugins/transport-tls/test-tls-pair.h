/* test-tls-pair.h: both record layers behind one handshake with a GnuTLS client.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "test-tls-host.h"
#include "test-tls-peer.h"
#include "tls-channel-export.h"
#include "tls-channel-gnutls.h"

/* Each could go on, but only one at a time talks to the client. */
typedef struct {
  TestHost *host;
  TlsCredentials *credentials;
  TestPeer *peer;
  gpointer gnutls;   /* of tls_channel_gnutls_class */
  gpointer exported; /* of tls_channel_export_class */
} TestPair;

/* @priorities: of the client */
void test_pair_init (TestPair *self, const char *priorities);
void test_pair_clear (TestPair *self);
