/* debug-pages.h: the thread that writes pages, and the requests that wait for it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It is started with the first request, and rests until the next one comes. */
#pragma once

#include "debug-page.h"
#include "detour-plugin.h"

G_BEGIN_DECLS

/* Requests that wait at a time; more are answered 503. */
#define DEBUG_PAGES_WAITING_MAX 16u

typedef struct _DebugPages DebugPages;

/* Main thread. @ring, @ring_lock: borrowed */
DebugPages *debug_pages_new (DetourHost *host, const DebugRing *ring, GMutex *ring_lock);
/* Main thread: ends the thread. */
void debug_pages_free (DebugPages *self);

/* From a handler: @response gets the page @cls later. Any thread. */
void debug_pages_ask (DebugPages *self, const DebugPageClass *cls, DetourHttpResponse *response);

/* Adds the headers that every page has. */
void debug_pages_add_headers (DetourHttpResponse *response);

G_END_DECLS
