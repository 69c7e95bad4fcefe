/* acme-json.h: members of JSON objects that a CA or a caller sent, of which nothing is certain.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* Longest text that is taken from a CA's objects, other than certificates and addresses. */
#define ACME_JSON_WORDS_MAX 2048

/* NULL: it is no JSON object, and @error is set. @text need not be terminated. */
JsonObject *acme_json_parse (const char *text, gsize len, gsize len_max, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

/* NULL when there is none of that name and type. A string is not empty. */
const char *acme_json_get_string (JsonObject *object, const char *name);
JsonObject *acme_json_get_object (JsonObject *object, const char *name);
JsonArray *acme_json_get_array (JsonObject *object, const char *name);
gboolean acme_json_get_true (JsonObject *object, const char *name);

/* A whole number from @min to @max, or @fallback. */
gint64 acme_json_get_int (JsonObject *object, const char *name, gint64 min, gint64 max,
                          gint64 fallback);

/* The strings of an array; others are left out. Never NULL. */
GStrv acme_json_get_strings (JsonObject *object, const char *name);

/* An object at @i of @array, or NULL. */
JsonObject *acme_json_element (JsonArray *array, guint i);

/* An object that is being written. */
JsonBuilder *acme_json_begin (void);
/* Leaves it out when @value is NULL. */
void acme_json_add (JsonBuilder *builder, const char *name, const char *value);
void acme_json_add_or_null (JsonBuilder *builder, const char *name, const char *value);
void acme_json_add_int (JsonBuilder *builder, const char *name, gint64 value);
void acme_json_add_bool (JsonBuilder *builder, const char *name, gboolean value);
/* Takes @builder, ends the object and gives its text in one line. */
char *acme_json_end (JsonBuilder *builder);

G_END_DECLS
