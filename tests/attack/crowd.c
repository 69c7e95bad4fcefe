/* crowd.c: a crowd of strangers: connections that repeat what an attack does, and come again when
 * they are closed.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Compiled, so that a crowd of thousands costs less than the relay that it attacks. It goes on
 * until its standard input ends. */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gio/gio.h>

#define OPEN_MAX_A_ROUND 200u
#define EVENTS_MAX       256
#define READ_SIZE        65536u
/* Between two attempts when the system has no connection left. */
#define AGAIN_US (G_USEC_PER_SEC / 20)

/* An address on loopback for each of so many strangers; 127.0.0.1 is left to friends. */
#define STRANGERS_FIRST 0x7f020101u

typedef struct {
  int fd;              /* -1: closed */
  const GString *text; /* that is being sent; NULL: nothing */
  gsize at;
  gint64 due_us; /* when it speaks again */
  guint32 events;
  GList link; /* of those that speak again, the earliest first */
} Stranger;

typedef struct {
  int count, port, sources;
  double every;
  gboolean echo, leave;
  char *first_file, *then_file;
} Options;

typedef struct {
  Options options;
  GString *first, *then;
  int epoll_fd;
  Stranger *strangers;
  GQueue closed; /* of Stranger: to be opened */
  GQueue due;    /* of Stranger */
  guint source;
  gint64 not_before_us;
  guint8 *read;
  guint64 n_opened, n_closed, n_bytes;
} Crowd;

static void
crowd_watch (Crowd *self, Stranger *stranger)
{
  guint32 events = EPOLLIN | (stranger->text != NULL ? EPOLLOUT : 0);
  struct epoll_event event = { .events = events, .data.ptr = stranger };

  if (events != stranger->events)
    epoll_ctl (self->epoll_fd, stranger->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, stranger->fd,
               &event);
  stranger->events = events;
}

static void
crowd_say (Stranger *stranger, const GString *text)
{
  if (text->len == 0)
    return;
  stranger->text = text;
  stranger->at = 0;
}

static void
crowd_drop (Crowd *self, Stranger *stranger)
{
  close (stranger->fd);
  if (stranger->due_us != 0)
    g_queue_unlink (&self->due, &stranger->link);
  *stranger = (Stranger) { .fd = -1, .link.data = stranger };
  g_queue_push_tail_link (&self->closed, &stranger->link);
  self->n_closed++;
}

static void
crowd_be_due (Crowd *self, Stranger *stranger, gint64 now_us)
{
  if (self->options.every <= 0)
    return;
  if (stranger->due_us != 0)
    g_queue_unlink (&self->due, &stranger->link);
  stranger->due_us = now_us + (gint64) (self->options.every * G_USEC_PER_SEC);
  g_queue_push_tail_link (&self->due, &stranger->link);
}

/* FALSE: the system has no connection left. */
static gboolean
crowd_open (Crowd *self, Stranger *stranger, gint64 now_us)
{
  struct sockaddr_in to = { .sin_family = AF_INET,
                            .sin_port = g_htons ((guint16) self->options.port),
                            .sin_addr.s_addr = g_htonl (INADDR_LOOPBACK) };
  struct sockaddr_in from = { .sin_family = AF_INET };
  guint source = self->source++ % (guint) self->options.sources;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

  from.sin_addr.s_addr = g_htonl (self->options.sources == 1 ? INADDR_LOOPBACK
                                                             : STRANGERS_FIRST + source);
  if (fd < 0)
    return FALSE;
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &(int) { 1 }, sizeof (int));
  /* The port is chosen by connect(), from all that the target leaves. */
  setsockopt (fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int) { 1 }, sizeof (int));
  if (bind (fd, (struct sockaddr *) &from, sizeof from) < 0
      || (connect (fd, (struct sockaddr *) &to, sizeof to) < 0 && errno != EINPROGRESS))
    {
      close (fd);
      return FALSE;
    }
  g_queue_unlink (&self->closed, &stranger->link);
  stranger->fd = fd;
  crowd_say (stranger, self->first);
  crowd_watch (self, stranger);
  crowd_be_due (self, stranger, now_us);
  self->n_opened++;
  return TRUE;
}

static void
crowd_fill_up (Crowd *self, gint64 now_us)
{
  if (now_us < self->not_before_us)
    return;
  for (guint i = 0; i < OPEN_MAX_A_ROUND && self->closed.head != NULL; i++)
    if (!crowd_open (self, self->closed.head->data, now_us))
      {
        self->not_before_us = now_us + AGAIN_US;
        return;
      }
}

/* FALSE: the connection ended. */
static gboolean
crowd_send (Crowd *self, Stranger *stranger)
{
  gssize n = send (stranger->fd, stranger->text->str + stranger->at,
                   stranger->text->len - stranger->at, MSG_NOSIGNAL);

  if (n < 0)
    return errno == EAGAIN;
  stranger->at += (gsize) n;
  if (stranger->at < stranger->text->len)
    return TRUE;
  stranger->text = NULL;
  return !self->options.leave;
}

static gboolean
crowd_receive (Crowd *self, Stranger *stranger)
{
  gssize n = recv (stranger->fd, self->read, READ_SIZE, 0);

  if (n < 0)
    return errno == EAGAIN;
  self->n_bytes += (guint64) n;
  if (n > 0 && self->options.echo && stranger->text == NULL)
    crowd_say (stranger, self->then);
  return n > 0;
}

static void
crowd_serve (Crowd *self, Stranger *stranger, guint32 events)
{
  gboolean goes_on = TRUE;

  if (events & EPOLLOUT && stranger->text != NULL)
    goes_on = crowd_send (self, stranger);
  if (goes_on && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
    goes_on = crowd_receive (self, stranger);
  if (goes_on)
    crowd_watch (self, stranger);
  else
    crowd_drop (self, stranger);
}

static void
crowd_repeat (Crowd *self, gint64 now_us)
{
  Stranger *stranger;

  while (self->due.head != NULL && (stranger = self->due.head->data, stranger->due_us <= now_us))
    {
      if (stranger->text == NULL)
        crowd_say (stranger, self->then);
      crowd_watch (self, stranger);
      crowd_be_due (self, stranger, now_us);
    }
}

static void
crowd_run (Crowd *self)
{
  struct epoll_event events[EVENTS_MAX];
  struct epoll_event input = { .events = EPOLLIN };
  gboolean ends = FALSE;

  epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &input);
  while (!ends)
    {
      int n = epoll_wait (self->epoll_fd, events, EVENTS_MAX, 20);
      gint64 now_us = g_get_monotonic_time ();

      for (int i = 0; i < n; i++)
        if (events[i].data.ptr == NULL)
          ends = TRUE;
        else
          crowd_serve (self, events[i].data.ptr, events[i].events);
      crowd_repeat (self, now_us);
      crowd_fill_up (self, now_us);
    }
}

static GString *
crowd_read_text (const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  gsize len;

  if (path == NULL)
    return g_string_new (NULL);
  if (g_file_get_contents (path, &text, &len, &error))
    return g_string_new_len (text, (gssize) len);
  g_printerr ("crowd: %s\n", error->message);
  exit (2);
}

static void
crowd_parse (Options *self, int argc, char **argv)
{
  const GOptionEntry entries[] = {
    { "port", 0, 0, G_OPTION_ARG_INT, &self->port, "of the relay on 127.0.0.1", "PORT" },
    { "count", 0, 0, G_OPTION_ARG_INT, &self->count, "connections that are held", "N" },
    { "sources", 0, 0, G_OPTION_ARG_INT, &self->sources, "addresses that they come from (1)", "N" },
    { "first", 0, 0, G_OPTION_ARG_FILENAME, &self->first_file, "what each sends first", "FILE" },
    { "then", 0, 0, G_OPTION_ARG_FILENAME, &self->then_file, "what each sends later", "FILE" },
    { "every", 0, 0, G_OPTION_ARG_DOUBLE, &self->every, "time between", "SECONDS" },
    { "echo", 0, 0, G_OPTION_ARG_NONE, &self->echo, "send that after each answer, too", NULL },
    { "leave", 0, 0, G_OPTION_ARG_NONE, &self->leave, "leave once the first is sent", NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc > 1 || self->port <= 0
      || self->port > G_MAXUINT16 || self->count <= 0 || self->sources <= 0)
    {
      g_printerr ("crowd: %s\n", error != NULL ? error->message : "see --help");
      exit (2);
    }
}

int
main (int argc, char **argv)
{
  Crowd self = { .options = { .sources = 1 } };
  struct rlimit limit;

  crowd_parse (&self.options, argc, argv);
  if (getrlimit (RLIMIT_NOFILE, &limit) == 0)
    {
      limit.rlim_cur = limit.rlim_max;
      setrlimit (RLIMIT_NOFILE, &limit);
    }
  self.first = crowd_read_text (self.options.first_file);
  self.then = crowd_read_text (self.options.then_file);
  self.epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  self.read = g_malloc (READ_SIZE);
  self.strangers = g_new0 (Stranger, self.options.count);
  for (int i = 0; i < self.options.count; i++)
    {
      self.strangers[i] = (Stranger) { .fd = -1, .link.data = &self.strangers[i] };
      g_queue_push_tail_link (&self.closed, &self.strangers[i].link);
    }
  crowd_run (&self);
  g_print ("opened %" G_GUINT64_FORMAT " closed %" G_GUINT64_FORMAT " bytes %" G_GUINT64_FORMAT
           "\n",
           self.n_opened, self.n_closed, self.n_bytes);
  return 0;
}
