/* detour-rehearsal.h: asks another program whether it could take over, before anything is risked.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It is started beside this one, with samples of what it would get, reads the configuration and
 * loads its plugins, and opens no port. It has no socket of a client and seals nothing. */
#pragma once

#include "detour-config-load.h"
#include "detour-handover.h"
#include "detour-program.h"

G_BEGIN_DECLS

typedef struct _DetourRehearsal DetourRehearsal;

/* @version: of the program that could; @problem: of one that could not. One of them is NULL. The
 * rehearsal is over, and to be freed. */
typedef void (*DetourRehearsalDone) (const char *version, const GError *problem, gpointer user);

/**
 * detour_rehearsal_new:
 * @path: of the other program
 * @draft: sealed; not needed any more afterwards
 * @done: called once from the main loop, with @problem at the latest after DETOUR_REHEARSAL_US
 */
#define DETOUR_REHEARSAL_US (8 * G_USEC_PER_SEC)
DetourRehearsal *detour_rehearsal_new (const DetourProgram *program, const char *path,
                                       const DetourHandoverDraft *draft, DetourRehearsalDone done,
                                       gpointer user);
/* Ends the program if it runs; @done is not called any more. */
void detour_rehearsal_free (DetourRehearsal *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourRehearsal, detour_rehearsal_free)

/* In the other program. Returns: whether it could take over @program's record; what is in the way
 * is on standard error. */
gboolean detour_rehearsal_play (DetourConfig *config, DetourProgram *program);
/* The same of a record with samples in @fd, which is taken. @complaints: a line for each thing that
 * is in the way. */
gboolean detour_rehearsal_try (DetourConfig *config, int fd, GString *complaints);

G_END_DECLS
