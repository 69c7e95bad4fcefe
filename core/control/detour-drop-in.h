/* detour-drop-in.h: writes down which instances run, so that the next start knows.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config.h"

G_BEGIN_DECLS

/**
 * detour_drop_in_write:
 * @sources: of the daemon; the file goes to `conf.d` beside the main one
 * @id: "service/stun"
 *
 * Makes, changes or removes `90-KIND-NAME.conf`, whichever lets the configuration say what is
 * wanted. Files that somebody else wrote are left alone.
 */
gboolean detour_drop_in_write (const DetourConfigSources *sources, DetourPlugins *plugins,
                               const char *id, gboolean enabled, GError **error);

G_END_DECLS
