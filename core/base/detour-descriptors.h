/* detour-descriptors.h: descriptors of the process: how many are left, a few that are kept, and
 * whether another program gets one.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A reserve holds descriptors that lead nowhere. When the process has none left, its owner gives
 * some of them up for what has to be opened, and gets them back as soon as there are others. Main
 * thread. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _DetourDescriptors DetourDescriptors;

/* Opens @n of them, or as many as there are. */
DetourDescriptors *detour_descriptors_new (guint n);
void detour_descriptors_free (DetourDescriptors *self);

/* Gives up @n of the reserve, or what is left of it, for descriptors that are opened next. */
void detour_descriptors_lend (DetourDescriptors *self, guint n);
/* Fills the reserve up again, as far as it goes. TRUE: it is full. */
gboolean detour_descriptors_refill (DetourDescriptors *self);

/* How many descriptors the process may still open; those of a reserve count as used. The count is
 * up to a second old, or more where counting takes long. */
guint64 detour_descriptors_left (void);

/* How many the process may have, as the limit is now; it may be changed from outside. Any thread.
 */
guint64 detour_descriptors_max (void);

/* Whether a program that comes in the place of this one gets @fd. Nothing happens when @fd is not
 * open. Any thread. */
void detour_descriptors_inherit (int fd, gboolean inherit);

G_END_DECLS
