/* detour-session.h: all that a logged-in connection is made of, on its way from one thread to
 * another.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a connection needs to go on is here and nowhere else: descriptor, record layer, who it is,
 * bytes that have come and bytes that must go. The handshake pool fills it, a worker takes it
 * over. */
#pragma once

#include <glib.h>

#include "detour-channel.h"
#include "detour-frame.h"
#include "detour-address-counts.h"
#include "detour-verdict.h"

G_BEGIN_DECLS

typedef struct {
  int fd;
  DetourChannel channel;
  guint64 number; /* of the connection, for people: counts from 1 */
  DetourKey key;
  DetourPresence presence;
  gboolean is_mesh;
  DetourVerdict *verdict;       /* by which the client was let in; NULL: admission was not asked */
  const char *listener;         /* "transport/https"; interned */
  DetourAddressKey address_key; /* to be counted out when the connection ends */
  GByteArray *sealed; /* bytes of the record layer that the socket did not take yet; NULL: none */
  GByteArray *output; /* frames that go first: ServerInfo */
  GByteArray *input;  /* plain bytes behind the login; NULL: none */
} DetourSession;

/* Closes what is still there. */
void detour_session_free (DetourSession *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourSession, detour_session_free)

G_END_DECLS
