/* detour-log.h: where log messages go: to the log instances that run, or to standard error while
 * there is none.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

/* A message that is about an event of doc/events.md and needs no other field. */
#define detour_log_event(level, event, ...) \
  g_log_structured (G_LOG_DOMAIN, (level), DETOUR_LOG_EVENT, (event), "MESSAGE", __VA_ARGS__)

/* Beside DETOUR_LOG_KEY, and hidden like it: the key that the same node had before. */
#define DETOUR_LOG_KEY_BEFORE "DETOUR_KEY_BEFORE"

/* Whether any log writes messages of @level now: saves making those that none would. */
gboolean detour_log_wants (GLogLevelFlags level);

/* Takes over GLib's log writer. Once, at the start of a program. */
void detour_log_init (void);

/**
 * detour_log_add_sink:
 * @funcs: (not nullable)
 * @self: what they are called with
 * @least: the least grave level it wants, one bit; graver ones are smaller
 * @privacy: how much of keys and addresses it writes; the memory of the log keeps no more than that
 *
 * Any thread, like everything here. What neither a sink nor the memory of the log wants costs
 * next to nothing. What a sink itself logs as a structured
 * message goes to standard error; with g_log() GLib would end the program.
 */
void detour_log_add_sink (const DetourLogFuncs *funcs, gpointer self, GLogLevelFlags least,
                          DetourLogPrivacy privacy);

/* No write to the sink is under way when this returns, and none follows. */
void detour_log_remove_sink (gpointer self);

/* Writes how often the last message was repeated, if it was. */
void detour_log_flush (void);

/* @level: one bit: the level for all sinks instead of their configured ones; 0: those again. */
void detour_log_set_override (GLogLevelFlags level);
GLogLevelFlags detour_log_override (void);

/* "debug" to "critical". */
gboolean detour_log_level_from_name (const char *name, GLogLevelFlags *level)
    G_GNUC_WARN_UNUSED_RESULT;
/* "debug", "info", "message", "warning", "critical" or "error". */
const char *detour_log_level_name (GLogLevelFlags level);

/* DETOUR_CONN gives conn, MESSAGE_ID gives message_id; NULL for fields that are left out of lines.
 * Free with g_free(). */
char *detour_log_short_name (const char *name);

/* Whether @c may be shown as it is: what a reader would not see, or what makes him see a text in
 * another order than it is in, may not. */
gboolean detour_log_may_show (gunichar c);

/* @text (array length=len) as one line: what may not be shown and what is not UTF-8 as \xNN; free
 * with g_free(). */
char *detour_log_escape (const char *text, gssize len);

G_END_DECLS
