/* detour-event-file.h: keeps events on disk, so that they can be asked for after a restart.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A thread of its own writes what has happened about a second later; no other thread waits for the
 * disk. There are two parts: when one has half of the room it becomes FILE.1, and the part that was
 * there before is gone. */
#pragma once

#include "detour-events.h"

G_BEGIN_DECLS

typedef struct _DetourEventFile DetourEventFile;

/* Main thread. */
DetourEventFile *detour_event_file_new (const char *path, guint64 size_max,
                                        DetourLogPrivacy privacy);
/* Writes what is left, and nothing more before detour_event_file_go_on(). Main thread. */
void detour_event_file_pause (DetourEventFile *self);
/* While it pauses: what was noted up to now is in the file already, if it happened before that
 * time. */
void detour_event_file_skip (DetourEventFile *self, gint64 before_real_us);
void detour_event_file_go_on (DetourEventFile *self);
/* Writes what is left. */
void detour_event_file_free (DetourEventFile *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourEventFile, detour_event_file_free)

/**
 * detour_event_file_read:
 * @digits: (nullable): first hex digits of a key, lower case; NULL: all events
 * @from_us, @until_us: Unix time; those that happened in between
 * @most: the last so many
 *
 * Reads both parts; a line that is none is left out. Any thread that may wait for a disk.
 *
 * Returns: (transfer full): of DetourEvent, in the order of the file.
 */
GPtrArray *detour_event_file_read (const char *path, const char *digits, gint64 from_us,
                                   gint64 until_us, guint most);

G_END_DECLS
