/* node-table.h: the nodes that one tailscaled has vouched for, and the key of each.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What it tells of a node later is of interest only if the node may be here. Bounded: the node that
 * was seen longest ago goes first. */
#pragma once

#include "bus-reader.h"

G_BEGIN_DECLS

#define NODE_TABLE_MAX 65536u

typedef struct _NodeTable NodeTable;

NodeTable *node_table_new (guint max);
void node_table_free (NodeTable *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (NodeTable, node_table_free)

guint node_table_size (const NodeTable *self);
gboolean node_table_has (const NodeTable *self, gint64 id);
/**
 * node_table_put:
 * @node: with a key
 * @before: (out) (array fixed-size=32): the key that the same node had
 *
 * Returns: the node had another key.
 */
gboolean node_table_put (NodeTable *self, const BusNode *node, guint8 *before);
/* FALSE: it was not there. */
gboolean node_table_remove (NodeTable *self, gint64 id);

/* In the order in which they were put last. */
void node_table_foreach (const NodeTable *self, void (*func) (const BusNode *node, gpointer data),
                         gpointer data);

/* Those that are put from now on are all that there are, until node_table_sweep() removes the
 * others; how many these were. */
void node_table_mark (NodeTable *self);
guint node_table_sweep (NodeTable *self);

G_END_DECLS
