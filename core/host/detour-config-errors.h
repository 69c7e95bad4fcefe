/* detour-config-errors.h: the errors and warnings of a configuration, collected in one run.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define DETOUR_CONFIG_ERROR (detour_config_error_quark ())
GQuark detour_config_error_quark (void);

typedef enum {
  DETOUR_CONFIG_ERROR_VALUE,   /* the text of a value does not fit its type */
  DETOUR_CONFIG_ERROR_REFUSED, /* any other fault of the files */
} DetourConfigErrorCode;

typedef struct _DetourConfigErrors DetourConfigErrors;

DetourConfigErrors *detour_config_errors_new (void);
void detour_config_errors_free (DetourConfigErrors *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourConfigErrors, detour_config_errors_free)

/* Errors of @file come before those of files named later. */
void detour_config_errors_add_file (DetourConfigErrors *self, const char *file);

/**
 * detour_config_errors_add:
 * @file: (nullable): name of the file
 * @line: 0: none in particular; such errors come last
 * @group: (nullable): without brackets
 * @key: (nullable)
 *
 * Adds `file:line: [group] key: text`.
 */
void detour_config_errors_add (DetourConfigErrors *self, const char *file, guint line,
                               const char *group, const char *key, const char *format, ...)
    G_GNUC_PRINTF (6, 7);

/* Adds a line that has its place already, as detour_settings_error() makes them. */
void detour_config_errors_add_line (DetourConfigErrors *self, const char *file, guint line,
                                    const char *text);

/* The same for warnings: the configuration can be used, but may not do what its author wants. */
void detour_config_errors_warn (DetourConfigErrors *self, const char *file, guint line,
                                const char *group, const char *key, const char *format, ...)
    G_GNUC_PRINTF (6, 7);
void detour_config_errors_warn_line (DetourConfigErrors *self, const char *file, guint line,
                                     const char *text);

guint detour_config_errors_count (const DetourConfigErrors *self);

/* All lines in the order of files and lines, then `N errors; the configuration was not used`;
 * NULL-terminated. */
GStrv detour_config_errors_lines (const DetourConfigErrors *self);

/* The warnings alone, in the same order, without a line at the end; NULL-terminated. */
GStrv detour_config_errors_warnings (const DetourConfigErrors *self);

/* `file:line: [group] key: ` with the parts that are there. */
char *detour_config_place (const char *file, guint line, const char *group, const char *key);

/* @text short enough for a line, with its control characters written as \xNN; free with g_free().
 */
char *detour_config_quote (const char *text);

/* Sets @error for the value @text: quoted, then what is wrong with it. Returns: FALSE. */
gboolean detour_config_refuse_value (GError **error, const char *text, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

G_END_DECLS
