/* detour-channel-stack.c: one channel over another: a WebSocket over TLS, say.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-channel-stack.h"

#include <string.h>

typedef struct {
  DetourChannel lower;
  DetourChannel upper;
} Stack;

/* What passes between two channels, for the time of one call. A connection that rests has none, so
 * it belongs to the thread; it grows to what the thread needs and never shrinks. A stack in a stack
 * has the next one. */
typedef struct {
  guint depth;
  DetourBuffer levels[DETOUR_CHANNEL_STACK_MAX];
} Scratch;

static void
channel_stack_scratch_free (gpointer data)
{
  Scratch *scratch = data;

  for (guint i = 0; i < DETOUR_CHANNEL_STACK_MAX; i++)
    g_free (scratch->levels[i].data);
  g_free (scratch);
}

static GPrivate scratch_of_thread = G_PRIVATE_INIT (channel_stack_scratch_free);

/* Empty, with so much room; give it back with channel_stack_leave(). */
static DetourBuffer *
channel_stack_enter (gsize room)
{
  Scratch *scratch = g_private_get (&scratch_of_thread);
  DetourBuffer *level;

  if (scratch == NULL)
    {
      scratch = g_new0 (Scratch, 1);
      g_private_set (&scratch_of_thread, scratch);
    }
  g_assert (scratch->depth < DETOUR_CHANNEL_STACK_MAX);
  level = &scratch->levels[scratch->depth++];
  if (level->cap < room)
    {
      g_free (level->data);
      level->data = g_malloc (room);
      level->cap = room;
    }
  level->len = 0;
  return level;
}

static void
channel_stack_leave (void)
{
  ((Scratch *) g_private_get (&scratch_of_thread))->depth--;
}

static DetourChannelResult
channel_stack_handshake (gpointer self, const guint8 *in, gsize len, gsize *used, DetourBuffer *out,
                         const char **reason)
{
  /* Both are through with theirs before one is put over the other. */
  *used = 0;
  return DETOUR_CHANNEL_OK;
}

static void
channel_stack_info (gpointer self, DetourChannelInfo *info)
{
  detour_channel_info (&((Stack *) self)->lower, info);
}

static DetourChannelResult
channel_stack_feed (gpointer self, const guint8 *in, gsize len, DetourBuffer *plain,
                    gboolean *reply)
{
  Stack *stack = self;
  DetourBuffer *between = channel_stack_enter (len + DETOUR_CHANNEL_FEED_SLACK);
  gboolean lower_reply = FALSE;
  DetourChannelResult lower = detour_channel_feed (&stack->lower, in, len, between, &lower_reply);
  DetourChannelResult upper = detour_channel_feed (&stack->upper, between->data, between->len,
                                                   plain, reply);

  channel_stack_leave ();
  *reply = *reply || lower_reply;
  /* What came before a goodbye still counts, and a broken upper channel ends it first. */
  return upper != DETOUR_CHANNEL_OK ? upper : lower;
}

static gboolean
channel_stack_seal (gpointer self, const struct iovec *plain, guint n, DetourBuffer *out)
{
  Stack *stack = self;
  DetourBuffer *between;
  struct iovec span;
  gsize len = 0;
  gboolean ok;

  for (guint i = 0; i < n; i++)
    len += plain[i].iov_len;
  between = channel_stack_enter (DETOUR_CHANNEL_SEAL_BOUND (len));
  ok = detour_channel_seal (&stack->upper, plain, n, between);
  span = (struct iovec) { between->data, between->len };
  ok = ok && detour_channel_seal (&stack->lower, &span, between->len > 0 ? 1 : 0, out);
  channel_stack_leave ();
  return ok;
}

static void
channel_stack_close (gpointer self, DetourBuffer *out)
{
  Stack *stack = self;
  DetourBuffer *between = channel_stack_enter (DETOUR_CHANNEL_SEAL_BOUND (0));
  struct iovec span;

  detour_channel_close (&stack->upper, between);
  span = (struct iovec) { between->data, between->len };
  if (between->len == 0 || detour_channel_seal (&stack->lower, &span, 1, out))
    detour_channel_close (&stack->lower, out);
  channel_stack_leave ();
}

static void
channel_stack_free (gpointer self)
{
  Stack *stack = self;

  detour_channel_clear (&stack->upper);
  detour_channel_clear (&stack->lower);
  g_free (stack);
}

/* detour_channel_table_save() takes a stack apart by itself. */
const DetourChannelClass detour_channel_stack = {
  .name = "stack",
  .handshake = channel_stack_handshake,
  .info = channel_stack_info,
  .feed = channel_stack_feed,
  .seal = channel_stack_seal,
  .close = channel_stack_close,
  .free = channel_stack_free,
};

void
detour_channel_stack_push (DetourChannel *channel, DetourChannel upper)
{
  Stack *stack;

  if (channel->cls == &detour_channel_plain)
    {
      *channel = upper;
      return;
    }
  stack = g_new (Stack, 1);
  *stack = (Stack) { *channel, upper };
  *channel = (DetourChannel) { &detour_channel_stack, stack };
}

const DetourChannel *
detour_channel_stack_lower (const DetourChannel *stack)
{
  g_assert (stack->cls == &detour_channel_stack);
  return &((const Stack *) stack->self)->lower;
}

const DetourChannel *
detour_channel_stack_upper (const DetourChannel *stack)
{
  g_assert (stack->cls == &detour_channel_stack);
  return &((const Stack *) stack->self)->upper;
}

const char *
detour_channel_stack_way (const DetourChannel *channel)
{
  DetourChannelInfo info = { NULL };

  if (channel->cls == &detour_channel_stack)
    return detour_channel_stack_way (&((const Stack *) channel->self)->upper);
  detour_channel_info (channel, &info);
  return info.version != NULL ? "tls" : channel->cls->name;
}

gboolean
detour_channel_stack_is_upper (const DetourChannel *channel)
{
  DetourChannelInfo info = { NULL };

  if (channel->cls == &detour_channel_stack)
    return TRUE;
  detour_channel_info (channel, &info);
  return !detour_channel_is_plain (channel) && info.version == NULL;
}
