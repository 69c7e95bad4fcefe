/* detourctl-document.h: a tree of values, read from JSON, JSON with comments, or YAML.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A longer text is refused, and so is one with more values or deeper nesting. */
#define DETOURCTL_DOCUMENT_BYTES_MAX  (4u << 20)
#define DETOURCTL_DOCUMENT_VALUES_MAX 100000u
#define DETOURCTL_DOCUMENT_DEPTH_MAX  32u

typedef enum {
  DETOURCTL_VALUE_NULL,
  DETOURCTL_VALUE_FLAG,
  DETOURCTL_VALUE_NUMBER,
  DETOURCTL_VALUE_TEXT,
  DETOURCTL_VALUE_LIST,
  DETOURCTL_VALUE_OBJECT,
} DetourctlValueType;

typedef struct _DetourctlValue DetourctlValue;
struct _DetourctlValue {
  DetourctlValueType type;
  guint line; /* 1: the first one */
  char *name; /* of a member; NULL for others */
  char *text; /* of a TEXT, decoded; of a NUMBER or FLAG as it is written; NULL for others */
  gboolean flag;
  gboolean is_plain_name; /* YAML: the name has no quotes */
  GPtrArray *values; /* of DetourctlValue: members, of which several may have one name, or elements;
                        NULL for others */
};

typedef enum {
  DETOURCTL_DOCUMENT_JSON,
  DETOURCTL_DOCUMENT_HUJSON, /* it has comments or commas at the end of lists */
  DETOURCTL_DOCUMENT_YAML,
} DetourctlDocumentKind;

typedef struct {
  DetourctlDocumentKind kind;
  DetourctlValue *root;
} DetourctlDocument;

/**
 * detourctl_document_parse:
 * @text: any bytes; JSON when the first thing in it is `{`, or `"` for a member of an object
 * alone, else YAML; followed by a NUL
 *
 * Bounded in time and memory. Aliases of YAML are copies of what they stand for.
 *
 * Returns: (nullable): NULL with @error, whose message begins with the line: "12: expected a colon"
 */
DetourctlDocument *detourctl_document_parse (const char *text, gsize len, GError **error);
void detourctl_document_free (DetourctlDocument *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourctlDocument, detourctl_document_free)

/* The last member with that name; NULL: there is none, or @object is no OBJECT. */
const DetourctlValue *detourctl_value_member (const DetourctlValue *object, const char *name);
/* An integer in decimal digits; FALSE for anything else. */
gboolean detourctl_value_integer (const DetourctlValue *self, gint64 *out);

/* For the readers of the formats -----------------------------------------------------------------
 */

#define DETOURCTL_DOCUMENT_ERROR (detourctl_document_error_quark ())
GQuark detourctl_document_error_quark (void);

DetourctlValue *detourctl_value_new (DetourctlValueType type, guint line);
void detourctl_value_free (DetourctlValue *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourctlValue, detourctl_value_free)

/* Comments of JSON, and commas before a closing bracket, become blanks, so that all else keeps its
 * place. Returns whether there were any. A comment that does not end is left to the parser. */
gboolean detourctl_document_blank (char *text, gsize len);

DetourctlValue *detourctl_document_read_json (const char *text, gsize len, gboolean *is_hujson,
                                              GError **error);
DetourctlValue *detourctl_document_read_yaml (const char *text, gsize len, GError **error);

G_END_DECLS
