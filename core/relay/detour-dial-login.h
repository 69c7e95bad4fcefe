/* detour-dial-login.h: the two boxes of a login from the client's side, for links to other relays.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-login.h"

G_BEGIN_DECLS

/* Who logs in, and where. `shared` is a secret: detour_dial_login_clear(). */
typedef struct {
  DetourKey own;
  DetourKey server;
  guint8 shared[32];  /* of both keys */
  gboolean is_prober; /* says so of itself; FALSE until somebody sets it */
} DetourDialLogin;

/**
 * detour_dial_login_begin:
 * @secret: 32 bytes, the private half of @own
 * @server: as the ServerKey frame said
 *
 * Returns: FALSE when the server's key is one that nobody can have.
 */
gboolean detour_dial_login_begin (DetourDialLogin *self, const DetourKey *own, const guint8 *secret,
                                  const DetourKey *server) G_GNUC_WARN_UNUSED_RESULT;

/**
 * detour_dial_login_client_info:
 * @mesh_key: (nullable): 32 bytes, shown to the server
 * @out: the whole ClientInfo frame is appended
 */
void detour_dial_login_client_info (const DetourDialLogin *self, const guint8 *mesh_key,
                                    GByteArray *out);

/* Whether the payload of a ServerInfo frame was sealed by who has the server's key. */
gboolean detour_dial_login_is_server (const DetourDialLogin *self, const guint8 *payload, gsize len)
    G_GNUC_WARN_UNUSED_RESULT;

/* Wipes the secret. */
void detour_dial_login_clear (DetourDialLogin *self);

G_END_DECLS
