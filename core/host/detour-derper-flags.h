/* detour-derper-flags.h: what derper's flags are called in Detour's configuration.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* @name: as somebody wrote it, with or without dashes before it. What does the same here, for a
 * message; NULL when derper has no such flag. */
const char *detour_derper_flag_here (const char *name);

G_END_DECLS
