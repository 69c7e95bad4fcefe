/* detour-config-credentials.h: paths of the configuration below the folder of the credentials.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * systemd lays what a unit says with LoadCredential= or SetCredential= into a folder of its own,
 * which only that unit's user may read, and tells its path by the variable CREDENTIALS_DIRECTORY.
 * Programs that an operator starts beside the service, as `detourd --check-config`, do not have the
 * variable; they take the folder of detour.service if there is one. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * detour_config_credentials_expand:
 * @text: (inout): a path as it is written; one that begins with "${CREDENTIALS_DIRECTORY}" gets
 * that folder in its place
 *
 * @error says what is wrong with the variable, without the place in the configuration; @text is as
 * it was then. The result is not checked: without the variable it may be no path at all.
 */
gboolean detour_config_credentials_expand (char **text, GError **error);

G_END_DECLS
