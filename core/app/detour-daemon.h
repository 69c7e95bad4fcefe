/* detour-daemon.h: the running daemon, from its configuration to its end.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config-load.h"

G_BEGIN_DECLS

/* Exit status of detourd. */
typedef enum {
  DETOUR_EXIT_GOOD = 0,
  DETOUR_EXIT_FAILED = 1,      /* something could not start */
  DETOUR_EXIT_BAD_CONFIG = 78, /* a person has to mend something first; no use in trying again */
} DetourExit;

/**
 * detour_daemon_run:
 * @config: (transfer none): what to begin with
 * @sources: where to look on reload
 * @dev: prints what `--dev` prints when it is ready
 *
 * Runs until a signal ends it.
 */
DetourExit detour_daemon_run (DetourConfig *config, const DetourConfigSources *sources,
                              DetourPlugins *plugins, gboolean dev);

G_END_DECLS
