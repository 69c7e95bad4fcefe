/* detour-config-file.h: reads one configuration file into groups and keys with their line numbers.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config-errors.h"

G_BEGIN_DECLS

#define DETOUR_CONFIG_FILE_MAX (1024u * 1024u) /* bytes of a file */
#define DETOUR_CONFIG_LINE_MAX 16384u          /* bytes of a line */

typedef struct {
  char *key;
  char *value; /* as written, without the blanks around it; escapes untouched; valid UTF-8 */
  guint line;  /* from 1 */
} DetourConfigEntry;

typedef struct {
  char *name; /* words between the brackets with one blank between them */
  guint line;
  GArray *entries; /* DetourConfigEntry, in order */
} DetourConfigGroup;

typedef struct {
  char *name;         /* of the file, for messages */
  GPtrArray *groups;  /* DetourConfigGroup, in order */
  gboolean is_unread; /* as a whole */
} DetourConfigFile;

/**
 * detour_config_file_parse:
 * @name: for messages
 * @data: (array length=len): anything; nothing is trusted
 * @errors: what is wrong is added here
 *
 * Pure. The syntax of key files: `[group]`, `key=value`, lines that begin with `#` or `;` are
 * comments. A group or key that comes twice is an error, because only one of them would count.
 *
 * Returns: (transfer full): what could be read, also when there were errors.
 */
DetourConfigFile *detour_config_file_parse (const char *name, const char *data, gsize len,
                                            DetourConfigErrors *errors);

/* Free with detour_config_file_free(). One key that stands in no file, under the line 0. @value:
 * valid UTF-8 without line breaks */
DetourConfigFile *detour_config_file_of_one (const char *name, const char *group, const char *key,
                                             const char *value, DetourConfigErrors *errors);

/**
 * detour_config_file_load:
 *
 * Reads a file from disk and parses it.
 *
 * Returns: (transfer full): without anything when it cannot be read, which is in @errors then.
 */
DetourConfigFile *detour_config_file_load (const char *path, DetourConfigErrors *errors);

void detour_config_file_free (DetourConfigFile *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourConfigFile, detour_config_file_free)

G_END_DECLS
