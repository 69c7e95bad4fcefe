/* detour-derper-flags.h: the keys of Detour that do what derper's flags do.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* @name: a flag of derper, with or without dashes before it. Returns the group and key that do the
 * same, as text for a message; NULL when derper has no such flag. */
const char *detour_derper_flag_here (const char *name);

G_END_DECLS
