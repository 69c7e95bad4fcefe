/* detour-login.h: the two boxes by which client and server know each other.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-clientinfo.h"

G_BEGIN_DECLS

#define DETOUR_LOGIN_NONCE_SIZE 24u
#define DETOUR_LOGIN_TAG_SIZE   16u
/* Payload of a ClientInfo frame. */
#define DETOUR_LOGIN_CLIENT_INFO_MIN \
  (DETOUR_KEY_SIZE + DETOUR_LOGIN_NONCE_SIZE + DETOUR_LOGIN_TAG_SIZE)
#define DETOUR_LOGIN_CLIENT_INFO_MAX (DETOUR_LOGIN_CLIENT_INFO_MIN + DETOUR_CLIENTINFO_TEXT_MAX)
/* The whole ServerInfo frame. */
#define DETOUR_LOGIN_SERVER_INFO_TEXT \
  "{\"version\":" G_STRINGIFY (DETOUR_FRAME_PROTOCOL_VERSION) "}"
#define DETOUR_LOGIN_SERVER_INFO_SIZE                                         \
  (DETOUR_FRAME_HEADER_SIZE + DETOUR_LOGIN_NONCE_SIZE + DETOUR_LOGIN_TAG_SIZE \
   + sizeof DETOUR_LOGIN_SERVER_INFO_TEXT - 1)

/* An accepted ClientInfo. `shared` is a secret: detour_login_clear(). */
typedef struct {
  DetourKey key;
  gboolean is_mesh; /* showed the right mesh key */
  gboolean is_prober;
  gboolean can_ack_pings;
  gboolean has_snake_case; /* see DetourClientInfo */
  char app_name[DETOUR_FRAME_APP_NAME_MAX + 1];
  guint8 shared[32]; /* of both keys, so that the costly part of a box is done once */
} DetourLogin;

/**
 * detour_login_parse:
 * @data: what the client sent, from the first byte after the HTTP head
 * @frame: as of detour_frame_parse()
 *
 * Finds the first frame of a client, which must be ClientInfo. A wrong type or length is BAD at
 * once.
 */
DetourFrameVerdict detour_login_parse (guint8 *data, gsize len, DetourFrame *frame)
    G_GNUC_WARN_UNUSED_RESULT;

/**
 * detour_login_open:
 * @payload: of the ClientInfo frame
 * @server_secret: the server's private key, 32 bytes
 * @mesh_key: (nullable): the key that makes a connection a mesh connection, 32 bytes; NULL or zero:
 * none does
 * @login: where to put the result
 * @reason: where to put a static text on failure
 *
 * Thread: any; touches nothing but its arguments. Takes about 50 µs.
 * Returns: FALSE when the connection must be closed; @login holds no secret then.
 */
gboolean detour_login_open (const guint8 *payload, gsize len, const guint8 *server_secret,
                            const guint8 *mesh_key, DetourLogin *login, const char **reason)
    G_GNUC_WARN_UNUSED_RESULT;

/**
 * detour_login_server_info:
 * @nonce: (nullable): 24 bytes never used before with this client; NULL: random ones
 * @out: DETOUR_LOGIN_SERVER_INFO_SIZE bytes
 *
 * Writes the ServerInfo frame that answers @login.
 */
void detour_login_server_info (const DetourLogin *login, const guint8 *nonce, guint8 *out);

/* Wipes the secret. */
void detour_login_clear (DetourLogin *login);

G_END_DECLS
