/* bench-command.h: what bench can do.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Each parses its options, measures and prints. They return FALSE with @error when nothing could be
 * measured; *@wrong is set when what was measured is not what a relay may do: a packet changed,
 * gone astray or out of order, a client that does not relay. */
typedef gboolean (*BenchCommandFunc) (int argc, char **argv, gboolean *wrong, GError **error);

gboolean bench_load (int argc, char **argv, gboolean *wrong, GError **error);
gboolean bench_idle (int argc, char **argv, gboolean *wrong, GError **error);
gboolean bench_handshakes (int argc, char **argv, gboolean *wrong, GError **error);
gboolean bench_storm (int argc, char **argv, gboolean *wrong, GError **error);
gboolean bench_stall (int argc, char **argv, gboolean *wrong, GError **error);
gboolean bench_upgrade (int argc, char **argv, gboolean *wrong, GError **error);
gboolean bench_floor (int argc, char **argv, gboolean *wrong, GError **error);

G_END_DECLS
