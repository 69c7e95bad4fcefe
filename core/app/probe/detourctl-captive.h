/* detourctl-captive.h: the question by which clients find out that they are behind a captive
 * portal.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* What clients take for the answer of no captive portal. */
#define DETOURCTL_CAPTIVE_STATUS 204u

/**
 * detourctl_captive_ask:
 * @port: a plain one
 * @limit_us: of each step
 * @status: (out): of HTTP
 * @is_response: (out): whether the answer has the response to the challenge
 *
 * Asks for /generate_204 with a challenge. Blocks; any thread.
 *
 * Returns: FALSE with @error set: no answer came.
 */
gboolean detourctl_captive_ask (GInetAddress *address, guint16 port, gint64 limit_us, guint *status,
                                gboolean *is_response, GError **error);

G_END_DECLS
