/* detour-upgrade.h: another program comes in the place of this one, with all its clients: at once
 * in this process or in another one, or later in one that the service manager starts.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-control.h"
#include "detour-program.h"
#include "detour-server-carry.h"

G_BEGIN_DECLS

typedef struct _DetourUpgrade DetourUpgrade; /* main thread */

/* All is borrowed. */
typedef struct {
  const DetourProgram *program;
  DetourServer *server;
  DetourRoster *roster;
  const DetourServerKey *key;
  const char *state;          /* directory */
  DetourHandoverAbout *about; /* of this program; what it says when it hands over */
  /* Puts items of the main program's own into the record. Before the pause, as it takes its time.
   */
  void (*write_down) (gpointer user, DetourRecord *out);
  /* The same in the pause: what has come since. */
  void (*write_rest) (gpointer user, DetourRecord *out);
  /* The main loop is about to wait, for that long at most; 0: it goes on. */
  void (*wait) (gpointer user, gint64 for_us);
  gpointer user;
} DetourUpgradeParts;

DetourUpgrade *detour_upgrade_new (const DetourUpgradeParts *parts);
/* One that has begun is given up. */
void detour_upgrade_free (DetourUpgrade *self);

/**
 * detour_upgrade_begin:
 * @binary: (nullable): another program than the one that was started
 * @socket: (nullable): at which a program waits in another process, instead
 * @check: only asks it whether it could
 * @done: (nullable): called once, later: with a problem when nothing will happen, and without one
 *   when it is going to; of @socket when it has
 *
 * Goes on from the main loop, and there is the other program at the end of it, or this one goes on
 * and the log says why.
 */
void detour_upgrade_begin (DetourUpgrade *self, const char *binary, const char *socket,
                           gboolean check, DetourControlUpgradeDone done, gpointer data);

/**
 * detour_upgrade_leave:
 * @socket: where what goes along waits for a program that comes later; stays the caller's
 * @failed: called once, later, when that could not be: all goes on as before, and the log says why
 *
 * Goes on from the main loop, and ends the process. An upgrade that is under way is given up.
 */
void detour_upgrade_leave (DetourUpgrade *self, int socket, void (*failed) (gpointer data),
                           gpointer data);
/* The daemon stops: no other program comes in its place any more. */
void detour_upgrade_end (DetourUpgrade *self);

/* How the last one went; this program may be its outcome. Texts are borrowed until the next call.
 */
void detour_upgrade_read_last (DetourUpgrade *self, DetourControlUpgrade *out);
/* This program is the outcome of one. */
void detour_upgrade_note_takeover (DetourUpgrade *self, const DetourHandoverAbout *before,
                                   const DetourTakeover *result);

G_END_DECLS
