/* test-peer-stream.c: tests of the limits that a peer of the control socket is held to.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-peer-stream.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "detour-bus-framing.h"

/* The daemon's end of a connection as a stream, and the peer's as a descriptor. */
typedef struct {
  DetourPeerStream *stream;
  GPollableInputStream *input;
  GPollableOutputStream *output;
  int fd;
} End;

static void
test_open (End *end, DetourPeerTurns *turns)
{
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  end->stream = detour_peer_stream_new (fds[0], turns);
  end->input = G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (G_IO_STREAM (end->stream)));
  end->output = G_POLLABLE_OUTPUT_STREAM (
      g_io_stream_get_output_stream (G_IO_STREAM (end->stream)));
  end->fd = fds[1];
}

static void
test_close (End *end)
{
  g_object_unref (end->stream);
  if (end->fd >= 0)
    close (end->fd);
}

static guint8 *
test_dup_message (GDBusMessage *message, guint32 serial, gsize *size)
{
  g_dbus_message_set_serial (message, serial);
  return g_dbus_message_to_blob (message, size, G_DBUS_CAPABILITY_FLAGS_NONE, NULL);
}

static GDBusMessage *
test_new_call (void)
{
  return g_dbus_message_new_method_call (NULL, "/", "a.b", "Method");
}

/* The peer sends a call, but for the last @n_missing bytes of it. */
static gsize
test_send_call (const End *end, gsize n_missing)
{
  g_autoptr (GDBusMessage) call = test_new_call ();
  g_autofree guint8 *blob = NULL;
  gsize size;

  g_dbus_message_set_flags (call, G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED);
  blob = test_dup_message (call, 1, &size);
  g_assert_cmpint (write (end->fd, blob, size - n_missing), ==, (gssize) (size - n_missing));
  return size;
}

/* Reads as GDBus does, up to @size bytes in two steps; gives how many came before it would block.
 */
static gsize
test_read (const End *end, gsize size, guint8 *bytes)
{
  gsize at = 0;

  while (at < size)
    {
      gsize want = at < DETOUR_BUS_HEAD_SIZE ? DETOUR_BUS_HEAD_SIZE - at : size - at;
      g_autoptr (GError) error = NULL;
      gssize n = g_pollable_input_stream_read_nonblocking (end->input, bytes + at, want, NULL,
                                                           &error);

      if (n < 0)
        {
          g_assert_error (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
          break;
        }
      at += (gsize) n;
    }
  return at;
}

/* The daemon answers. */
static void
test_answer (const End *end)
{
  g_autoptr (GDBusMessage) call = test_new_call ();
  g_autoptr (GDBusMessage) reply = NULL;
  g_autofree guint8 *blob = NULL;
  gsize size;

  g_dbus_message_set_serial (call, 1);
  reply = g_dbus_message_new_method_reply (call);
  blob = test_dup_message (reply, 2, &size);
  g_assert_cmpint (g_pollable_output_stream_write_nonblocking (end->output, blob, size, NULL, NULL),
                   ==, (gssize) size);
}

static gboolean
test_on_input (GObject *stream, gpointer data)
{
  *(gboolean *) data = TRUE;
  return G_SOURCE_REMOVE;
}

static GSource *
test_watch (const End *end, gboolean *ready)
{
  GSource *source = g_pollable_input_stream_create_source (end->input, NULL);

  *ready = FALSE;
  g_source_set_callback (source, G_SOURCE_FUNC (test_on_input), ready, NULL);
  g_source_attach (source, NULL);
  return source;
}

static void
test_iterate (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    continue;
}

/* ---------------------------------------------------------------------------------------------- */

static void
test_next_call_waits_for_the_answer (void)
{
  DetourPeerTurns *turns = detour_peer_turns_new ();
  guint8 bytes[500];
  gboolean ready;
  GSource *source;
  gsize size;
  End end;

  test_open (&end, turns);
  size = test_send_call (&end, 0);
  test_send_call (&end, 0);
  g_assert_cmpuint (test_read (&end, size, bytes), ==, size);
  g_assert_cmpuint (bytes[DETOUR_BUS_AT_FLAGS] & DETOUR_BUS_NO_REPLY_EXPECTED, ==, 0);
  g_assert_cmpuint (test_read (&end, size, bytes), ==, 0);
  source = test_watch (&end, &ready);
  test_iterate ();
  g_assert_false (ready);
  g_assert_cmpuint (detour_peer_stream_n_written (end.stream), ==, 0);
  test_answer (&end);
  test_iterate ();
  g_assert_true (ready);
  g_assert_cmpuint (test_read (&end, size, bytes), ==, size);
  g_assert_cmpuint (detour_peer_stream_n_calls (end.stream), ==, 2);
  g_assert_cmpuint (detour_peer_stream_n_written (end.stream), ==, 1);
  g_source_unref (source);
  test_close (&end);
  detour_peer_turns_unref (turns);
}

static void
test_few_calls_at_a_time (void)
{
  DetourPeerTurns *turns = detour_peer_turns_new ();
  End ends[DETOUR_PEER_TURNS_MAX + 2];
  const End *last = &ends[DETOUR_PEER_TURNS_MAX + 1];
  const End *late = &ends[DETOUR_PEER_TURNS_MAX];
  guint8 bytes[500];
  GSource *source;
  gboolean ready;
  gsize size = 0;

  for (guint i = 0; i < G_N_ELEMENTS (ends); i++)
    {
      test_open (&ends[i], turns);
      size = test_send_call (&ends[i], 0);
      g_assert_cmpuint (test_read (&ends[i], size, bytes), ==,
                        i < DETOUR_PEER_TURNS_MAX ? size : DETOUR_BUS_HEAD_SIZE);
    }
  source = test_watch (late, &ready);
  test_iterate ();
  g_assert_false (ready);
  test_answer (&ends[0]);
  test_iterate ();
  g_assert_true (ready);
  g_source_unref (source);
  /* One that leaves gives its turn to the next. */
  source = test_watch (last, &ready);
  test_close (&ends[1]);
  test_iterate ();
  g_assert_true (ready);
  g_source_unref (source);
  for (guint i = 0; i < G_N_ELEMENTS (ends); i++)
    if (i != 1)
      test_close (&ends[i]);
  detour_peer_turns_unref (turns);
}

static void
test_unfinished_calls_take_no_turn (void)
{
  DetourPeerTurns *turns = detour_peer_turns_new ();
  End ends[DETOUR_PEER_TURNS_MAX], last;
  guint8 bytes[500];
  gsize size;

  for (guint i = 0; i < G_N_ELEMENTS (ends); i++)
    {
      test_open (&ends[i], turns);
      size = test_send_call (&ends[i], 1);
      g_assert_cmpuint (test_read (&ends[i], size, bytes), ==, size - 1);
    }
  test_open (&last, turns);
  size = test_send_call (&last, 0);
  g_assert_cmpuint (test_read (&last, size, bytes), ==, size);
  test_close (&last);
  for (guint i = 0; i < G_N_ELEMENTS (ends); i++)
    test_close (&ends[i]);
  detour_peer_turns_unref (turns);
}

/* A head that announces a body of so many bytes; the whole message is @size. */
static void
test_send_head (const End *end, guint8 type, guint32 body)
{
  guint8 head[DETOUR_BUS_HEAD_SIZE] = { 'l', type, 0, 1 };
  guint32 numbers[] = { GUINT32_TO_LE (body), GUINT32_TO_LE (1), GUINT32_TO_LE (8) };

  memcpy (head + 4, numbers, sizeof numbers);
  g_assert_cmpint (write (end->fd, head, sizeof head), ==, sizeof head);
}

static void
test_faults (void)
{
  static const struct {
    guint8 type;
    guint32 body;
    const char *fault; /* part of it; NULL: there is none */
  } heads[] = {
    { DETOUR_BUS_CALL, DETOUR_PEER_MESSAGE_MAX - DETOUR_BUS_HEAD_SIZE - 8, NULL },
    { DETOUR_BUS_CALL, DETOUR_PEER_MESSAGE_MAX - DETOUR_BUS_HEAD_SIZE - 7, "too long" },
    { DETOUR_BUS_CALL, G_MAXUINT32, "too long" },
    { DETOUR_BUS_RETURN, 0, "no call" },
    { DETOUR_BUS_ERROR, 0, "no call" },
    { 4, 0, "no call" },
    { 0, 0, "no call" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (heads); i++)
    {
      DetourPeerTurns *turns = detour_peer_turns_new ();
      g_autoptr (GError) error = NULL;
      guint8 bytes[DETOUR_BUS_HEAD_SIZE];
      gssize n;
      End end;

      test_open (&end, turns);
      test_send_head (&end, heads[i].type, heads[i].body);
      n = g_pollable_input_stream_read_nonblocking (end.input, bytes, sizeof bytes, NULL, &error);
      if (heads[i].fault == NULL)
        {
          g_assert_cmpint (n, ==, sizeof bytes);
          g_assert_null (detour_peer_stream_fault (end.stream));
        }
      else
        {
          g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
          g_assert_nonnull (strstr (detour_peer_stream_fault (end.stream), heads[i].fault));
        }
      test_close (&end);
      detour_peer_turns_unref (turns);
    }
}

static void
test_end_of_one_that_is_held (void)
{
  DetourPeerTurns *turns = detour_peer_turns_new ();
  guint8 bytes[500];
  gboolean ready;
  GSource *source;
  gsize size;
  End end;

  test_open (&end, turns);
  size = test_send_call (&end, 0);
  g_assert_cmpuint (test_read (&end, size, bytes), ==, size);
  source = test_watch (&end, &ready);
  close (end.fd);
  end.fd = -1;
  test_iterate ();
  g_assert_true (ready);
  g_assert_cmpint (
      g_pollable_input_stream_read_nonblocking (end.input, bytes, sizeof bytes, NULL, NULL), ==, 0);
  g_source_unref (source);
  test_close (&end);
  detour_peer_turns_unref (turns);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/peer-stream/next-call-waits-for-the-answer",
                   test_next_call_waits_for_the_answer);
  g_test_add_func ("/peer-stream/few-calls-at-a-time", test_few_calls_at_a_time);
  g_test_add_func ("/peer-stream/unfinished-calls-take-no-turn",
                   test_unfinished_calls_take_no_turn);
  g_test_add_func ("/peer-stream/faults", test_faults);
  g_test_add_func ("/peer-stream/end-while-held", test_end_of_one_that_is_held);
  return g_test_run ();
}
