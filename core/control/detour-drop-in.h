/* detour-drop-in.h: keeps in a file of conf.d which instances are switched on or off.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config-load.h"

G_BEGIN_DECLS

/**
 * detour_drop_in_write:
 * @sources: of the daemon; the file goes to `conf.d` beside the main one
 * @id: "service/stun"
 *
 * Makes, changes or removes `90-KIND-NAME.conf`, so that the configuration as a whole says what is
 * wanted. Files without our first line are not touched.
 */
gboolean detour_drop_in_write (const DetourConfigSources *sources, DetourPlugins *plugins,
                               const char *id, gboolean enabled, GError **error);

G_END_DECLS
