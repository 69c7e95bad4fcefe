/* renewal-hook.h: the operator's program that puts records into a zone, run for one record after
 * the other.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Main thread. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _RenewalHook RenewalHook;

/* @why: (nullable): why it failed; NULL: it was done. Called from the loop, never from inside
 * renewal_hook_run(). */
typedef void (*RenewalHookDone) (gpointer user, gpointer tag, const char *why);

/* @program: an absolute path; @instance: for the log; both must live as long as the hook. */
RenewalHook *renewal_hook_new (const char *program, const char *instance, RenewalHookDone done,
                               gpointer user);
/* Jobs that wait are dropped, and one that runs is killed; nobody is told. */
void renewal_hook_free (RenewalHook *self);

/* `PROGRAM @verb @name @value` when all jobs before it are over. @tag is for @done. */
void renewal_hook_run (RenewalHook *self, const char *verb, const char *name, const char *value,
                       gpointer tag);
gboolean renewal_hook_is_busy (const RenewalHook *self);

/* Starts the program and waits for nothing, for a daemon that ends. */
void renewal_hook_run_detached (const char *program, const char *verb, const char *name,
                                const char *value);

G_END_DECLS
