/* detour-key.h: public keys and their text forms.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <string.h>

#include "detour-plugin.h"

G_BEGIN_DECLS

/* Hex digits of a key, without the end of the string. */
#define DETOUR_KEY_HEX_SIZE (2 * DETOUR_KEY_SIZE)

/* A node's or server's public key, raw as on the wire. */
typedef struct {
  guint8 bytes[DETOUR_KEY_SIZE];
} DetourKey;

static inline gboolean
detour_key_equal (const DetourKey *a, const DetourKey *b)
{
  return memcmp (a->bytes, b->bytes, DETOUR_KEY_SIZE) == 0;
}

gboolean detour_key_is_zero (const DetourKey *self);

/* Lower-case hex and a NUL into @out. */
void detour_key_to_hex (const DetourKey *self, char out[DETOUR_KEY_HEX_SIZE + 1]);

/* "nodekey:" and 64 hex digits; free with g_free(). */
char *detour_key_to_text (const DetourKey *self);

/**
 * detour_key_parse:
 * @text: @prefix and exactly 64 hex digits in either case
 * @prefix: "nodekey:", "privkey:" or ""
 *
 * Returns: FALSE when the text has another form; @self is undefined then.
 */
gboolean detour_key_parse (DetourKey *self, const char *text, const char *prefix)
    G_GNUC_WARN_UNUSED_RESULT;

/* The first eight hex digits, for logs; @out gets a NUL. */
void detour_key_to_short (const DetourKey *self, char out[9]);

G_END_DECLS
