/* detour-daemon.h: the running daemon, from its configuration to its end.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config-load.h"
#include "detour-program.h"

G_BEGIN_DECLS

/* Exit status of detourd. */
typedef enum {
  DETOUR_EXIT_GOOD = 0,
  DETOUR_EXIT_FAILED = 1,      /* something could not start */
  DETOUR_EXIT_BAD_CONFIG = 78, /* a person has to mend something first; no use in trying again */
} DetourExit;

/* Logs the warnings that `--check-config` prints, for those who did not run it. */
void detour_daemon_log_findings (const DetourConfigErrors *errors);
/* Whether there is a place for the daemon's state, and no server key that cannot be read: without
 * them no daemon begins, whatever else is right. */
gboolean detour_daemon_could_begin (const DetourConfig *config, GError **error);

/**
 * detour_daemon_run:
 * @config: (transfer none): what to begin with
 * @sources: where to look on reload
 * @program: may have something of the program before, which is taken
 * @refused: (nullable): what was wrong with those, so that @config is of the program before
 * @dev: prints what `--dev` prints when it is ready
 *
 * Runs until a signal ends it.
 */
DetourExit detour_daemon_run (DetourConfig *config, const DetourConfigSources *sources,
                              DetourPlugins *plugins, DetourProgram *program,
                              const DetourConfigErrors *refused, gboolean dev);

G_END_DECLS
