/* detourctl-print.h: a title with a text behind it, within the width of the terminal.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl.h"

G_BEGIN_DECLS

/* The narrowest and the widest layout, and the one for standard output that is not a terminal. */
#define DETOURCTL_PRINT_MIN     40u
#define DETOURCTL_PRINT_MAX     200u
#define DETOURCTL_PRINT_DEFAULT 80u

/* Columns to write in: those of the terminal, within the limits above. */
guint detourctl_print_width (const Detourctl *self);

/**
 * detourctl_print_fact:
 * @title: translated; may be empty, where a fact has several lines
 * @column: where @text begins
 * @text: made safe for the terminal, and broken into lines below each other
 *
 * Prints one fact, with two blanks in front.
 */
void detourctl_print_fact (const Detourctl *self, const char *title, guint column,
                           const char *text);

G_END_DECLS
