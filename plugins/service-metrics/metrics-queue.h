/* metrics-queue.h: requests that wait for a text which only the main thread can write.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Those that wait at the same time get the same text, and one that was just written serves those
 * that come right after it. So however many ask, the main thread is little busy with them. */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

/* A text that was written. */
typedef struct {
  const char *content_type; /* static */
  GString *text;            /* (transfer full) */
} MetricsPage;

/* Main thread: writes the text with the number @kind. */
typedef void (*MetricsWrite) (gpointer user, guint kind, MetricsPage *page);

typedef struct _MetricsQueue MetricsQueue;

/* @n_kinds: how many texts there are */
MetricsQueue *metrics_queue_new (DetourHost *host, guint n_kinds, MetricsWrite write,
                                 gpointer user);
/* Nobody waits any more: the instance stops. */
void metrics_queue_free (MetricsQueue *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MetricsQueue, metrics_queue_free)

/* Handler of a route: answers @response with the text @kind later, or at once with 503 when too
 * many wait. Any thread. */
void metrics_queue_ask (MetricsQueue *self, guint kind, DetourHttpResponse *response);

G_END_DECLS
