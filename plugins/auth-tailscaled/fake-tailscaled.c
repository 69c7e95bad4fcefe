/* fake-tailscaled.c: a LocalAPI that behaves as a test wants, on a socket of its own.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-tailscaled.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct {
  FakeManner manner;
  guint status;
  const char *body;
} Reply;

struct _FakeTailscaled {
  int listen_fd;
  int stop_fds[2]; /* readable at the end */
  GThread *thread;
  GPtrArray *conns; /* of GThread; the accepting thread's */

  GMutex lock; /* of all that follows */
  Reply whois, status;
  char *last_head;
  guint n_whois, n_status, n_connections;
  gboolean stops;
  GCond changed; /* n_status or stops */
};

typedef struct {
  FakeTailscaled *fake;
  int fd;
} Conn;

/* FALSE: the end, or the peer is gone. */
static gboolean
fake_tailscaled_wait_for (const FakeTailscaled *self, int fd, short events)
{
  struct pollfd fds[] = { { fd, events, 0 }, { self->stop_fds[0], POLLIN, 0 } };

  poll (fds, G_N_ELEMENTS (fds), -1);
  return fds[1].revents == 0;
}

static gboolean
fake_tailscaled_put (const FakeTailscaled *self, int fd, const char *data, gsize len)
{
  while (len > 0)
    {
      gssize n = send (fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

      if (n <= 0)
        {
          if (!fake_tailscaled_wait_for (self, fd, POLLOUT)
              || send (fd, data, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
            return FALSE;
          n = 1;
        }
      data += n;
      len -= (gsize) n;
    }
  return TRUE;
}

/* A whole request head; NULL: there is none any more. */
static char *
fake_tailscaled_get_head (const FakeTailscaled *self, int fd)
{
  g_autoptr (GString) head = g_string_new (NULL);

  while (strstr (head->str, "\r\n\r\n") == NULL)
    {
      char bytes[4096];
      gssize n;

      if (!fake_tailscaled_wait_for (self, fd, POLLIN))
        return NULL;
      n = recv (fd, bytes, sizeof bytes, MSG_DONTWAIT);
      if (n <= 0)
        return NULL;
      g_string_append_len (head, bytes, n);
    }
  return g_string_free (g_steal_pointer (&head), FALSE);
}

static void
fake_tailscaled_await_status (FakeTailscaled *self)
{
  guint before;

  g_mutex_lock (&self->lock);
  before = self->n_status;
  while (self->n_status == before && !self->stops)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);
}

/* FALSE: the connection is over. */
static gboolean
fake_tailscaled_reply (FakeTailscaled *self, int fd, const Reply *what)
{
  g_autofree char *head = NULL;
  gsize len = strlen (what->body);
  char block[4096];

  switch (what->manner)
    {
    case FAKE_BREAKS_LENGTH:
    case FAKE_CONTRADICTS:
      head = g_strdup_printf (what->manner == FAKE_CONTRADICTS
                                  ? "HTTP/1.1 %u Status\r\nContent-Length: 0\r\nContent-Length: "
                                    "%" G_GSIZE_FORMAT "\r\n\r\n"
                                  : "HTTP/1.1 %u Status\r\nContent-Length: %" G_GSIZE_FORMAT
                                    "x\r\n\r\n",
                              what->status, len);
      return fake_tailscaled_put (self, fd, head, strlen (head))
          && fake_tailscaled_put (self, fd, what->body, len);
    case FAKE_AWAITS_A_STATUS:
      fake_tailscaled_await_status (self);
      G_GNUC_FALLTHROUGH;
    case FAKE_ANSWERS:
      head = g_strdup_printf (
          "HTTP/1.1 %u Status\r\nTailscale-Version: 1.82.0\r\nContent-Length: %" G_GSIZE_FORMAT
          "\r\n\r\n",
          what->status, len);
      return fake_tailscaled_put (self, fd, head, strlen (head))
          && fake_tailscaled_put (self, fd, what->body, len);
    case FAKE_STOPS_HALFWAY:
    case FAKE_HANGS_HALFWAY:
      head = g_strdup_printf ("HTTP/1.1 %u Status\r\nContent-Length: %" G_GSIZE_FORMAT "\r\n\r\n",
                              what->status, len + 10);
      if (fake_tailscaled_put (self, fd, head, strlen (head))
          && fake_tailscaled_put (self, fd, what->body, len) && what->manner == FAKE_HANGS_HALFWAY)
        fake_tailscaled_wait_for (self, fd, POLLIN);
      return FALSE;
    case FAKE_IS_ENDLESS:
      head = g_strdup_printf ("HTTP/1.1 %u Status\r\n\r\n", what->status);
      memset (block, ' ', sizeof block);
      if (fake_tailscaled_put (self, fd, head, strlen (head)))
        while (fake_tailscaled_put (self, fd, block, sizeof block))
          ;
      return FALSE;
    case FAKE_SPEAKS_NO_HTTP:
      fake_tailscaled_put (self, fd, "220 ready\r\n", strlen ("220 ready\r\n"));
      return FALSE;
    case FAKE_SAYS_NOTHING:
      fake_tailscaled_wait_for (self, fd, POLLIN);
      return FALSE;
    case FAKE_CLOSES:
    default:
      return FALSE;
    }
}

static gpointer
fake_tailscaled_serve (gpointer data)
{
  g_autofree Conn *conn = data;
  FakeTailscaled *self = conn->fake;
  char *head;
  gboolean goes_on = TRUE;
  const Reply nothing = { FAKE_ANSWERS, 404, "404 not found\n" };

  while (goes_on && (head = fake_tailscaled_get_head (self, conn->fd)) != NULL)
    {
      gboolean is_whois = strstr (head, "/localapi/v0/whois?") != NULL;
      gboolean is_status = strstr (head, "/localapi/v0/status?") != NULL;
      Reply what;

      g_mutex_lock (&self->lock);
      what = is_whois ? self->whois : is_status ? self->status : nothing;
      self->n_whois += is_whois ? 1 : 0;
      self->n_status += is_status ? 1 : 0;
      g_cond_broadcast (&self->changed);
      if (is_whois)
        {
          g_free (self->last_head);
          self->last_head = g_strdup (head);
        }
      g_mutex_unlock (&self->lock);
      g_free (head);
      goes_on = fake_tailscaled_reply (self, conn->fd, &what);
    }
  close (conn->fd);
  return NULL;
}

static gpointer
fake_tailscaled_run (gpointer data)
{
  FakeTailscaled *self = data;

  while (fake_tailscaled_wait_for (self, self->listen_fd, POLLIN))
    {
      Conn *conn = g_new (Conn, 1);

      conn->fake = self;
      conn->fd = accept4 (self->listen_fd, NULL, NULL, SOCK_CLOEXEC);
      g_assert_cmpint (conn->fd, >=, 0);
      g_mutex_lock (&self->lock);
      self->n_connections++;
      g_mutex_unlock (&self->lock);
      g_ptr_array_add (self->conns, g_thread_new ("conn", fake_tailscaled_serve, conn));
    }
  return NULL;
}

FakeTailscaled *
fake_tailscaled_new (const char *path)
{
  FakeTailscaled *self = g_new0 (FakeTailscaled, 1);
  struct sockaddr_un address = { .sun_family = AF_UNIX };

  g_assert_cmpuint (strlen (path), <, sizeof address.sun_path);
  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  g_remove (path);
  self->listen_fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (bind (self->listen_fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_cmpint (listen (self->listen_fd, 128), ==, 0);
  g_assert_cmpint (pipe2 (self->stop_fds, O_CLOEXEC), ==, 0);
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->conns = g_ptr_array_new ();
  self->whois = (Reply) { FAKE_ANSWERS, 404, "no match for IP:port\n" };
  self->status = (Reply) { FAKE_ANSWERS, 200,
                           "{\"Version\":\"1.82.0\",\"BackendState\":\"Running\"}" };
  self->thread = g_thread_new ("tailscaled", fake_tailscaled_run, self);
  return self;
}

void
fake_tailscaled_free (FakeTailscaled *self)
{
  g_assert_cmpint (write (self->stop_fds[1], "", 1), ==, 1);
  g_mutex_lock (&self->lock);
  self->stops = TRUE;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
  g_thread_join (self->thread);
  for (guint i = 0; i < self->conns->len; i++)
    g_thread_join (self->conns->pdata[i]);
  g_ptr_array_unref (self->conns);
  close (self->listen_fd);
  close (self->stop_fds[0]);
  close (self->stop_fds[1]);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
  g_free (self->last_head);
  g_free (self);
}

static void
fake_tailscaled_set (FakeTailscaled *self, Reply *which, FakeManner manner, guint status,
                     const char *body)
{
  g_mutex_lock (&self->lock);
  *which = (Reply) { manner, status, body };
  g_mutex_unlock (&self->lock);
}

void
fake_tailscaled_whois (FakeTailscaled *self, FakeManner manner, guint status, const char *body)
{
  fake_tailscaled_set (self, &self->whois, manner, status, body);
}

void
fake_tailscaled_status (FakeTailscaled *self, FakeManner manner, guint status, const char *body)
{
  fake_tailscaled_set (self, &self->status, manner, status, body);
}

char *
fake_tailscaled_last_head (FakeTailscaled *self)
{
  char *head;

  g_mutex_lock (&self->lock);
  head = g_strdup (self->last_head);
  g_mutex_unlock (&self->lock);
  return head;
}

static guint
fake_tailscaled_get (FakeTailscaled *self, const guint *number)
{
  guint value;

  g_mutex_lock (&self->lock);
  value = *number;
  g_mutex_unlock (&self->lock);
  return value;
}

guint
fake_tailscaled_n_whois (FakeTailscaled *self)
{
  return fake_tailscaled_get (self, &self->n_whois);
}

guint
fake_tailscaled_n_status (FakeTailscaled *self)
{
  return fake_tailscaled_get (self, &self->n_status);
}

guint
fake_tailscaled_n_connections (FakeTailscaled *self)
{
  return fake_tailscaled_get (self, &self->n_connections);
}
