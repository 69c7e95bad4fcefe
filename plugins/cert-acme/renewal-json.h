/* renewal-json.h: objects of JSON that came from a file or from the client program, of which
 * nothing is certain.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* The latest time that is believed, the end of the year 9999; Unix time in seconds. */
#define RENEWAL_JSON_TIME_MAX G_GINT64_CONSTANT (253402300799)

/* NULL with @error set: it is longer than @len_max, or no object. Free with json_object_unref(). */
JsonObject *renewal_json_parse (const char *text, gsize len, gsize len_max, GError **error);

/* NULL and 0 when it is missing, of another type or out of range. Texts are borrowed. */
const char *renewal_json_text (JsonObject *object, const char *name);
gint64 renewal_json_int (JsonObject *object, const char *name, gint64 min, gint64 max);

/* @text: (nullable): NULL: nothing is added. */
void renewal_json_put (JsonObject *object, const char *name, const char *text);

G_END_DECLS
