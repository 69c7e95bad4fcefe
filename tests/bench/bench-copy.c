/* bench-copy.c: a relay that only copies bytes between pairs of connections: the least that any
 * relay costs.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-copy.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BENCH_COPY_READ_MAX 65536u
#define BENCH_COPY_NUMBERS  65536u

typedef struct _BenchCopy BenchCopy;
struct _BenchCopy {
  int fd;
  BenchCopy *partner; /* NULL: not there yet */
  guint32 number;
  guint number_len;
  guint8 *out; /* what this socket did not take; its partner is not read meanwhile */
  gsize out_len, out_at;
};

static BenchCopy *bench_copy_numbers[BENCH_COPY_NUMBERS];
static int bench_copy_epoll;

/* Read what can be passed on, and nothing else. */
static gboolean
bench_copy_may_read (const BenchCopy *self)
{
  return self->number_len < sizeof self->number
      || (self->partner != NULL && self->partner->out == NULL);
}

static void
bench_copy_watch (BenchCopy *self, int op)
{
  struct epoll_event event = { .data.ptr = self };

  if (bench_copy_may_read (self))
    event.events |= EPOLLIN;
  if (self->out != NULL)
    event.events |= EPOLLOUT;
  epoll_ctl (bench_copy_epoll, op, self->fd, &event);
}

/* One of the two has changed what may be done with either. */
static void
bench_copy_watch_both (BenchCopy *self)
{
  bench_copy_watch (self, EPOLL_CTL_MOD);
  if (self->partner != NULL)
    bench_copy_watch (self->partner, EPOLL_CTL_MOD);
}

static void
bench_copy_end (BenchCopy *self)
{
  if (self->partner != NULL)
    self->partner->partner = NULL;
  if (self->number < BENCH_COPY_NUMBERS && bench_copy_numbers[self->number] == self)
    bench_copy_numbers[self->number] = NULL;
  close (self->fd);
  free (self->out);
  free (self);
}

static void
bench_copy_write (BenchCopy *self, const guint8 *data, gsize len)
{
  ssize_t n = send (self->fd, data, len, MSG_NOSIGNAL);

  if ((n < 0 && errno != EAGAIN) || n == (ssize_t) len)
    return;
  n = MAX (n, 0);
  self->out = malloc (len - (gsize) n);
  memcpy (self->out, data + n, len - (gsize) n);
  self->out_len = len - (gsize) n;
  self->out_at = 0;
  bench_copy_watch_both (self);
}

static void
bench_copy_flush (BenchCopy *self)
{
  ssize_t n = send (self->fd, self->out + self->out_at, self->out_len - self->out_at, MSG_NOSIGNAL);

  if (n < 0)
    return;
  self->out_at += (gsize) n;
  if (self->out_at < self->out_len)
    return;
  free (self->out);
  self->out = NULL;
  bench_copy_watch_both (self);
}

/* Nothing but the number is read before both are there. */
static void
bench_copy_meet (BenchCopy *self)
{
  self->number = GUINT32_FROM_BE (self->number);
  if (self->number < BENCH_COPY_NUMBERS)
    {
      bench_copy_numbers[self->number] = self;
      self->partner = bench_copy_numbers[self->number ^ 1u];
      if (self->partner != NULL)
        self->partner->partner = self;
    }
  bench_copy_watch_both (self);
}

static void
bench_copy_read (BenchCopy *self)
{
  static guint8 data[BENCH_COPY_READ_MAX];
  gsize missing = sizeof self->number - self->number_len;
  guint8 *to = missing > 0 ? (guint8 *) &self->number + self->number_len : data;
  ssize_t n = recv (self->fd, to, missing > 0 ? missing : sizeof data, 0);

  if (n < 0 && errno == EAGAIN)
    return;
  if (n <= 0)
    {
      bench_copy_end (self);
      return;
    }
  if (missing == 0)
    {
      bench_copy_write (self->partner, data, (gsize) n);
      return;
    }
  self->number_len += (guint) n;
  if (self->number_len == sizeof self->number)
    bench_copy_meet (self);
}

static void
bench_copy_accept (int listener)
{
  const int on = 1;
  int fd;

  while ((fd = accept4 (listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
    {
      BenchCopy *self = calloc (1, sizeof *self);

      setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      self->fd = fd;
      self->number = G_MAXUINT32;
      bench_copy_watch (self, EPOLL_CTL_ADD);
    }
}

static G_GNUC_NORETURN void
bench_copy_run (int listener)
{
  struct epoll_event events[256];
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };

  bench_copy_epoll = epoll_create1 (EPOLL_CLOEXEC);
  epoll_ctl (bench_copy_epoll, EPOLL_CTL_ADD, listener, &event);
  for (;;)
    {
      int n = epoll_wait (bench_copy_epoll, events, G_N_ELEMENTS (events), -1);

      for (int i = 0; i < n; i++)
        {
          BenchCopy *self = events[i].data.ptr;

          if (self == NULL)
            bench_copy_accept (listener);
          else if ((events[i].events & EPOLLOUT) != 0 && self->out != NULL)
            bench_copy_flush (self);
          /* What was announced may have become forbidden by an earlier event. */
          else if (bench_copy_may_read (self))
            bench_copy_read (self);
          else if ((events[i].events & (EPOLLERR | EPOLLHUP)) != 0)
            bench_copy_end (self);
        }
    }
}

static gboolean
bench_copy_pin (pid_t pid, int cpu)
{
  cpu_set_t cpus;

  if (cpu < 0)
    return TRUE;
  CPU_ZERO (&cpus);
  CPU_SET ((gsize) cpu, &cpus);
  return sched_setaffinity (pid, sizeof cpus, &cpus) == 0;
}

pid_t
bench_copy_start (guint16 *port, int cpu)
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t len = sizeof address;
  int listener = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  pid_t parent = getpid ();
  pid_t pid;

  if (listener < 0 || bind (listener, (struct sockaddr *) &address, sizeof address) < 0
      || listen (listener, 1024) < 0
      || getsockname (listener, (struct sockaddr *) &address, &len) < 0)
    return -1;
  *port = ntohs (address.sin_port);
  pid = fork ();
  if (pid == 0)
    {
      prctl (PR_SET_PDEATHSIG, (unsigned long) SIGKILL);
      if (getppid () != parent)
        _exit (0);
      bench_copy_run (listener);
    }
  close (listener);
  if (pid > 0 && !bench_copy_pin (pid, cpu))
    {
      int saved = errno;

      bench_copy_stop (pid);
      errno = saved;
      return -1;
    }
  return pid;
}

void
bench_copy_stop (pid_t pid)
{
  kill (pid, SIGKILL);
  waitpid (pid, NULL, 0);
}
