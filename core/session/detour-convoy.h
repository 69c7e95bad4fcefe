/* detour-convoy.h: a record and many descriptors go through a socket to another process.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A message carries no more than 253 descriptors, so they wait in sockets of their own, the
 * bundles, in the order in which they were sent. The socket itself gets one message, with the
 * record and the bundles: whoever reads it has all, and nobody can read it again. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define DETOUR_CONVOY_ERROR (detour_convoy_error_quark ())
GQuark detour_convoy_error_quark (void);

typedef enum {
  DETOUR_CONVOY_ERROR_NONE, /* there is nothing in the socket, and no more will come */
  DETOUR_CONVOY_ERROR_SYSTEM,
} DetourConvoyError;

/**
 * detour_convoy_send:
 * @socket: a stream of AF_UNIX
 * @fds: (array length=n): stay the caller's, as does @record
 *
 * Nobody has to read meanwhile. When it fails nothing was sent.
 */
gboolean detour_convoy_send (int socket, int record, const int *fds, gsize n, GError **error);

/**
 * detour_convoy_receive:
 * @record: (out): the caller's, as all of these; none is open in a program that is started
 * @fds: (out) (element-type int): in the order in which they were sent
 *
 * Does not wait. When it fails nothing stays open.
 */
gboolean detour_convoy_receive (int socket, int *record, GArray **fds, GError **error);

/* The same record, while all stays where it is. -1: there is none. */
int detour_convoy_peek (int socket);

G_END_DECLS
