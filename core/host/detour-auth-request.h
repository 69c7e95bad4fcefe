/* detour-auth-request.h: one client that asks to come in, as the auth instances see it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * DetourAuthRequest itself is in detour-plugin.h. A request is made once, where the client's login
 * was read, and passed on by reference from there. */
#pragma once

#include <glib.h>

#include "detour-key.h"
#include "detour-plugin.h"

G_BEGIN_DECLS

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourAuthRequest, detour_auth_request_unref)

/**
 * detour_auth_request_new:
 * @fields: copied; texts may be NULL where they are unknown
 *
 * Any thread.
 */
DetourAuthRequest *detour_auth_request_new (const DetourAuthRequest *fields);

/* Everything is the same, the key included. */
gboolean detour_auth_request_equal (const DetourAuthRequest *a, const DetourAuthRequest *b);
/* Of everything, see detour-secret-hash.h. */
guint64 detour_auth_request_hash (const DetourAuthRequest *self);

/* The same with a secret of the caller (crypto_shorthash_KEYBYTES), so that it can outlast the
 * process. */
guint64 detour_auth_request_keyed_hash (const DetourAuthRequest *self, const guint8 *secret);

static inline const DetourKey *
detour_auth_request_key (const DetourAuthRequest *self)
{
  return (const DetourKey *) self->key;
}

G_END_DECLS
