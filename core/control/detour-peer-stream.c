/* detour-peer-stream.c: the bytes of one peer of the control socket, as a stream for GDBus that
 * holds the peer to its limits.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-peer-stream.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "detour-bus-framing.h"

/* Both directions share it. What is neither atomic nor under the lock belongs to the thread of
 * GDBus, which does all reading and writing. */
typedef struct {
  DetourPeerTurn turn; /* the first, so that a pointer to it is one to all of this */
  DetourPeerTurns *turns;
  int fd;
  DetourBusFraming in, out;
  gboolean owes;     /* a call was read whose answer is not written yet */
  guint n_calls;     /* atomic */
  guint n_written;   /* atomic */
  const char *fault; /* atomic */
  GMutex lock;
  GSource *source;     /* under the lock: waits for input; NULL: none does; not referenced */
  gpointer source_tag; /* under the lock: of @fd in it */
} Shared;

typedef struct {
  GInputStream parent;
  Shared *shared;
} DetourPeerStreamInput;

typedef GInputStreamClass DetourPeerStreamInputClass;

typedef struct {
  GOutputStream parent;
  Shared *shared;
} DetourPeerStreamOutput;

typedef GOutputStreamClass DetourPeerStreamOutputClass;

struct _DetourPeerStream {
  GIOStream parent;
  Shared *shared;
  DetourPeerStreamInput *input;
  DetourPeerStreamOutput *output;
};

static void peer_stream_input_pollable_init (GPollableInputStreamInterface *interface);
static void peer_stream_output_pollable_init (GPollableOutputStreamInterface *interface);
static GType detour_peer_stream_input_get_type (void);
static GType detour_peer_stream_output_get_type (void);

G_DEFINE_TYPE_WITH_CODE (DetourPeerStreamInput, detour_peer_stream_input, G_TYPE_INPUT_STREAM,
                         G_IMPLEMENT_INTERFACE (G_TYPE_POLLABLE_INPUT_STREAM,
                                                peer_stream_input_pollable_init))
G_DEFINE_TYPE_WITH_CODE (DetourPeerStreamOutput, detour_peer_stream_output, G_TYPE_OUTPUT_STREAM,
                         G_IMPLEMENT_INTERFACE (G_TYPE_POLLABLE_OUTPUT_STREAM,
                                                peer_stream_output_pollable_init))
G_DEFINE_FINAL_TYPE (DetourPeerStream, detour_peer_stream, G_TYPE_IO_STREAM)

static void
peer_stream_shared_clear (gpointer data)
{
  Shared *shared = data;

  detour_peer_turns_give (shared->turns, &shared->turn);
  detour_peer_turns_unref (shared->turns);
  g_mutex_clear (&shared->lock);
  close (shared->fd);
}

static void
peer_stream_shared_unref (Shared *shared)
{
  g_atomic_rc_box_release_full (shared, peer_stream_shared_clear);
}

/* Whether the descriptor is to be watched for input. */
static gboolean
peer_stream_may_read (const Shared *shared)
{
  return !detour_peer_turn_is_waiting (&shared->turn) && !(shared->owes && shared->in.n_head == 0);
}

static void
peer_stream_watch_input (Shared *shared)
{
  g_mutex_lock (&shared->lock);
  if (shared->source != NULL)
    g_source_modify_unix_fd (shared->source, shared->source_tag, G_IO_IN);
  g_mutex_unlock (&shared->lock);
}

static void
peer_stream_on_turn (DetourPeerTurn *turn)
{
  peer_stream_watch_input ((Shared *) turn);
}

static gssize
peer_stream_fail (GError **error)
{
  int code = errno;

  g_set_error_literal (error, G_IO_ERROR, (gint) g_io_error_from_errno (code), g_strerror (code));
  return -1;
}

/* Reading -------------------------------------------------------------------------------------- */

/* @events: POLLRDHUP, if it is enough that it sends nothing more. */
static gboolean
peer_stream_is_gone (const Shared *shared, short events)
{
  struct pollfd poll_fd = { .fd = shared->fd, .events = events };

  return poll (&poll_fd, 1, 0) > 0;
}

/* NULL: it may go on. */
static const char *
peer_stream_judge_head (Shared *shared)
{
  if (shared->in.head[DETOUR_BUS_AT_TYPE] != DETOUR_BUS_CALL)
    return "it sent a message that is no call";
  if (detour_bus_framing_size (&shared->in) > DETOUR_PEER_MESSAGE_MAX)
    return "it announced a message that is too long";
  shared->owes = TRUE;
  __atomic_add_fetch (&shared->n_calls, 1, __ATOMIC_RELAXED);
  return NULL;
}

/* @bytes do not go beyond an event, since no more were read. */
static gboolean
peer_stream_note_read (Shared *shared, guint8 *bytes, gsize len, GError **error)
{
  guint at = shared->in.n_head;
  const char *fault = NULL;
  DetourBusEvent event;

  if (at <= DETOUR_BUS_AT_FLAGS && at + len > DETOUR_BUS_AT_FLAGS)
    bytes[DETOUR_BUS_AT_FLAGS - at] &= (guint8) ~DETOUR_BUS_NO_REPLY_EXPECTED;
  detour_bus_framing_take (&shared->in, bytes, len, &event);
  if (event == DETOUR_BUS_BAD)
    fault = "it sent what is no message of D-Bus";
  else if (event == DETOUR_BUS_HEAD)
    fault = peer_stream_judge_head (shared);
  if (fault == NULL)
    return TRUE;
  __atomic_store_n (&shared->fault, fault, __ATOMIC_RELEASE);
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, fault);
  return FALSE;
}

/* How many bytes may be read now; 0: none, for the moment. The last byte of a call, which makes
 * GDBus give it to the main thread, is only read when the call has its turn. */
static guint64
peer_stream_allowance (Shared *shared)
{
  guint64 wants = detour_bus_framing_wants (&shared->in);
  int available = 0;

  if (shared->in.n_head == 0 && shared->owes)
    return 0;
  if (shared->in.n_head < DETOUR_BUS_HEAD_SIZE)
    return wants;
  if (ioctl (shared->fd, FIONREAD, &available) < 0 || available <= 0)
    return wants > 1 || peer_stream_is_gone (shared, POLLRDHUP) ? 1 : 0;
  if ((guint64) available < wants)
    return (guint64) available;
  return detour_peer_turns_take (shared->turns, &shared->turn) ? wants : 0;
}

static gssize
peer_stream_input_read_nonblocking (GPollableInputStream *stream, void *buffer, gsize count,
                                    GError **error)
{
  Shared *shared = ((DetourPeerStreamInput *) stream)->shared;
  guint64 allowance = peer_stream_allowance (shared);
  gssize n;

  if (allowance == 0)
    {
      if (peer_stream_is_gone (shared, 0))
        return 0;
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "it has to wait");
      return -1;
    }
  do
    n = recv (shared->fd, buffer, (gsize) MIN (count, allowance), MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  if (n < 0)
    return peer_stream_fail (error);
  return n == 0 || peer_stream_note_read (shared, buffer, (gsize) n, error) ? n : -1;
}

/* GDBus only reads without blocking. */
static gssize
peer_stream_input_read (GInputStream *stream, void *buffer, gsize count, GCancellable *cancellable,
                        GError **error)
{
  return peer_stream_input_read_nonblocking (G_POLLABLE_INPUT_STREAM (stream), buffer, count,
                                             error);
}

static gboolean
peer_stream_input_is_readable (GPollableInputStream *stream)
{
  Shared *shared = ((DetourPeerStreamInput *) stream)->shared;
  struct pollfd poll_fd = { .fd = shared->fd,
                            .events = peer_stream_may_read (shared) ? POLLIN : 0 };

  return poll (&poll_fd, 1, 0) > 0;
}

typedef struct {
  GSource parent;
  Shared *shared;
} InputSource;

static gboolean
peer_stream_input_source_dispatch (GSource *source, GSourceFunc func, gpointer data)
{
  return G_SOURCE_CONTINUE; /* the source that this one is the child of does the work */
}

static void
peer_stream_input_source_finalize (GSource *source)
{
  Shared *shared = ((InputSource *) source)->shared;

  g_mutex_lock (&shared->lock);
  if (shared->source == source)
    shared->source = NULL;
  g_mutex_unlock (&shared->lock);
  peer_stream_shared_unref (shared);
}

/* Never called; GLib wants it before a source may be a child of another. */
static gboolean
peer_stream_input_source_closure (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs input_source_funcs = {
  .dispatch = peer_stream_input_source_dispatch,
  .finalize = peer_stream_input_source_finalize,
  .closure_callback = peer_stream_input_source_closure,
};

static GSource *
peer_stream_input_create_source (GPollableInputStream *stream, GCancellable *cancellable)
{
  Shared *shared = ((DetourPeerStreamInput *) stream)->shared;
  g_autoptr (GSource) child = g_source_new (&input_source_funcs, sizeof (InputSource));

  ((InputSource *) child)->shared = g_atomic_rc_box_acquire (shared);
  g_mutex_lock (&shared->lock);
  shared->source = child;
  shared->source_tag = g_source_add_unix_fd (child, shared->fd,
                                             peer_stream_may_read (shared) ? G_IO_IN : 0);
  g_mutex_unlock (&shared->lock);
  return g_pollable_source_new_full (stream, child, cancellable);
}

static void
peer_stream_input_pollable_init (GPollableInputStreamInterface *interface)
{
  interface->is_readable = peer_stream_input_is_readable;
  interface->create_source = peer_stream_input_create_source;
  interface->read_nonblocking = peer_stream_input_read_nonblocking;
}

static void
peer_stream_input_finalize (GObject *object)
{
  peer_stream_shared_unref (((DetourPeerStreamInput *) object)->shared);
  G_OBJECT_CLASS (detour_peer_stream_input_parent_class)->finalize (object);
}

static void
detour_peer_stream_input_class_init (DetourPeerStreamInputClass *class)
{
  G_OBJECT_CLASS (class)->finalize = peer_stream_input_finalize;
  class->read_fn = peer_stream_input_read;
}

static void
detour_peer_stream_input_init (DetourPeerStreamInput *self)
{
}

/* Writing -------------------------------------------------------------------------------------- */

static gboolean
peer_stream_is_answer (guint8 type)
{
  return type == DETOUR_BUS_RETURN || type == DETOUR_BUS_ERROR;
}

static void
peer_stream_note_written (Shared *shared, const guint8 *bytes, gsize len)
{
  DetourBusEvent event;

  for (gsize at = 0; at < len;)
    {
      at += detour_bus_framing_take (&shared->out, bytes + at, len - at, &event);
      g_assert (event != DETOUR_BUS_BAD);
      if (event != DETOUR_BUS_END)
        continue;
      __atomic_add_fetch (&shared->n_written, 1, __ATOMIC_RELEASE);
      if (peer_stream_is_answer (shared->out.head[DETOUR_BUS_AT_TYPE]))
        {
          shared->owes = FALSE;
          peer_stream_watch_input (shared);
        }
    }
}

static GPollableReturn
peer_stream_output_write_nonblocking_full (Shared *shared, const void *buffer, gsize count,
                                           gsize *written, GError **error)
{
  gssize n;

  /* GDBus writes a message from its beginning: the main thread is done with the call. */
  if (shared->out.n_head == 0 && count > DETOUR_BUS_AT_TYPE
      && peer_stream_is_answer (((const guint8 *) buffer)[DETOUR_BUS_AT_TYPE]))
    detour_peer_turns_give (shared->turns, &shared->turn);
  do
    n = send (shared->fd, buffer, count, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN)
    return G_POLLABLE_RETURN_WOULD_BLOCK;
  if (n < 0)
    {
      peer_stream_fail (error);
      return G_POLLABLE_RETURN_FAILED;
    }
  peer_stream_note_written (shared, buffer, (gsize) n);
  *written = (gsize) n;
  return G_POLLABLE_RETURN_OK;
}

static gssize
peer_stream_output_write_nonblocking (GPollableOutputStream *stream, const void *buffer,
                                      gsize count, GError **error)
{
  gsize written = 0;
  GPollableReturn result = peer_stream_output_write_nonblocking_full (
      ((DetourPeerStreamOutput *) stream)->shared, buffer, count, &written, error);

  if (result == G_POLLABLE_RETURN_OK)
    return (gssize) written;
  if (result == G_POLLABLE_RETURN_WOULD_BLOCK)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "its socket is full");
  return -1;
}

static gssize
peer_stream_output_write (GOutputStream *stream, const void *buffer, gsize count,
                          GCancellable *cancellable, GError **error)
{
  return peer_stream_output_write_nonblocking (G_POLLABLE_OUTPUT_STREAM (stream), buffer, count,
                                               error);
}

static gboolean
peer_stream_output_is_writable (GPollableOutputStream *stream)
{
  struct pollfd poll_fd = { .fd = ((DetourPeerStreamOutput *) stream)->shared->fd,
                            .events = POLLOUT };

  return poll (&poll_fd, 1, 0) > 0;
}

static GSource *
peer_stream_output_create_source (GPollableOutputStream *stream, GCancellable *cancellable)
{
  g_autoptr (GSource)
      child = g_unix_fd_source_new (((DetourPeerStreamOutput *) stream)->shared->fd, G_IO_OUT);

  return g_pollable_source_new_full (stream, child, cancellable);
}

static void
peer_stream_output_pollable_init (GPollableOutputStreamInterface *interface)
{
  interface->is_writable = peer_stream_output_is_writable;
  interface->create_source = peer_stream_output_create_source;
  interface->write_nonblocking = peer_stream_output_write_nonblocking;
}

static void
peer_stream_output_finalize (GObject *object)
{
  peer_stream_shared_unref (((DetourPeerStreamOutput *) object)->shared);
  G_OBJECT_CLASS (detour_peer_stream_output_parent_class)->finalize (object);
}

static void
detour_peer_stream_output_class_init (DetourPeerStreamOutputClass *class)
{
  G_OBJECT_CLASS (class)->finalize = peer_stream_output_finalize;
  class->write_fn = peer_stream_output_write;
}

static void
detour_peer_stream_output_init (DetourPeerStreamOutput *self)
{
}

/* The stream ----------------------------------------------------------------------------------- */

static GInputStream *
peer_stream_get_input (GIOStream *stream)
{
  return G_INPUT_STREAM (DETOUR_PEER_STREAM (stream)->input);
}

static GOutputStream *
peer_stream_get_output (GIOStream *stream)
{
  return G_OUTPUT_STREAM (DETOUR_PEER_STREAM (stream)->output);
}

/* The descriptor itself is kept until nobody can use it any more. */
static gboolean
peer_stream_close (GIOStream *stream, GCancellable *cancellable, GError **error)
{
  detour_peer_stream_end (DETOUR_PEER_STREAM (stream));
  return TRUE;
}

/* GIO would close in a thread of its own. */
static void
peer_stream_close_async (GIOStream *stream, int priority, GCancellable *cancellable,
                         GAsyncReadyCallback done, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (stream, cancellable, done, data);

  detour_peer_stream_end (DETOUR_PEER_STREAM (stream));
  g_task_return_boolean (task, TRUE);
}

static gboolean
peer_stream_close_finish (GIOStream *stream, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
peer_stream_finalize (GObject *object)
{
  DetourPeerStream *self = DETOUR_PEER_STREAM (object);

  g_object_unref (self->input);
  g_object_unref (self->output);
  peer_stream_shared_unref (self->shared);
  G_OBJECT_CLASS (detour_peer_stream_parent_class)->finalize (object);
}

static void
detour_peer_stream_class_init (DetourPeerStreamClass *class)
{
  GIOStreamClass *stream_class = G_IO_STREAM_CLASS (class);

  G_OBJECT_CLASS (class)->finalize = peer_stream_finalize;
  stream_class->get_input_stream = peer_stream_get_input;
  stream_class->get_output_stream = peer_stream_get_output;
  stream_class->close_fn = peer_stream_close;
  stream_class->close_async = peer_stream_close_async;
  stream_class->close_finish = peer_stream_close_finish;
}

static void
detour_peer_stream_init (DetourPeerStream *self)
{
  self->shared = g_atomic_rc_box_new0 (Shared);
  self->shared->turn.granted = peer_stream_on_turn;
  g_mutex_init (&self->shared->lock);
  self->input = g_object_new (detour_peer_stream_input_get_type (), NULL);
  self->input->shared = g_atomic_rc_box_acquire (self->shared);
  self->output = g_object_new (detour_peer_stream_output_get_type (), NULL);
  self->output->shared = g_atomic_rc_box_acquire (self->shared);
}

DetourPeerStream *
detour_peer_stream_new (int fd, DetourPeerTurns *turns)
{
  DetourPeerStream *self = g_object_new (DETOUR_TYPE_PEER_STREAM, NULL);

  self->shared->fd = fd;
  self->shared->turns = detour_peer_turns_ref (turns);
  return self;
}

void
detour_peer_stream_end (DetourPeerStream *self)
{
  shutdown (self->shared->fd, SHUT_RDWR);
}

void
detour_peer_stream_answer_later (DetourPeerStream *self)
{
  detour_peer_turns_give (self->shared->turns, &self->shared->turn);
}

guint
detour_peer_stream_n_calls (DetourPeerStream *self)
{
  return __atomic_load_n (&self->shared->n_calls, __ATOMIC_RELAXED);
}

guint
detour_peer_stream_n_written (DetourPeerStream *self)
{
  return __atomic_load_n (&self->shared->n_written, __ATOMIC_ACQUIRE);
}

const char *
detour_peer_stream_fault (DetourPeerStream *self)
{
  return __atomic_load_n (&self->shared->fault, __ATOMIC_ACQUIRE);
}
