/* detour-successor.h: waits for a program that runs in another process to hand over its clients.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config.h"
#include "detour-handover.h"

G_BEGIN_DECLS

typedef enum {
  DETOUR_SUCCESSOR_CALLED, /* the record waits in the socket */
  DETOUR_SUCCESSOR_ALONE,  /* no program runs, or it has ended: this one starts as ever */
  DETOUR_SUCCESSOR_ENDED,  /* it was asked to end */
  DETOUR_SUCCESSOR_FAILED, /* and has said why */
} DetourSuccessorOutcome;

/**
 * detour_successor_wait:
 * @path: of a socket, at which the program that runs finds this one
 * @before: (out): the socket to it
 *
 * Answers it whether this program could take over, as often as it asks. Main thread; before there
 * is a daemon.
 */
DetourSuccessorOutcome detour_successor_wait (DetourConfig *config, const char *path, int *before);

/* What it left; it still can go on, and does when @before is closed. NULL with @error, which it was
 * told. */
DetourHandover *detour_successor_receive (int before, GError **error);
/* Tells it why this program could not take over. */
void detour_successor_decline (int before, const char *why);
/* All is ready here. TRUE: the other program will do nothing any more; FALSE: it goes on, and
 * nothing may be sealed here. @process: (out): for the next one */
gboolean detour_successor_commit (int before, int *process, GError **error);
/* Until the other one has ended, so that its addresses are free. Closes both. */
void detour_successor_finish (int before, int process);

G_END_DECLS
