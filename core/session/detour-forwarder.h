/* detour-forwarder.h: hands connections on to other servers, byte by byte and unread.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It has a thread of its own, so that bytes of others do not hold up those of clients. A side that
 * takes nothing is not read for: what waits is one buffer for each direction. The end of one
 * direction is passed on, and the other one goes on.
 *
 * A tunnel is such a pair, too: its client has a channel, which is opened and sealed here, and its
 * other side was connected by a plugin. */
#pragma once

#include "detour-channel.h"
#include "detour-forward-table.h"
#include "detour-metric.h"
#include "detour-net-set.h"

G_BEGIN_DECLS

typedef struct _DetourForwarder DetourForwarder;

/* Of connections for other names, and the same of tunnels. */
typedef struct {
  DetourCounter begun;      /* connections taken */
  DetourCounter ended;      /* of these */
  DetourCounter over_limit; /* closed at once, because there were too many */
  DetourCounter failed;     /* the other server could not be reached; the channel broke */
  DetourCounter idle;       /* closed because nothing moved */
  DetourCounter banned;     /* closed because the operator banned its network */
  DetourCounter bytes_in;   /* from clients */
  DetourCounter bytes_out;  /* to clients */
} DetourForwarderCounters;

/* All of them; in detour-forwarder-metrics.c. */
extern const DetourMetricRow detour_forwarder_metrics[];
extern const DetourMetricRow detour_forwarder_tunnel_metrics[];

/* Starts the thread. Main thread, like detour_forwarder_free(), which closes all connections. */
DetourForwarder *detour_forwarder_new (GError **error);
void detour_forwarder_free (DetourForwarder *self);

/* What went through a connection that is over. */
typedef struct {
  gint64 duration_us;
  guint64 bytes_in;  /* from the client */
  guint64 bytes_out; /* to the client */
} DetourForwarderEnd;

/* A connection to hand on. */
typedef struct {
  int fd;                            /* of the client; taken */
  DetourForwardTable *table;         /* NULL: a tunnel */
  const DetourForwardTarget *target; /* of the table */
  int server_fd;                     /* of a tunnel: its other side, connected; taken */
  DetourChannel channel;             /* of a tunnel: its client's; taken */
  GByteArray *back;     /* (transfer full): of a tunnel: sealed, goes to the client first */
  const char *listener; /* interned */
  guint8 address[16];   /* of the client, as of detour_address_bytes(); zeroes: none */
  GByteArray *first;    /* (transfer full): goes first: a PROXY header, and what was read already */
  gint64 idle_us;       /* closed when nothing moves for so long */
  guint most;           /* connections at a time; more are closed at once */
  /* Any thread: the connection is over; @end is NULL when it did not begin. */
  void (*ended) (gpointer user, const DetourForwarderEnd *end);
  gpointer user;
} DetourForwarderJob;

/* Any thread. */
void detour_forwarder_take (DetourForwarder *self, const DetourForwarderJob *job);

/* Any thread. Closes those whose client is in @networks, also of a job that was given before. */
void detour_forwarder_close_from (DetourForwarder *self, DetourNetSet *networks);

/* Any thread: connections at the moment. */
guint detour_forwarder_count (const DetourForwarder *self);
const DetourForwarderCounters *detour_forwarder_counters (const DetourForwarder *self);
const DetourForwarderCounters *detour_forwarder_tunnel_counters (const DetourForwarder *self);

G_END_DECLS
