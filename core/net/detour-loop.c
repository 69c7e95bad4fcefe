/* detour-loop.c: the event loop of a thread: one epoll descriptor, a wheel of timers and an inbox.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-loop.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "detour-niceness.h"
#include "detour-watch.h"

#define EVENTS_MAX 256

/* Rounds in the source before the context gets a turn. */
#define ROUNDS_MAX 64

/* At such a rate a worker that is not yet overloaded would wait for each event by itself, and a
 * wait costs as much as the packet. Then it lets some gather, as network cards do: for at most a
 * tenth of a millisecond. Whether there is cause is looked at now and then, while nothing gathers.
 */
#define GATHER_FROM    30 /* events a millisecond */
#define GATHER_NS      (100 * 1000)
#define GATHER_LOOK_US (50 * 1000)
#define GATHER_HOLD_US (450 * 1000)
/* A round with so many has enough to share the cost of a wait. */
#define GATHER_ENOUGH 8

typedef struct {
  DetourLoopFunc func;
  gpointer data;
} Message;

struct _DetourLoop {
  gint64 now_us;
  DetourWatch watch;
  int event_fd;
  int nice;
  const DetourLoopFuncs *funcs;
  gpointer user;
  GThread *thread;
  GMainContext *context;
  GSource *source;
  DetourWheel wheel;
  GArray *deferred; /* of Message */
  gboolean quit;
  gboolean has_own_mail; /* its own thread posted to it, and is awake to see that */
  gboolean is_held;      /* nothing but messages and timers */
  gboolean gathers;
  gboolean is_full; /* the last round was not a small one */
  gint64 look_us;   /* when @gathers was decided */
  guint64 n_seen;   /* events since then */
  /* Where a round began that goes on; -1: none does. Written twice a round and read by others now
   * and then, so not beside what they read for each packet. */
  atomic_int cpu;
  struct epoll_event events[EVENTS_MAX];

  /* Shared: written by every thread that posts or wakes. */
  _Alignas(64) atomic_int sleeps;
  GMutex lock;
  GArray *inbox; /* of Message; under the lock */
  GArray *spare; /* the other inbox; loop's thread */
};

typedef struct {
  GSource source;
  DetourLoop *loop;
} EpollSource;

static void
loop_run_inbox (DetourLoop *self)
{
  GArray *messages;

  g_mutex_lock (&self->lock);
  self->has_own_mail = FALSE;
  messages = self->inbox;
  self->inbox = self->spare;
  self->spare = messages;
  g_mutex_unlock (&self->lock);

  for (guint i = 0; i < messages->len; i++)
    {
      Message message = g_array_index (messages, Message, i);

      message.func (self, message.data);
    }
  g_array_set_size (messages, 0);
}

/* Messages that a deferred call defers run in the next round. */
static void
loop_run_deferred (DetourLoop *self)
{
  guint n = self->deferred->len;

  if (n == 0)
    return;
  for (guint i = 0; i < n; i++)
    {
      Message message = g_array_index (self->deferred, Message, i);

      message.func (self, message.data);
    }
  g_array_remove_range (self->deferred, 0, n);
}

static void
loop_run_timers (DetourLoop *self)
{
  DetourTimer *timer;

  while ((timer = detour_wheel_pop (&self->wheel, self->now_us)) != NULL)
    self->funcs->timer (self, timer, self->user);
}

/* Milliseconds from the start of this round to the next timer, rounded up; -1: for ever. The clock
 * is not read again: a round that took long makes the timer late by as much, which is less than a
 * tick. */
static int
loop_timeout_ms (DetourLoop *self)
{
  gint64 next_us = detour_wheel_next_us (&self->wheel);

  if (next_us == G_MAXINT64)
    return -1;
  return (int) CLAMP ((next_us - self->now_us + 999) / 1000, 0, G_MAXINT);
}

static gboolean
loop_poll_owner (DetourLoop *self)
{
  return self->funcs->poll != NULL && self->funcs->poll (self, self->user);
}

static void
loop_decide_to_gather (DetourLoop *self)
{
  gint64 spent_us = self->now_us - self->look_us;

  if (spent_us < (self->gathers ? GATHER_HOLD_US : GATHER_LOOK_US))
    return;
  self->gathers = !self->gathers && self->n_seen * 1000 >= (guint64) spent_us * GATHER_FROM;
  self->look_us = self->now_us;
  self->n_seen = 0;
}

static int
loop_wait_mail (DetourLoop *self, int timeout_ms)
{
  struct pollfd mail = { .fd = self->event_fd, .events = POLLIN };

  if (poll (&mail, 1, timeout_ms) <= 0)
    return 0;
  self->events[0] = (struct epoll_event) { .events = EPOLLIN, .data.u64 = 0 };
  return 1;
}

static int
loop_wait_kernel (DetourLoop *self, int timeout_ms)
{
  int n;

  if (self->is_held)
    return loop_wait_mail (self, timeout_ms);
  n = epoll_wait (self->watch.fd, self->events, EVENTS_MAX, timeout_ms);
  return MAX (n, 0);
}

static int
loop_wait_events (DetourLoop *self)
{
  int n;

  loop_decide_to_gather (self);
  if (self->gathers && !self->is_full && self->deferred->len == 0 && !self->has_own_mail)
    clock_nanosleep (CLOCK_MONOTONIC, 0, &(struct timespec) { .tv_nsec = GATHER_NS }, NULL);

  atomic_store (&self->sleeps, 1);
  if (self->deferred->len > 0 || self->has_own_mail || loop_poll_owner (self))
    {
      atomic_store_explicit (&self->sleeps, 0, memory_order_relaxed);
      return loop_wait_kernel (self, 0);
    }
  if (self->funcs->sleeping != NULL)
    self->funcs->sleeping (self, TRUE, self->user);

  n = loop_wait_kernel (self, loop_timeout_ms (self));

  if (self->funcs->sleeping != NULL)
    self->funcs->sleeping (self, FALSE, self->user);
  atomic_store_explicit (&self->sleeps, 0, memory_order_relaxed);
  return n;
}

static void
loop_run_round (DetourLoop *self, int n)
{
  gboolean has_mail = FALSE;

  atomic_store_explicit (&self->cpu, sched_getcpu (), memory_order_relaxed);
  self->n_seen += (guint) n;
  self->now_us = g_get_monotonic_time ();
  if (self->funcs->begin != NULL)
    self->funcs->begin (self, self->user);

  for (int i = 0; i < n; i++)
    {
      DetourIo *io;

      if (self->events[i].data.u64 == 0)
        has_mail = TRUE;
      else if ((io = detour_watch_find (&self->watch, &self->events[i])) != NULL
               && io->ready != NULL)
        io->ready (self, io, self->events[i].events);
    }
  self->watch.has_removed = FALSE;

  self->is_full = n >= GATHER_ENOUGH;
  loop_poll_owner (self);
  if (has_mail)
    {
      guint64 count;

      has_mail = read (self->event_fd, &count, sizeof count) == sizeof count;
    }
  if (has_mail || self->has_own_mail)
    loop_run_inbox (self);
  loop_run_timers (self);
  if (self->funcs->round != NULL)
    self->funcs->round (self, self->user);
  loop_run_deferred (self);
  atomic_store_explicit (&self->cpu, -1, memory_order_relaxed);
}

static gboolean
loop_source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  DetourLoop *self = ((EpollSource *) source)->loop;

  /* The context has no other source, so the wait itself may happen in here. */
  for (guint round = 0; round < ROUNDS_MAX && !self->quit; round++)
    loop_run_round (self, loop_wait_events (self));
  return G_SOURCE_CONTINUE;
}

static gboolean
loop_source_prepare (GSource *source, int *timeout)
{
  *timeout = 0;
  return TRUE;
}

static GSourceFuncs epoll_source_funcs = {
  .prepare = loop_source_prepare,
  .dispatch = loop_source_dispatch,
};

static gpointer
loop_main (gpointer data)
{
  DetourLoop *self = data;

  /* A nap is as long as it is said to be. */
  prctl (PR_SET_TIMERSLACK, 1ul);
  detour_niceness_add (self->nice);

  g_main_context_push_thread_default (self->context);
  while (!self->quit)
    g_main_context_iteration (self->context, TRUE);

  /* Messages that were posted before detour_loop_clear() still run, and the calls that they defer.
   */
  loop_run_inbox (self);
  loop_run_deferred (self);
  g_main_context_pop_thread_default (self->context);
  return NULL;
}

static void
loop_quit_func (DetourLoop *self, gpointer data)
{
  self->quit = TRUE;
}

static gboolean
loop_open_descriptors (DetourLoop *self, GError **error)
{
  struct epoll_event event = { .events = EPOLLIN, .data.u64 = 0 };

  self->event_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (!detour_watch_init (&self->watch) || self->event_fd < 0
      || epoll_ctl (self->watch.fd, EPOLL_CTL_ADD, self->event_fd, &event) < 0)
    {
      int saved = errno;

      g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved),
                   "cannot watch descriptors: %s", g_strerror (saved));
      return FALSE;
    }
  return TRUE;
}

static void
loop_destroy (DetourLoop *self)
{
  if (self->source != NULL)
    {
      g_source_destroy (self->source);
      g_source_unref (self->source);
    }
  g_clear_pointer (&self->context, g_main_context_unref);
  detour_watch_clear (&self->watch);
  if (self->event_fd >= 0)
    close (self->event_fd);
  g_array_unref (self->deferred);
  g_array_unref (self->inbox);
  g_array_unref (self->spare);
  g_mutex_clear (&self->lock);
  g_aligned_free (self);
}

DetourLoop *
detour_loop_new (const char *name, int nice, const DetourLoopFuncs *funcs, gpointer user,
                 GError **error)
{
  DetourLoop *self = g_aligned_alloc0 (1, sizeof *self, 64);

  self->nice = nice;
  self->cpu = -1;
  self->funcs = funcs;
  self->user = user;
  self->now_us = g_get_monotonic_time ();
  self->deferred = g_array_new (FALSE, FALSE, sizeof (Message));
  self->inbox = g_array_new (FALSE, FALSE, sizeof (Message));
  self->spare = g_array_new (FALSE, FALSE, sizeof (Message));
  g_mutex_init (&self->lock);
  detour_wheel_init (&self->wheel, self->now_us);

  if (!loop_open_descriptors (self, error))
    {
      loop_destroy (self);
      return NULL;
    }

  self->context = g_main_context_new ();
  self->source = g_source_new (&epoll_source_funcs, sizeof (EpollSource));
  ((EpollSource *) self->source)->loop = self;
  g_source_set_static_name (self->source, "epoll");
  g_source_attach (self->source, self->context);

  self->thread = g_thread_try_new (name, loop_main, self, error);
  if (self->thread == NULL)
    {
      loop_destroy (self);
      return NULL;
    }
  return self;
}

void
detour_loop_clear (DetourLoop **pointer)
{
  DetourLoop *self = *pointer;

  if (self == NULL)
    return;
  g_assert (!detour_loop_is_current (self));
  detour_loop_post (self, loop_quit_func, NULL);
  g_thread_join (self->thread);
  *pointer = NULL;
  loop_destroy (self);
}

gpointer
detour_loop_user (const DetourLoop *self)
{
  return self->user;
}

gboolean
detour_loop_is_current (const DetourLoop *self)
{
  return self->thread == g_thread_self ();
}

gboolean
detour_loop_waits_to_run (const DetourLoop *self)
{
  struct pollfd ready = { .fd = self->watch.fd, .events = POLLIN };
  int cpu = atomic_load_explicit (&self->cpu, memory_order_relaxed);

  /* It is in the middle of a round, on the processor on which the caller runs now. */
  if (cpu >= 0)
    return cpu == sched_getcpu ();
  return atomic_load_explicit (&self->sleeps, memory_order_relaxed) && poll (&ready, 1, 0) > 0;
}

gint64
detour_loop_now_us (const DetourLoop *self)
{
  return self->now_us;
}

DetourWheel *
detour_loop_wheel (DetourLoop *self)
{
  return &self->wheel;
}

gboolean
detour_loop_add (DetourLoop *self, DetourIo *io)
{
  g_assert (detour_loop_is_current (self));
  return detour_watch_add (&self->watch, io);
}

gboolean
detour_loop_add_lasting (DetourLoop *self, DetourIo *io, DetourLoop *watched_by)
{
  g_assert (detour_loop_is_current (self));
  return detour_watch_add_lasting (&self->watch, io,
                                   watched_by != NULL ? &watched_by->watch : NULL);
}

void
detour_loop_leave (DetourLoop *self, DetourIo *io)
{
  g_assert (detour_loop_is_current (self));
  detour_watch_leave (&self->watch, io);
}

void
detour_loop_unwatch (DetourLoop *self, int fd)
{
  detour_watch_forget (&self->watch, fd);
}

int
detour_loop_watch_fd (const DetourLoop *self)
{
  return self->watch.fd;
}

gboolean
detour_loop_inherit (DetourLoop *self, int watch_fd)
{
  struct epoll_event event = { .events = EPOLLIN, .data.u64 = 0 };

  g_assert (detour_loop_is_current (self));
  if (epoll_ctl (watch_fd, EPOLL_CTL_ADD, self->event_fd, &event) < 0)
    return FALSE;
  close (self->watch.fd);
  self->watch.fd = watch_fd;
  return TRUE;
}

void
detour_loop_modify (DetourLoop *self, DetourIo *io, guint32 events)
{
  g_assert (detour_loop_is_current (self));
  detour_watch_modify (&self->watch, io, events);
}

void
detour_loop_remove (DetourLoop *self, DetourIo *io)
{
  g_assert (detour_loop_is_current (self));
  detour_watch_remove (&self->watch, io);
}

void
detour_loop_hold (DetourLoop *self, gboolean hold)
{
  g_assert (detour_loop_is_current (self));
  self->is_held = hold;
}

void
detour_loop_defer (DetourLoop *self, DetourLoopFunc func, gpointer data)
{
  Message message = { func, data };

  g_assert (detour_loop_is_current (self));
  g_array_append_val (self->deferred, message);
}

void
detour_loop_post (DetourLoop *self, DetourLoopFunc func, gpointer data)
{
  Message message = { func, data };
  gboolean was_empty;

  g_mutex_lock (&self->lock);
  was_empty = self->inbox->len == 0;
  g_array_append_val (self->inbox, message);
  g_mutex_unlock (&self->lock);

  if (detour_loop_is_current (self))
    self->has_own_mail = TRUE;
  else if (was_empty)
    {
      guint64 one = 1;

      if (write (self->event_fd, &one, sizeof one) != sizeof one)
        g_assert (errno == EAGAIN); /* a wake-up is under way already */
    }
}

typedef struct {
  DetourLoopFunc func;
  gpointer data;
  GMutex lock;
  GCond cond;
  gboolean done;
} Call;

static void
loop_run_call (DetourLoop *self, gpointer data)
{
  Call *call = data;

  call->func (self, call->data);
  g_mutex_lock (&call->lock);
  call->done = TRUE;
  g_cond_signal (&call->cond);
  g_mutex_unlock (&call->lock);
}

void
detour_loop_call (DetourLoop *self, DetourLoopFunc func, gpointer data)
{
  Call call = { .func = func, .data = data };

  g_assert (!detour_loop_is_current (self));
  g_mutex_init (&call.lock);
  g_cond_init (&call.cond);
  detour_loop_post (self, loop_run_call, &call);
  g_mutex_lock (&call.lock);
  while (!call.done)
    g_cond_wait (&call.cond, &call.lock);
  g_mutex_unlock (&call.lock);
  g_mutex_clear (&call.lock);
  g_cond_clear (&call.cond);
}

void
detour_loop_wake (DetourLoop *self)
{
  guint64 one = 1;

  /* Orders the producer's publication before the look at the flag; pairs with the store before
   * poll(). */
  atomic_thread_fence (memory_order_seq_cst);
  if (!atomic_load_explicit (&self->sleeps, memory_order_relaxed))
    return;
  if (write (self->event_fd, &one, sizeof one) != sizeof one)
    g_assert (errno == EAGAIN);
}
