/* detour-log-memory.h: the last lines of the log, for who has no journal.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A memory of a bounded size that forgets the oldest lines. Lines are masked before they are kept,
 * as the log instance does it that masks most. Any thread, for all functions here: the lock is held
 * for as long as it takes to put a finished line in, or to take references to some. */
#pragma once

#include "detour-plugin.h"
#include "detour-record.h"

G_BEGIN_DECLS

/* The size as long as nobody set another. */
#define DETOUR_LOG_MEMORY_BYTES (256u * 1024u)

typedef struct {
  guint64 number; /* 1 for the first one of the process */
  gint64 real_us;
  GLogLevelFlags level; /* one bit */
  gsize len;
  char texts[]; /* domain, message, and name and value of each field, all valid UTF-8; each ends
                   with a NUL */
} DetourLogLine;

/* @bytes: of all lines together, with what they cost to keep; 0: none are kept. */
void detour_log_memory_set_size (gsize bytes);
gboolean detour_log_memory_is_on (void);

/* @privacy: how much of keys and addresses is kept. */
void detour_log_memory_add (const DetourLogRecord *record, DetourLogPrivacy privacy);

/* Number of the newest line; 0: there was none yet. */
guint64 detour_log_memory_last (void);

/**
 * detour_log_memory_read:
 * @after: number of the line before the first one
 * @least: the least grave level, one bit
 * @max: lines; the first ones, or with @newest the last ones
 * @next: (out): what to pass as @after to go on
 * @lost: (out): lines behind @after that are not kept any more
 *
 * Returns: (element-type DetourLogLine): free with g_ptr_array_unref().
 */
GPtrArray *detour_log_memory_read (guint64 after, GLogLevelFlags least, guint max, gboolean newest,
                                   guint64 *next, guint64 *lost);

/* One item with all lines behind that number. Main thread, as the next one. */
void detour_log_memory_write (DetourRecord *out, guint16 tag, guint64 after);
/* Puts the lines of such an item, of the program before, in front of those of this one, which
 * nobody has read yet. FALSE: it is damaged; what came before that is there. */
gboolean detour_log_memory_take (const DetourRecordItem *item);

/* The text behind @text, which is one of @line; NULL behind the last one. */
const char *detour_log_line_next (const DetourLogLine *line, const char *text);

G_END_DECLS
