/* detour-config-peers.h: checks of the [peer NAME] groups against the rest of the configuration.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config.h"

G_BEGIN_DECLS

/* Complaints go where detour_config_set_errors() has said. @plugins: which of them would dial. */
void detour_config_check_peers (const DetourConfig *config, DetourPlugins *plugins);

G_END_DECLS
