/* fuzz-bus-reader.c: fuzz target for what tailscaled tells unasked: the first byte says how it is
 * cut.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus-reader.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* What was told, as one number for each. */
typedef struct {
  guint n_nodes, n_removed, n_states;
  gboolean in_map;
} Told;

static void
on_node (gpointer user, const BusNode *node)
{
  Told *told = user;

  g_assert (node->id >= 0 && memchr (node->stable, '\0', sizeof node->stable) != NULL);
  told->n_nodes++;
}

static void
on_removed (gpointer user, gint64 id)
{
  g_assert (id > 0);
  ((Told *) user)->n_removed++;
}

static void
on_map (gpointer user, gboolean begins)
{
  Told *told = user;

  g_assert (told->in_map != begins);
  told->in_map = begins;
}

static void
on_state (gpointer user)
{
  ((Told *) user)->n_states++;
}

/* It does not matter how the bytes come. */
static void
read_in_pieces (const char *data, gsize size, gsize piece, Told *told)
{
  static const BusReaderFuncs funcs = { on_node, on_removed, on_map, on_state };
  g_autoptr (BusReader) reader = bus_reader_new (&funcs, told);

  for (gsize at = 0; at < size; at += piece)
    if (!bus_reader_feed (reader, data + at, MIN (piece, size - at)))
      return;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Told whole = { 0 }, cut = { 0 };

  if (size == 0)
    return 0;
  read_in_pieces ((const char *) data + 1, size - 1, size, &whole);
  read_in_pieces ((const char *) data + 1, size - 1, data[0] % 16 + 1u, &cut);
  g_assert (memcmp (&whole, &cut, sizeof whole) == 0);
  return 0;
}
