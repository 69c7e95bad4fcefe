/* detourctl-host.h: whether a text is the name or address of a host.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whether clients could look @text up and put it into a Host header: a DNS name, or an address
 * without a port. */
gboolean detourctl_host_is_good (const char *text);

G_END_DECLS
