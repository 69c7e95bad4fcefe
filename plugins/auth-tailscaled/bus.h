/* bus.h: the connection over which tailscaled tells what changes, as long as it will.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One request that is never answered to its end. Where there is no such thing, or while there is no
 * tailscaled, it is tried again ever more rarely, and nobody is told. */
#pragma once

#include "bus-reader.h"

#include <curl/curl.h>

G_BEGIN_DECLS

typedef struct _Bus Bus;

typedef struct {
  BusReaderFuncs reader;
  /* What changes from now on is told; what changed before is not. */
  void (*opened) (gpointer user);
  void (*ended) (gpointer user);
} BusFuncs;

/* @timeout_ms: to connect */
Bus *bus_new (CURLM *multi, guint timeout_ms, const BusFuncs *funcs, gpointer user);
void bus_free (Bus *self);

/* Connects to @socket if that is due; returns when it will be. Monotonic microseconds. */
gint64 bus_look_after (Bus *self, const char *socket, gint64 now_us);
/* The next try need not wait. */
void bus_hurry (Bus *self);
/* A transfer of the multi handle is over. FALSE: it is another one. */
gboolean bus_done (Bus *self, CURL *easy);

G_END_DECLS
