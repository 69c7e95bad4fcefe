/* bus-reader.h: finds in what tailscaled tells of itself which nodes have changed or gone.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The bus is a stream of JSON objects. Some are as long as the tailnet has nodes, so nothing of
 * them is kept: bytes are read as they come, and memory is the same for every length. Pure; the
 * stream is not trusted. */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

/* A longer name of a member, a key or an identifier is none that is looked for. */
#define BUS_READER_TOKEN_MAX 95u
/* What is nested deeper is broken. */
#define BUS_READER_DEPTH_MAX 64u

/* A node as it is now. */
typedef struct {
  gint64 id;                             /* 0: not said */
  char stable[BUS_READER_TOKEN_MAX + 1]; /* "": not said */
  guint8 key[DETOUR_KEY_SIZE];
  gboolean has_key; /* FALSE: none, or one that cannot be used any more */
  gboolean is_expired;
} BusNode;

/* The key of a node, as 64 hex digits. FALSE: they are not that. */
gboolean bus_node_read_key (const char *digits, guint8 *key) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
  void (*node) (gpointer user, const BusNode *node);
  void (*removed) (gpointer user, gint64 id);
  /* The nodes in between are all that there are. Older ones than 1.100 tell so of each change. */
  void (*map) (gpointer user, gboolean begins);
  /* It is connected to its network, or is not any more. */
  void (*state) (gpointer user);
} BusReaderFuncs;

typedef struct _BusReader BusReader;

BusReader *bus_reader_new (const BusReaderFuncs *funcs, gpointer user);
void bus_reader_free (BusReader *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BusReader, bus_reader_free)

/* From the beginning of a stream. */
void bus_reader_reset (BusReader *self);
/* The next bytes. FALSE: it is no such stream, and nothing after that is read. */
gboolean bus_reader_feed (BusReader *self, const char *data, gsize len) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
