/* prober-process.h: the program that looks at the relays, run once, until it ends or its time is
 * over. SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Main thread. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _ProberProcess ProberProcess;

/* The last call; the process is gone then. @output: what it wrote; NULL: it did not run to its end,
 * and @why says how that came. Both are borrowed. */
typedef void (*ProberProcessDone) (gpointer user, const char *output, gsize len, const char *why);

/**
 * prober_process_start:
 * @argv: (array zero-terminated=1): an absolute path and its arguments
 * @control: a descriptor on which the daemon answers, which becomes the program's; -1: none
 * @limit_us: after which it is killed
 *
 * The program has none of the capabilities of this process and gets none by what it runs; it is
 * killed when this process ends.
 *
 * Returns: (transfer none): valid until @done is called or prober_process_stop(); or NULL with
 * @error set.
 */
ProberProcess *prober_process_start (const char *const *argv, int control, gint64 limit_us,
                                     ProberProcessDone done, gpointer user, GError **error);
/* Kills it; nothing is called any more. */
void prober_process_stop (ProberProcess *self);

G_END_DECLS
