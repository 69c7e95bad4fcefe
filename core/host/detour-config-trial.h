/* detour-config-trial.h: whether this host lets a configuration start: folders, ports, transports.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config-errors.h"
#include "detour-config.h"

G_BEGIN_DECLS

/**
 * detour_config_try:
 * @state_directory: where the daemon would keep its state
 * @any_port: the daemon may bind low ports though this process may not
 *
 * For a configuration that is good by itself, before somebody starts it: what a start would find
 * out is added to @errors. Makes and changes nothing; sockets that it binds are closed at once. A
 * daemon that runs already is expected to have its ports. What only the rights of this process may
 * be to blame for is a warning. Main thread.
 */
void detour_config_try (const DetourConfig *config, const char *state_directory, gboolean any_port,
                        DetourConfigErrors *errors);

/* A remedy for bind() that failed with @number at @port, to stand behind its text: begins with
 * "; ", or is empty. Free with g_free(). */
char *detour_config_bind_remedy (int number, guint port, gboolean udp);

G_END_DECLS
