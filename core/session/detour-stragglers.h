/* detour-stragglers.h: connections that could not go along to a new program, and are closed one by
 * one.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Their record layers are gone, so nothing is said to them. They are closed at random moments
 * within some seconds, so that not all of them come back at the same time; refused clients, who are
 * kept in silence anyway, when their time is over. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _DetourStragglers DetourStragglers; /* main thread */

DetourStragglers *detour_stragglers_new (void);
/* Closes all that are left. */
void detour_stragglers_free (DetourStragglers *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourStragglers, detour_stragglers_free)

/* @fd: taken; closed within @within_us */
void detour_stragglers_add (DetourStragglers *self, int fd, gint64 within_us);
/* The same at @end_us, monotonic. */
void detour_stragglers_keep (DetourStragglers *self, int fd, gint64 end_us);
guint detour_stragglers_count (const DetourStragglers *self);

typedef void (*DetourStragglersFunc) (int fd, gint64 end_us, gpointer user);

/* Those that are left, for a program that keeps them on: each stays open here. */
void detour_stragglers_each (const DetourStragglers *self, DetourStragglersFunc func,
                             gpointer user);

G_END_DECLS
