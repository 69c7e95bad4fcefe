/* detour-sources.h: how many connections come from one address.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An IPv6 source is its first 64 bits: that is what one customer has. Any thread; never used for
 * packets. */
#pragma once

#include <glib.h>
#include <sys/socket.h>

G_BEGIN_DECLS

typedef struct _DetourSources DetourSources;

/* What a counted connection keeps, to be counted out again. All zero: not counted. */
typedef struct {
  guint64 high, low; /* halves of the address, IPv4 as ::ffff:a.b.c.d */
} DetourSource;

DetourSources *detour_sources_new (void);
void detour_sources_free (DetourSources *self);

/**
 * detour_sources_enter:
 * @limit: connections that one source may have; 0: it is not counted
 * @source: (out): for detour_sources_leave()
 *
 * Returns: FALSE when the source has @limit connections already; nothing was counted then.
 */
gboolean detour_sources_enter (DetourSources *self, const struct sockaddr *peer, guint limit,
                               DetourSource *source) G_GNUC_WARN_UNUSED_RESULT;

/* Once for each enter() that returned TRUE; @source is cleared. */
void detour_sources_leave (DetourSources *self, DetourSource *source);

/* Whether both count as one. */
gboolean detour_sources_same (const struct sockaddr *a, const struct sockaddr *b);

/* Sources with a connection. */
guint detour_sources_size (DetourSources *self);

G_END_DECLS
