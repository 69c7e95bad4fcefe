/* detour-event-list.h: lists of events for callers, and events as they happen for those who
 * subscribed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "detour-events.h"

G_BEGIN_DECLS

typedef struct _DetourEventList DetourEventList;

/* @path: of the object that emits; @file: (nullable): where more of them are. Main thread, like all
 * that follows. */
DetourEventList *detour_event_list_new (const char *path, const char *file);
/* Answers that are being made are waited for. */
void detour_event_list_free (DetourEventList *self);

/* ListEvents(), Subscribe() and Unsubscribe(). */
void detour_event_list_answer (DetourEventList *self, GVariant *options,
                               GDBusMethodInvocation *call);
void detour_event_list_subscribe (DetourEventList *self, GDBusMethodInvocation *call);
void detour_event_list_unsubscribe (DetourEventList *self, GDBusMethodInvocation *call);

/* An event as a dictionary, floating. Any thread. */
GVariant *detour_event_list_make_row (const DetourEvent *event);

G_END_DECLS
