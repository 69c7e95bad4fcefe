/* fleet-input.h: what a program that is started reads from its standard input.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * fleet_input_open:
 *
 * A file in memory instead of a pipe: a program that ends without reading all of a pipe ends the
 * one that writes into it, by SIGPIPE. Any thread.
 *
 * Returns: a descriptor from which @text can be read, closed at exec; the caller closes it. -1 with
 * @error
 */
int fleet_input_open (const char *text, GError **error);

G_END_DECLS
