/* test-tls-wire.h: bytes in memory between a GnuTLS session and a channel, or another session.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gnutls/gnutls.h>

#include "detour-plugin.h"

/* What a session reads and writes instead of a socket. */
typedef struct {
  gnutls_session_t session;
  GByteArray *received; /* bytes that the session did not take yet */
  GByteArray *sent;     /* bytes of the session that nobody took yet */
} TestWire;

/* Borrows the arrays; @self must stay where it is as long as the session lives. */
void test_wire_init (TestWire *self, gnutls_session_t session, GByteArray *received,
                     GByteArray *sent);

/* Feeds what was @sent, in spans of @step bytes (0: all), in blocks of exactly the promised size;
 * the plain text is appended to @plain. Stops when the channel does. */
DetourChannelResult test_wire_feed (GByteArray *sent, const DetourChannelClass *cls,
                                    gpointer channel, gsize step, GByteArray *plain,
                                    gboolean *reply);
