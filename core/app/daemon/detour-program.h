/* detour-program.h: the program as it was started, to start the one that is installed there now.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  char *path;          /* absolute; another version may be there by now */
  GStrv argv;          /* as it was started */
  int handover;        /* descriptor of what the program before left; -1: none */
  int before;          /* socket to a program in another process that hands over; -1: none */
  int before_process;  /* of that one, once it has let go; -1: not seen */
  gboolean is_passing; /* what it keeps on disk goes with it, so no other one can follow */
} DetourProgram;

/* The variable of the environment with the number of that descriptor. */
#define DETOUR_PROGRAM_HANDOVER "DETOUR_HANDOVER"

/* First of all: keeps secrets out of core dumps, and descriptors out of programs that are started,
 * if there was a program before in this process. What the service manager passed is known
 * afterwards. @argv is copied. */
void detour_program_init (DetourProgram *self, int argc, char **argv);
void detour_program_clear (DetourProgram *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DetourProgram, detour_program_clear)

/**
 * detour_program_exec:
 * @path: (nullable): another program than that
 * @handover: descriptor, which it gets; -1: none
 *
 * Takes its place in this process. Signals that the daemon waits for are held until that waits for
 * them itself.
 *
 * Returns: only on failure: why.
 */
void detour_program_exec (const DetourProgram *self, const char *path, int handover,
                          GError **error);
/* Of a program that cannot read what the one before left, and so does not know its descriptors: the
 * same once more, in which they are closed, so that clients hear of it and the ports are free. */
void detour_program_begin_again (const DetourProgram *self);
/* Those that come from now on, whichever thread gets them, stay pending in the calling one, and so
 * in the program that takes the place of this one. */
void detour_program_hold_signals (void);
/* In this thread, and those that it starts: they stay pending as well. */
void detour_program_block_signals (void);
/* The daemon waits for signals from now on, and for those that were held. */
void detour_program_let_signals_in (void);
/* Programs that the program before had started are asked to end, and waited for from the main
 * loop. */
void detour_program_end_children (void);
/* While there is a record with secrets, no core is dumped. */
void detour_program_begin_secrecy (void);
void detour_program_end_secrecy (void);

G_END_DECLS
