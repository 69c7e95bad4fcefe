/* detour-real-ip.h: the client's address in a header that proxies write into a request.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A pure function over a parsed head. Only the address that a trusted proxy has added itself can be
 * believed: everything to its left may have been written by the client. */
#pragma once

#include "detour-address.h"
#include "detour-http-head.h"

G_BEGIN_DECLS

/**
 * detour_real_ip_find:
 * @head: of a request that came from a trusted proxy
 * @header: its name: one with a list to which each proxy adds the address it was reached from, as
 * X-Forwarded-For, or with a single address, as X-Real-IP
 * @trusted: (array length=n_trusted): the networks of proxies
 * @out: (out): the address, with port 0 where none is written
 *
 * Takes the first address from the right that is no proxy's, or the leftmost when all of them are.
 * What is no address ends the list, since nobody knows who wrote what lies to its left.
 *
 * Returns: FALSE when the header is missing, or its last entry is no address.
 */
gboolean detour_real_ip_find (const DetourHttpHead *head, const char *header,
                              const DetourCidr *trusted, guint n_trusted,
                              struct sockaddr_storage *out) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
