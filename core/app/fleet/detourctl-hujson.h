/* detourctl-hujson.h: edits JSON with comments in place: whatever is not changed stays as its
 * author wrote it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure functions over one text, whose outermost value is an object. A path has the names of members
 * from there on, whatever the case of their letters, and ends with NULL; "#2" is the third element
 * of a list. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define DETOURCTL_HUJSON_ERROR (detourctl_hujson_error_quark ())
GQuark detourctl_hujson_error_quark (void);

/**
 * detourctl_hujson_set:
 * @json: a value, which is laid out like the lines around it
 *
 * Objects on the way that are not there are made. Comments, the order of members and commas at the
 * end of lists stay; where the value is the same already, nothing changes.
 *
 * Returns: (transfer full): the new text; NULL with @error, when @text is not well-formed, has a
 * name of the path twice in one object, or something else than an object or a list on the way
 */
char *detourctl_hujson_set (const char *text, gsize len, const char *const *path, const char *json,
                            GError **error);

/* Takes a member of an object away, comments beside it not; the same text when it is not there. */
char *detourctl_hujson_remove (const char *text, gsize len, const char *const *path,
                               GError **error);

/* The value without comments and blanks; NULL: it is not there, or @text is not well-formed. */
char *detourctl_hujson_get (const char *text, gsize len, const char *const *path);
/* What a string says, without quotes and escapes; NULL: there is none, or something else. */
char *detourctl_hujson_get_text (const char *text, gsize len, const char *const *path);

G_END_DECLS
