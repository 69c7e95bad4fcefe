/* detourctl-cert.h: one certificate of the daemon in words, out of its properties.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure, but for the language. All results are freed with g_free(). */
#pragma once

#include "detourctl.h"

G_BEGIN_DECLS

/* Whether there is one, and not only the wish for one. */
gboolean detourctl_cert_is_there (GVariant *cert);

/* All its names, separated by blanks. */
char *detourctl_cert_names (GVariant *cert);

/* "61 days left", "EXPIRED", "waiting for the first one", and what happens to it. */
char *detourctl_cert_describe_state (GVariant *cert, gint64 now_us);

/* Whether so much of its lifetime is over that an operator should look. */
gboolean detourctl_cert_ends_soon (GVariant *cert, gint64 now_us);

G_END_DECLS
