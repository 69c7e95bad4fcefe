/* detourctl-table.h: rows and columns for people, within the width of the terminal.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl.h"

G_BEGIN_DECLS

typedef struct _DetourctlTable DetourctlTable;

typedef enum {
  DETOURCTL_COLUMN_LEFT,
  DETOURCTL_COLUMN_RIGHT, /* numbers */
} DetourctlAlign;

/* Tables end with { NULL }. */
typedef struct {
  const char *title; /* already translated */
  DetourctlAlign align;
} DetourctlColumn;

/* @columns is borrowed as long as the table lives. */
DetourctlTable *detourctl_table_new (const DetourctlColumn *columns);
void detourctl_table_free (DetourctlTable *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourctlTable, detourctl_table_free)

/* One row: as many texts as there are columns, NULL-terminated; made safe for a terminal. */
void detourctl_table_add (DetourctlTable *self, ...) G_GNUC_NULL_TERMINATED;

/**
 * detourctl_table_take:
 * @width: columns to keep within; 0: any
 * @bold: (nullable): what stands before the heading, and @plain behind it
 *
 * The rows added since the last call, under a heading the first time. Columns only grow from one
 * call to the next, so a long table can be printed page by page.
 *
 * Nothing is cut. A text in the last column that does not fit is broken into lines; where there is
 * little room left for that column, its text goes below the row; and where the other columns do not
 * fit either, each row becomes a list of titles and texts.
 *
 * Returns: the text; "" when there was no row.
 */
char *detourctl_table_take (DetourctlTable *self, guint width, const char *bold, const char *plain);

/* Prints what detourctl_table_take() gives, as standard output wants it. */
void detourctl_print_table (const Detourctl *ctl, DetourctlTable *self);

G_END_DECLS
