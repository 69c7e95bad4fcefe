/* node-store.h: the nodes that a tailscaled has vouched for, on disk, so that a node that logs in
 * anew while the relay is stopped is known again.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One text file with a version, the socket that it is of, a line for each node, and a count at the
 * end. A file of another socket is not used. */
#pragma once

#include "node-table.h"

G_BEGIN_DECLS

/* A longer file is broken. */
#define NODE_STORE_MAX (32u * 1024 * 1024)

/* The whole file; free with g_string_free(). */
GString *node_store_format (const NodeTable *table, const char *socket);
/* @text: (array length=len): need not be terminated. FALSE: it is of another socket, another
 * version, or broken; @table has what could be read. */
gboolean node_store_parse (const char *text, gsize len, const char *socket, NodeTable *table);

/* Main thread, at the start. What cannot be read is left out, and nobody is told: it is only that
 * a ban may not follow its node. */
void node_store_read (const char *path, const char *socket, NodeTable *table);
/* Puts the file in the place of the one before, in one step, mode 0600. Waits for the disk. */
gboolean node_store_write (const char *path, const NodeTable *table, const char *socket,
                           GError **error);

G_END_DECLS
