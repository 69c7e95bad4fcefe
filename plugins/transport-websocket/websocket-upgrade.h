/* websocket-upgrade.h: the request that asks for a WebSocket (RFC 6455, 4.2).
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

/* The subprotocol that stands for DERP. */
#define WEBSOCKET_PROTOCOL "derp"

/**
 * websocket_upgrade_answer:
 * @request: whose header Upgrade is `websocket`
 * @response: completed, either with what the client wants to see or with the refusal
 *
 * Returns: whether a WebSocket begins.
 */
gboolean websocket_upgrade_answer (const DetourHttpRequest *request, DetourHttpResponse *response);

G_END_DECLS
