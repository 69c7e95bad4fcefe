/* renewal-process.h: a program that is started, fed with lines, heard, and ended in time.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Main thread. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A line that is longer ends the process. */
#define RENEWAL_PROCESS_LINE_MAX (1024u * 1024)

typedef struct _RenewalProcess RenewalProcess;

typedef struct {
  /* A line of its standard output, without its line feed; borrowed. May stop the process. */
  void (*line) (gpointer user, const char *line, gsize len);
  /* It has ended, and everything that it wrote was passed on: the last call, after which the
   * process is the caller's to free. @why: (nullable): how, when it was not with status 0.
   * @complaint: what it wrote on its standard error, valid UTF-8, "" when nothing. */
  void (*ended) (gpointer user, const char *why, const char *complaint);
} RenewalProcessFuncs;

/**
 * renewal_process_start:
 * @argv: (array zero-terminated=1): an absolute path and its arguments
 * @limit_s: after which it is killed
 * @funcs: must live as long as the process
 *
 * The program has none of the capabilities of this process and gets none by what it runs; it is
 * killed when this process ends.
 *
 * Returns: (transfer full): or NULL with @error set.
 */
RenewalProcess *renewal_process_start (const char *const *argv, guint limit_s,
                                       const RenewalProcessFuncs *funcs, gpointer user,
                                       GError **error);
/* Writes @line and a line feed, as soon as the program takes it. */
void renewal_process_say (RenewalProcess *self, const char *line);
/* Kills it if it still runs; no function is called any more. */
void renewal_process_free (RenewalProcess *self);

G_END_DECLS
