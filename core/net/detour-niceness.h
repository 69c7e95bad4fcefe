/* detour-niceness.h: how a thread gives way to others on the processor, or does not.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* For the calling thread, which has a loop. @nice: added to its niceness, see detour_loop_new() */
void detour_niceness_add (int nice);

G_END_DECLS
