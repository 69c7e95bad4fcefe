/* detour-path-look.h: watches the connection of one client for a while, and those that send to it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The workers read what the kernel knows when it begins, some times meanwhile, and when it ends.
 * Nothing is read of a connection that nobody looks at. Main thread. */
#pragma once

#include "detour-path.h"
#include "detour-server.h"

G_BEGIN_DECLS

#define DETOUR_PATH_LOOK_US     (2 * G_USEC_PER_SEC)
#define DETOUR_PATH_LOOK_MIN_US (200 * G_GINT64_CONSTANT (1000))
#define DETOUR_PATH_LOOK_MAX_US (60 * G_USEC_PER_SEC)

/* A connection that sends to the client. */
typedef struct {
  DetourKey key;
  DetourPathFigures figures;
} DetourPathSender;

typedef struct {
  DetourKey key;
  DetourPresence presence; /* the client's address */
  guint64 number;          /* of its connection */
  DetourPathCause cause;
  DetourPathFigures figures;
  DetourPathLoad load;             /* of the busiest worker that has one of them */
  const DetourPathSender *senders; /* (array length=n_senders): the one that sent most is first */
  guint n_senders;
} DetourPathReport;

/* @report: (nullable): borrowed for the call; NULL: the client is not connected, or the look was
 * stopped.
 * @has_left: it was connected when the look began, and left before the end */
typedef void (*DetourPathLookDone) (const DetourPathReport *report, gboolean has_left,
                                    gpointer user);

typedef struct _DetourPathLook DetourPathLook;

/* Calls @done once, from the main loop; the look is gone then. It ends before its time when the
 * client leaves. The server must not be stopped before that. */
DetourPathLook *detour_path_look_start (DetourServer *server, const DetourKey *key, gint64 time_us,
                                        DetourPathLookDone done, gpointer user);
/* It ends as soon as the workers have answered. */
void detour_path_look_stop (DetourPathLook *self);

G_END_DECLS
