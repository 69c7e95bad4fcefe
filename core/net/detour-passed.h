/* detour-passed.h: descriptors that the service manager gave to this process when it started it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * They come from socket units and from the store of descriptors, and are told apart by their names.
 * What a socket unit gave stays open to the end, so that an instance that starts later finds it. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Reads the variables LISTEN_* and removes them: neither a program that is started nor one in this
 * process may believe them again. Main thread, as all of this; once, before anything is opened. */
void detour_passed_init (void);

guint detour_passed_count (void);
const char *detour_passed_name (guint index);
/* Borrowed. */
int detour_passed_fd (guint index);
/* Nobody finds it by its name any more, neither here nor in another program; it stays open, so that
 * its number is no other's. */
void detour_passed_forget (guint index);

/* For another program in this process: whether it gets them. Returns: (transfer full):
 * @environment, which is taken, with the variables. */
void detour_passed_inherit (gboolean pass);
GStrv detour_passed_describe (GStrv environment);

G_END_DECLS
