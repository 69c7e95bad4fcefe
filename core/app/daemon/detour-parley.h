/* detour-parley.h: what the program that runs and one that takes over in another process say to
 * each other.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Messages over a socket of AF_UNIX that keeps them apart (SOCK_SEQPACKET). The program that runs
 * connects:
 *
 *   runs → takes over   "hand-over 1 KEY", with a record for the rehearsal; KEY is the relay's
 *   takes over → runs   "can take over: VERSION", or "cannot: REASON"
 *   runs → takes over   the record with all connections, as by detour_convoy_send()
 *   takes over → runs   "have it", or "cannot: REASON"
 *   runs → takes over   "go"
 *
 * Until "go" is on its way the first one can go on, and the other one seals nothing. From there on
 * it is the other way round, and the first one ends without another byte to anybody. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define DETOUR_PARLEY_BEGIN  "hand-over 1 "
#define DETOUR_PARLEY_CAN    "can take over: "
#define DETOUR_PARLEY_CANNOT "cannot: "
#define DETOUR_PARLEY_HAVE   "have it"
#define DETOUR_PARLEY_GO     "go"

/* What is longer is cut. */
#define DETOUR_PARLEY_MAX 2048u

/* Listens at @path for programs of the same user, or of root; a stale socket there is replaced.
 * Returns: -1 with @error. */
int detour_parley_listen (const char *path, GError **error);
/* To the program that listens there. Both ends do not wait from here on. */
int detour_parley_connect (const char *path, GError **error);
/* -1: there is nobody, or with @error somebody who may not. */
int detour_parley_accept (int listener, GError **error);

/* @fd: goes along; -1: none */
gboolean detour_parley_send (int socket, const char *text, int fd);

/**
 * detour_parley_receive:
 * @until_us: monotonic; it waits so long
 * @fd: (out) (nullable): what came along; -1: nothing
 *
 * Returns: (transfer full): the message, as one line that can be shown; NULL with @error: the other
 * one has ended, or was silent.
 */
char *detour_parley_receive (int socket, gint64 until_us, int *fd, GError **error);

/* The same of the last message: none can be sent to @socket any more when it returns, so that the
 * other one knows whether it was read. */
char *detour_parley_receive_last (int socket, gint64 until_us, GError **error);

/* Returns: a descriptor of the process at the other end; -1: it is not seen from here. */
int detour_parley_open_process (int socket);
/* Waits until @until_us for the other one to end, with all that it had open; @process: as above,
 * and closed. */
void detour_parley_wait_end (int socket, int process, gint64 until_us);
/* The next message has come, and was not taken. FALSE: the other one has ended. */
gboolean detour_parley_is_next (int socket);

G_END_DECLS
