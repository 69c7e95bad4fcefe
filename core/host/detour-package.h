/* detour-package.h: which package of the system has a part of Detour that is not installed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * detour_package_of:
 * @packages: PART=PACKAGE, separated by blanks; DETOUR_PACKAGES is what the build was told
 * @part: KIND-PLUGIN, or the name of a helper program
 *
 * Returns: (nullable): the name of the package; free with g_free(). NULL: no package is known.
 */
char *detour_package_of (const char *packages, const char *part);

G_END_DECLS
