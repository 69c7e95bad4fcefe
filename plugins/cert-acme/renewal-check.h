/* renewal-check.h: what of a [cert NAME] group of cert-acme cannot work, seen before the start.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

/* What no authority and no name server would understand is an error. */
gboolean renewal_check_values (const DetourSettings *settings, GError **error);

/* Files and programs may come later, so that they are missing is a warning. */
void renewal_check_files (const DetourSettings *settings);

G_END_DECLS
