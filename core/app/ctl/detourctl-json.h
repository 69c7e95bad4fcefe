/* detourctl-json.h: writes JSON as it comes, without building it first: a document on standard
 * output, or a text.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl.h"

G_BEGIN_DECLS

typedef struct _DetourctlJson DetourctlJson;

/* One value, which is appended to @out. */
DetourctlJson *detourctl_json_new (GString *out);
/* Ends it with a line feed. */
void detourctl_json_finish (DetourctlJson *self);

/* Standard output: an object, whose members follow. */
DetourctlJson *detourctl_json_begin_document (void);
/* Ends the document. Returns: @exit, but FAILED instead of GOOD when it could not be written. */
DetourctlExit detourctl_json_end_document (DetourctlJson *self, DetourctlExit exit);

/* @name: (nullable): of the member; NULL in an array and for the outermost value. */
void detourctl_json_begin_object (DetourctlJson *self, const char *name);
void detourctl_json_end_object (DetourctlJson *self);
void detourctl_json_begin_array (DetourctlJson *self, const char *name);
void detourctl_json_end_array (DetourctlJson *self);
void detourctl_json_text (DetourctlJson *self, const char *name,
                          const char *value); /* valid UTF-8; NULL: null */
/* An array of texts. @values: of char * */
void detourctl_json_texts (DetourctlJson *self, const char *name, const GPtrArray *values);
void detourctl_json_number (DetourctlJson *self, const char *name, guint64 value);
void detourctl_json_signed (DetourctlJson *self, const char *name, gint64 value);
void detourctl_json_real (DetourctlJson *self, const char *name, double value); /* finite */
void detourctl_json_flag (DetourctlJson *self, const char *name, gboolean value);
/* Microseconds since 1970 as an RFC 3339 time; 0: null. */
void detourctl_json_time (DetourctlJson *self, const char *name, guint64 us);

/* A value of D-Bus: texts, numbers, flags, arrays and dictionaries of them. Members named in @times
 * are times. */
void detourctl_json_variant (DetourctlJson *self, const char *name, GVariant *value,
                             const char *const *times);

/* Prints a value on a line of its own. */
void detourctl_json_print_line (GVariant *value, const char *const *times);

/* Properties of an object, with names as JSON has them: "StartTime" is "start_time". For inside of
 * an object. */
void detourctl_json_properties (DetourctlJson *self, GVariant *properties);
/* All objects with an interface as an array. */
void detourctl_json_objects (DetourctlJson *self, const char *name, GVariant *objects,
                             const char *interface);

/* Documents that are one object with one member. */
DetourctlExit detourctl_json_print_objects (const char *name, GVariant *objects,
                                            const char *interface);
DetourctlExit detourctl_json_print_variant (const char *name, GVariant *value,
                                            const char *const *times);

G_END_DECLS
