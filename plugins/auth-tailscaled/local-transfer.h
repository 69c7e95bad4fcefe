/* local-transfer.h: a transfer over the socket of a tailscaled, as every request to it begins.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <curl/curl.h>
#include <glib.h>

G_BEGIN_DECLS

/* What stands before the path of a request. It answers 403 to any other name. */
#define LOCAL_TRANSFER_BASE "http://local-tailscaled.sock/localapi/v0/"

/* Whether libcurl knows sockets of Unix. One that does not, as routers may have it, would look for
 * the host of the URL in the network instead. */
gboolean local_transfer_is_possible (void);

/* Returns: (transfer full): an easy handle for @url at @socket, which needs no proxy and follows no
 * redirect; both are copied. It has no limit of time yet. */
CURL *local_transfer_new (const char *socket, const char *url);

G_END_DECLS
