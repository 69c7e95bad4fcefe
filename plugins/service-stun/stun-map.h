/* stun-map.h: addresses reported to clients of some networks instead of their observed address.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/socket.h>

G_BEGIN_DECLS

typedef struct _StunMap StunMap; /* immutable once filled; any thread */

StunMap *stun_map_new (void);
void stun_map_free (StunMap *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StunMap, stun_map_free)

/**
 * stun_map_add:
 * @text: NETWORK/BITS=ADDRESS or ADDRESS=ADDRESS, both of one family
 *
 * Returns: (nullable): what is wrong with @text, a static clause; NULL: nothing.
 */
const char *stun_map_add (StunMap *self, const char *text) G_GNUC_WARN_UNUSED_RESULT;

/**
 * stun_map_apply:
 * @source: where a request came from; an IPv4-mapped address counts as the IPv4 one
 * @told: (out): @source with the address of the narrowest network that has it; the port stays
 *
 * Returns: FALSE when no network has it; @told is a plain copy then.
 */
gboolean stun_map_apply (const StunMap *self, const struct sockaddr *source,
                         struct sockaddr_storage *told);

G_END_DECLS
