/* fuzz-websocket-channel.c: fuzz target for what a WebSocket client sends: cuts and being carried
 * over change nothing.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "websocket-channel.h"

#include <string.h>

#define MAX_MESSAGE 4096u

typedef struct {
  gpointer self;
  guint8 *plain;
  gsize n_plain, cap;
  guint8 sent[2 * DETOUR_CHANNEL_SEAL_BOUND (0)];
  gsize n_sent;
  DetourChannelResult result;
} Side;

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static void
side_feed (Side *side, const guint8 *data, gsize len)
{
  DetourBuffer plain = { side->plain + side->n_plain, 0, side->cap - side->n_plain };
  gboolean reply = FALSE;

  side->result = websocket_channel_class.feed (side->self, data, len, &plain, &reply);
  g_assert (plain.len <= len);
  side->n_plain += plain.len;
}

static void
side_carry (Side *side)
{
  GBytes *saved = websocket_channel_class.save (side->self);
  gsize len;
  const guint8 *data;
  gpointer other;

  g_assert ((saved != NULL) == (side->result == DETOUR_CHANNEL_OK));
  if (saved == NULL)
    return;
  data = g_bytes_get_data (saved, &len);
  other = websocket_channel_class.restore (data, len);
  g_assert (other != NULL);
  g_bytes_unref (saved);
  websocket_channel_class.free (side->self);
  side->self = other;
}

/* A pong that is owed, some data, and the goodbye. */
static void
side_end (Side *side)
{
  struct iovec span = { (void *) "data", 4 };
  DetourBuffer out = { side->sent, 0, sizeof side->sent };

  g_assert (websocket_channel_class.seal (side->self, &span, 1, &out));
  websocket_channel_class.close (side->self, &out);
  side->n_sent = out.len;
  websocket_channel_class.free (side->self);
}

/* A state of a stranger is refused, or takes what comes without harm. */
static void
try_state (const guint8 *data, gsize size)
{
  Side side = { .self = websocket_channel_class.restore (data, size),
                .plain = g_malloc (size),
                .cap = size };

  if (side.self != NULL)
    {
      side_feed (&side, data, size);
      side_end (&side);
    }
  g_free (side.plain);
}

/* The first byte says how long the pieces are. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  gsize step = size > 0 ? data[0] % 16u + 1u : 1;
  Side whole, cut;

  try_state (data, size);
  if (size < 1)
    return 0;
  whole = (Side) { .self = websocket_channel_new (MAX_MESSAGE),
                   .plain = g_malloc (size),
                   .cap = size };
  cut = (Side) { .self = websocket_channel_new (MAX_MESSAGE),
                 .plain = g_malloc (size),
                 .cap = size };
  side_feed (&whole, data + 1, size - 1);
  for (gsize at = 1; at < size && cut.result == DETOUR_CHANNEL_OK; at += step)
    {
      side_feed (&cut, data + at, MIN (step, size - at));
      side_carry (&cut);
    }
  side_end (&whole);
  side_end (&cut);
  g_assert (whole.result == cut.result && whole.n_plain == cut.n_plain
            && whole.n_sent == cut.n_sent);
  g_assert (memcmp (whole.plain, cut.plain, whole.n_plain) == 0);
  g_assert (memcmp (whole.sent, cut.sent, whole.n_sent) == 0);
  g_free (whole.plain);
  g_free (cut.plain);
  return 0;
}
