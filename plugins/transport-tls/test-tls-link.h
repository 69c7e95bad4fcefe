/* test-tls-link.h: a channel of the relay and its GnuTLS client, all in memory: the fixture of
 * what both record layers do.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "test-tls-host.h"
#include "test-tls-peer.h"
#include "tls-channel-gnutls.h"

typedef struct {
  const char *priorities; /* of the client */
  gboolean exports;       /* the relay takes the keys over where it can */
  const char *layer;      /* name of the record layer that comes of it */
} TestVariant;

extern const TestVariant test_tls12;
extern const TestVariant test_tls13;
extern const TestVariant test_tls12_exports; /* which only TLS 1.3 can */
extern const TestVariant test_exported;

typedef struct {
  const TestVariant *variant;
  TestHost *host;
  TlsCredentials *credentials;
  const DetourChannelClass *cls;
  gpointer channel;
  TestPeer *peer;
} TestLink;

/* @alpn: (nullable): the protocol that the client offers. */
void test_link_setup_with (TestLink *self, const TestVariant *variant, const char *alpn,
                           gboolean tls13_only);
/* For g_test_add(); @variant is a TestVariant. */
void test_link_setup (TestLink *self, gconstpointer variant);
void test_link_teardown (TestLink *self, gconstpointer variant);

/* As core does once the handshake is over; the record layer must be that of the variant. */
void test_link_settle (TestLink *self);
/* The whole handshake, and settles. */
void test_link_shake_hands (TestLink *self);

/* The client sends @len bytes. */
void test_link_write (TestLink *self, gconstpointer data, gsize len);

#define TEST_LINK_ADD(path, variant, function) \
  g_test_add (path, TestLink, variant, test_link_setup, function, test_link_teardown)
#define TEST_LINK_ADD_GNUTLS(path, function)            \
  TEST_LINK_ADD (path "/tls12", &test_tls12, function); \
  TEST_LINK_ADD (path "/tls13", &test_tls13, function)
#define TEST_LINK_ADD_TLS13(path, function)             \
  TEST_LINK_ADD (path "/tls13", &test_tls13, function); \
  TEST_LINK_ADD (path "/export", &test_exported, function)
#define TEST_LINK_ADD_ALL(path, function)               \
  TEST_LINK_ADD (path "/tls12", &test_tls12, function); \
  TEST_LINK_ADD_TLS13 (path, function)
