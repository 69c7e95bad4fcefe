/* detour-json.h: reads JSON of strangers strictly, before or instead of a parser that takes
 * everything.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Text is JSON as RFC 8259 has it, in valid UTF-8. Of what that allows, three things are refused,
 * because other parsers disagree on them: deep nesting, half surrogates (\ud800 alone) and \u0000.
 * Nothing here recurses or allocates. detour_json_check() in detour-plugin.h is the same for
 * plugins. */
#pragma once

#include <glib.h>

#include "detour-plugin.h"

G_BEGIN_DECLS

typedef enum {
  DETOUR_JSON_NULL,
  DETOUR_JSON_FALSE,
  DETOUR_JSON_TRUE,
  DETOUR_JSON_NUMBER,
  DETOUR_JSON_STRING,
  DETOUR_JSON_ARRAY,
  DETOUR_JSON_OBJECT,
} DetourJsonType;

/* Borrowed from the text: as it is written there, quotes and escapes included. */
typedef struct {
  DetourJsonType type;
  const char *text;
  gsize len;
} DetourJsonValue;

/* A member of the outermost object, in the order of the text; a name may come several times.
 * Returns: FALSE to stop. */
typedef gboolean (*DetourJsonMemberFunc) (const DetourJsonValue *name, const DetourJsonValue *value,
                                          gpointer user);

/**
 * detour_json_scan:
 * @text: one JSON value, white space around it allowed; need not be terminated
 * @depth_max: how deep arrays and objects may lie in each other, 0 to 64
 * @root: (out): the value
 * @func: (nullable): called for each member of @root when that is an object. It may be called
 * before a fault further on is found
 * @reason: (out): static text on failure; NULL when @func stopped it
 * @offset: (out) (nullable): where in @text the fault is
 *
 * Returns: TRUE when all of @text is well-formed.
 */
gboolean detour_json_scan (const char *text, gsize len, guint depth_max, DetourJsonValue *root,
                           DetourJsonMemberFunc func, gpointer user, const char **reason,
                           gsize *offset);

/* Calls @func for each member of an OBJECT or element of an ARRAY that detour_json_scan() has found
 * well-formed; @name is NULL for elements. FALSE when @func stopped it. */
gboolean detour_json_each (const DetourJsonValue *container, DetourJsonMemberFunc func,
                           gpointer user);

/* Decodes a STRING into @out, which has @size bytes, and terminates it. FALSE when it does not fit.
 */
gboolean detour_json_get_string (const DetourJsonValue *value, char *out, gsize size)
    G_GNUC_WARN_UNUSED_RESULT;

/* Reads a NUMBER that is written as an integer (no point, no exponent). FALSE for others and what
 * does not fit. */
gboolean detour_json_get_integer (const DetourJsonValue *value, gint64 *out)
    G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
