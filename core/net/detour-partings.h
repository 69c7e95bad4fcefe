/* detour-partings.h: connections that have had our goodbye and are kept until the peer has read it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A socket that is closed while bytes of the peer are unread, or still on their way, is reset by
 * the kernel, and a reset may overtake what was sent before it: a browser then does not see the
 * close frame of its WebSocket, nor a client the alert of TLS. So the last word of a connection is
 * followed by the end of our direction, and whatever comes is thrown away until the peer's end has
 * come too, for a limited time.
 *
 * It belongs to one loop and its thread, and has no lock. Whoever owned the connection is through
 * with it: nothing counts it any more but the limit in here. */
#pragma once

#include "detour-loop.h"

G_BEGIN_DECLS

/* How long a peer has to answer. */
#define DETOUR_PARTINGS_TIME_US (5 * G_USEC_PER_SEC)
/* As long, in all, when the daemon stops. */
#define DETOUR_PARTINGS_STOP_US (1 * G_USEC_PER_SEC)
/* Connections of one loop; where descriptors are few, it is a small part of them. */
#define DETOUR_PARTINGS_MAX 256u
/* Of one connection, what is thrown away: more than is on its way when the goodbye leaves. */
#define DETOUR_PARTINGS_BYTES_MAX (8u * 1024 * 1024)

typedef struct {
  GQueue all; /* those that go first in front: all have the same time */
  DetourTimer timer;
  gint64 time_us;
  guint most;
  gboolean is_stopping;
} DetourPartings;

void detour_partings_init (DetourPartings *self, gint64 time_us, guint most);

/* As many as fit into the descriptors that the process may have. */
guint detour_partings_most (void);

/**
 * detour_partings_add:
 * @fd: a socket that no io of the loop has any more; taken
 * @answers: its peer says goodbye as well, so it is worth to wait for when the daemon stops
 *
 * Ends our direction. The socket is closed when the peer has ended its own, when its time is over,
 * when too much comes, and when there are too many and it is the oldest.
 */
void detour_partings_add (DetourPartings *self, DetourLoop *loop, int fd, gboolean answers);

/* TRUE: @timer is the one in here, and was served. To be called first by the loop's own function.
 */
gboolean detour_partings_on_timer (DetourPartings *self, DetourLoop *loop, DetourTimer *timer);

/* From now on only peers that answer are waited for, without a limit to their number. */
void detour_partings_stop (DetourPartings *self, DetourLoop *loop);
/* Waits at most @time_us for all that are left, and closes them, and from now on everything at
 * once. The loop does nothing else meanwhile. */
void detour_partings_finish (DetourPartings *self, DetourLoop *loop, gint64 time_us);

G_END_DECLS
