/* detour-paths.h: where the daemon finds its files, installed or in a build tree.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* All are freed with g_free(). The first two go by the place of the running program: `plugins` and
 * `data/detour.conf` of the build tree it lies in, or else where `meson install` put them. */
char *detour_paths_plugins (void);
char *detour_paths_vendor_file (void);
char *detour_paths_main_file (void);

/* Where the translations are, likewise; for programs in the directory of users' programs. */
char *detour_paths_locale (void);

/* The program that speaks TLS for detourctl; it need not be there. Likewise. */
char *detour_paths_tls_client (void);

/* The program that fetches documents for detourctl; it need not be there. Likewise. */
char *detour_paths_fetch (void);

/* $STATE_DIRECTORY and $RUNTIME_DIRECTORY of the service manager, or else those of the build. */
char *detour_paths_state_directory (void);
char *detour_paths_run_directory (void);

G_END_DECLS
