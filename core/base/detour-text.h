/* detour-text.h: texts of strangers, made fit to be shown.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * detour_text_tidy:
 * @text: (nullable): any bytes
 * @max: characters that are kept
 *
 * Returns: (nullable): one line of valid UTF-8 that can be printed, without spaces at its ends;
 *   NULL when nothing is left. Free with g_free().
 */
char *detour_text_tidy (const char *text, guint max);

/* Whether a reader sees nothing where @c stands, or the characters around it in another order than
 * they are in: control characters, ends of lines, marks of direction, blanks without width. The two
 * joiners are none of them, which Persian and pictures need. */
gboolean detour_text_is_hidden (gunichar c);

/* The first character of @text, valid UTF-8, that is hidden; 0: there is none. */
gunichar detour_text_find_hidden (const char *text);

G_END_DECLS
