/* debug-link.h: the connection of the pages to the daemon.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All but the opening happens on the thread of the pages, which waits for answers of the main
 * thread with a limit. */
#pragma once

#include <gio/gio.h>

#include "debug-source.h"
#include "detour-plugin.h"

G_BEGIN_DECLS

/* How long a page may take in all; whoever asked is answered after 30 s in any case. */
#define DEBUG_LINK_PAGE_US (20 * G_USEC_PER_SEC)

typedef struct _DebugLink DebugLink;

/* @cancellable: ends all waits; borrowed */
DebugLink *debug_link_new (DetourHost *host, GCancellable *cancellable);
/* The thread of the pages is over. */
void debug_link_free (DebugLink *self);

/* On the thread of the pages, before a page: its time begins. */
DebugSource *debug_link_begin (DebugLink *self);
/* Nobody asks: the connection is closed. */
void debug_link_rest (DebugLink *self);

G_END_DECLS
