/* detour-subscribers.h: callers that asked for a signal, and get it until they go.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Main thread, like all that follows. */
typedef struct _DetourSubscribers DetourSubscribers;

typedef struct {
  const char *signal; /* of the Manager */
  guint every_ms;
  void (*begin) (gpointer user); /* somebody came after a time without subscribers */
  void (*look) (gpointer user);  /* every @every_ms, while there is a subscriber */
} DetourSubscribersFuncs;

/* @path: of the object that emits; @funcs: kept, not copied */
DetourSubscribers *detour_subscribers_new (const char *path, const DetourSubscribersFuncs *funcs,
                                           gpointer user);
void detour_subscribers_free (DetourSubscribers *self);

/**
 * detour_subscribers_add:
 * @data: (nullable): taken: what the caller wants, kept with it; of a caller that is one already it
 *   takes the place of what was kept before
 *
 * Makes the caller of @call a subscriber, until it is removed or its connection ends. Answers
 * @call, with an error when there are too many.
 */
void detour_subscribers_add (DetourSubscribers *self, GDBusMethodInvocation *call, gpointer data,
                             GDestroyNotify free_data);
/* Answers @call, also when its caller was none. */
void detour_subscribers_remove (DetourSubscribers *self, GDBusMethodInvocation *call);

guint detour_subscribers_n (const DetourSubscribers *self);
gpointer detour_subscribers_data (const DetourSubscribers *self, guint i);

/* To subscriber @i, or to all of them. @arguments: a tuple; taken when it is floating */
void detour_subscribers_tell (DetourSubscribers *self, guint i, GVariant *arguments);
void detour_subscribers_tell_all (DetourSubscribers *self, GVariant *arguments);

G_END_DECLS
