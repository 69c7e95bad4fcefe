/* detourctl-format.h: numbers, times and texts as people read them.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure, but for the language. All results are freed with g_free(). */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* 1,284 */
char *detourctl_format_count (guint64 value);
/* 212 Mbit/s out of bytes in a time */
char *detourctl_format_rate (guint64 bytes, guint64 duration_us);
/* 3.4 MiB */
char *detourctl_format_size (guint64 bytes);
/* 26,400, or 0.3 when it is small */
char *detourctl_format_per_second (guint64 n, guint64 duration_us);
/* 0.02 %, or 0 % */
char *detourctl_format_share (guint64 part, guint64 whole);
/* 3 days, 26 hours, 90 seconds: the largest unit of which there are two */
char *detourctl_format_duration (guint64 us);
/* 0.8 ms, 1.2 s */
char *detourctl_format_latency (guint64 us);
/* 3d 4h, 12m, 5s */
char *detourctl_format_age (guint64 us);
/* 2026-11-25T00:29:13Z */
char *detourctl_format_time (guint64 us);

/* "12,431 clients kept and 1 link of the mesh" */
char *detourctl_format_kept (guint64 n_clients, guint64 n_links);
/* "… and 1 link of the mesh", or @clients alone where there is none. */
char *detourctl_format_links (const char *clients, guint64 n_links);

/* @text in one line, with control characters escaped, so that a terminal obeys nothing in it. */
char *detourctl_format_safe (const char *text);

/* @text without a full stop at its end, for what goes on behind it. */
char *detourctl_format_clause (const char *text);

/* @text in at most @width columns, 3 or more: of a longer one the middle is left out. */
char *detourctl_format_middle (const char *text, guint width);

/* @text as one word of a shell, in quotes when it needs them. */
char *detourctl_format_word (const char *text);

/* Columns that @text takes. */
guint detourctl_format_width (const char *text);

/* @text broken into lines of at most @width columns, all but the first with @indent blanks in
 * front, which count. A word that is longer has a line of its own. A no-break space holds two words
 * together and becomes a space: what is copied from the terminal can be pasted into a command. */
char *detourctl_format_wrap (const char *text, guint first, guint indent, guint width);

G_END_DECLS
