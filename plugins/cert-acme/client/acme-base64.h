/* acme-base64.h: base64url as ACME wants it, and what people make of it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* base64url without padding. */
char *acme_base64_encode (gconstpointer data, gsize len);

/* base64url or base64, with or without padding, blanks at both ends allowed. NULL: it is neither,
 * or empty. */
guint8 *acme_base64_decode (const char *text, gsize *len);

/* Whether all of @text are letters of base64url, 1 to @len_max of them. */
gboolean acme_base64_is_token (const char *text, gsize len_max);

G_END_DECLS
