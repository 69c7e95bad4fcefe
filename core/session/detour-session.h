/* detour-session.h: all that a logged-in connection is made of, on its way from one thread to
 * another.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a connection needs to go on is here: descriptor, record layer, who logged in, bytes that
 * have come and bytes that must go, and what it has counted so far. The handshake pool fills it and
 * a worker takes it over; a worker can also take a registered connection apart into one again, see
 * detour_worker_detach_all(). */
#pragma once

#include <glib.h>

#include "detour-channel.h"
#include "detour-frame.h"
#include "detour-relay.h"
#include "detour-address-counts.h"
#include "detour-link-tie.h"
#include "detour-tenant.h"
#include "detour-terms.h"
#include "detour-verdict.h"

G_BEGIN_DECLS

typedef struct {
  /* Of the transport connection. */
  int fd;
  DetourChannel channel;
  guint64 number;               /* for people: counts from 1 */
  const char *listener;         /* "transport/https"; interned */
  DetourAddressKey address_key; /* to be counted out when the connection ends */
  GByteArray *sealed;   /* bytes of the record layer that the socket did not take yet; NULL: none */
  GByteArray *input;    /* plain bytes behind the login; NULL: none */
  gboolean owes_reply;  /* the channel has bytes of its own to send */
  gint64 keep_alive_us; /* when the next one is due; 0: a whole time from now */
  gboolean was_slowed;  /* had to wait for its receive rate, which the log knows */
  guint16 window_kib;   /* what the peer's system buffered when it came; 0: is asked */
  guint watched_by;     /* 1 + the index of the worker whose loop still watches it; 0: none does */
  guint32 watched_events;

  /* Of the key that logged in over it. */
  DetourKey key;
  DetourPresence presence;
  gboolean is_mesh;
  DetourClientTraits traits;
  DetourVerdict *verdict;   /* by which it was let in; NULL: admission was not asked */
  DetourTenantVisit *visit; /* NULL: it is of no tenant */
  DetourTerms *terms;       /* on which it uses the relay, and where it counts; NULL: those of
                               [limits] */
  DetourLinkTie *link;      /* NULL: a client's; else this relay is the client */
  GArray *keys;             /* of a link: DetourKey, that are behind it; NULL: none are known */
  GArray *preferred; /* those of them that are behind others too, and whose packets it gets */
  DetourClientState client; /* its `output` begins with ServerInfo after a login */
} DetourSession;

/* Closes what is still there. */
void detour_session_free (DetourSession *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourSession, detour_session_free)

G_END_DECLS
