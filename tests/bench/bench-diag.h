/* bench-diag.h: what the kernel holds for the sockets of the server.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * bench_diag_send_bytes:
 * @port: of the server, in host order
 *
 * Returns: memory of all that waits in the kernel to be sent by TCP sockets of this machine whose
 * own port is @port, book-keeping included; 0 when the kernel does not tell.
 */
guint64 bench_diag_send_bytes (guint16 port);

G_END_DECLS
