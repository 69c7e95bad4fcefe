/* acme-confine.h: takes from this process what a run does not need.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Before anything is read: keys stay out of core dumps, no program that is started may have more
 * rights, and memory, processor time and descriptors are limited. */
void acme_confine_start (void);

/* The end of the run if all other limits failed, in the seconds that are given. */
void acme_confine_end_after (gint64 seconds);

G_END_DECLS
