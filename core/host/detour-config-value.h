/* detour-config-value.h: the text of one value, parsed strictly by the type of its key.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-plugin.h"

G_BEGIN_DECLS

typedef struct {
  char *string;   /* STRING, PATH, ENUM, ADDRESS, CIDR without LIST: escapes resolved */
  GStrv list;     /* keys with LIST */
  guint64 number; /* BOOL 0 or 1; UINT; DURATION in milliseconds; SIZE and RATE in bytes; 0 for a
                     limit that is off, DETOUR_CONFIG_AUTOMATIC for `auto` */
} DetourConfigValue;

/**
 * detour_config_value_parse:
 * @key: what the value has to be
 * @text: as written in the file, valid UTF-8
 * @out: (out): cleared with detour_config_value_clear()
 *
 * Pure, but for a path that begins with the folder of credentials, see
 * detour-config-credentials.h. @error says what was found and what was expected, without the place.
 */
gboolean detour_config_value_parse (const DetourConfigKey *key, const char *text,
                                    DetourConfigValue *out, GError **error);
void detour_config_value_clear (DetourConfigValue *self);

/* A word for the type, for people: "duration". */
const char *detour_config_type_name (DetourConfigType type);

/* Milliseconds as a duration and bytes as a size, as they would be written; free with g_free(). */
char *detour_config_format_duration (guint64 ms);
char *detour_config_format_size (guint64 bytes);
/* @value in the form of @type, whose values are numbers. */
char *detour_config_format_number (DetourConfigType type, guint64 value);

G_END_DECLS
