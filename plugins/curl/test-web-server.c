/* test-web-server.c: a server of HTTP that behaves as a test wants.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-web-server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct _WebServer {
  int listen_fd;
  int stop_fds[2];
  guint16 port;
  GThread *thread;
  GPtrArray *threads; /* of connections; of the thread, then of whoever joins it */

  GMutex lock;
  WebServerManner manner;
  guint status;
  char *headers, *body;
  char *last, *last_head;
  guint n_requests, n_connections, n_now, n_at_once;
};

typedef struct {
  WebServer *server;
  int fd;
} Conn;

/* FALSE: the server ends. */
static gboolean
wait_for (const WebServer *self, int fd, short events)
{
  struct pollfd fds[2] = { { fd, events, 0 }, { self->stop_fds[0], POLLIN, 0 } };

  while (poll (fds, 2, -1) < 0)
    ;
  return fds[1].revents == 0;
}

static gboolean
put (const WebServer *self, int fd, const char *data, gsize len)
{
  while (len > 0)
    {
      gssize n;

      if (!wait_for (self, fd, POLLOUT))
        return FALSE;
      n = send (fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n <= 0)
        return FALSE;
      data += n;
      len -= (gsize) n;
    }
  return TRUE;
}

/* A whole request; NULL: there is none any more. */
static char *
get_request (const WebServer *self, int fd)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (;;)
    {
      const char *end = strstr (text->str, "\r\n\r\n");
      const char *length = strstr (text->str, "\r\nContent-Length: ");
      gsize wanted = length != NULL ? strtoul (length + strlen ("\r\nContent-Length: "), NULL, 10)
                                    : 0;
      char bytes[4096];
      gssize n;

      if (end != NULL && text->len - (gsize) (end + 4 - text->str) >= wanted)
        return g_string_free (g_steal_pointer (&text), FALSE);
      if (!wait_for (self, fd, POLLIN))
        return NULL;
      n = recv (fd, bytes, sizeof bytes, MSG_DONTWAIT);
      if (n <= 0)
        return NULL;
      g_string_append_len (text, bytes, n);
    }
}

/* FALSE: the connection is over. */
static gboolean
reply (const WebServer *self, int fd, WebServerManner manner, guint status, const char *headers,
       const char *body, gboolean is_head)
{
  gsize len = strlen (body);
  gboolean is_short = manner == WEB_SERVER_STOPS_HALFWAY || manner == WEB_SERVER_HANGS_HALFWAY;
  g_autofree char *head = g_strdup_printf (
      "HTTP/1.1 %u Status\r\n%sContent-Length: %" G_GSIZE_FORMAT "%s\r\n\r\n", status, headers,
      is_short ? len + 10 : len, manner == WEB_SERVER_BREAKS_LENGTH ? "x" : "");
  char block[4096];

  memset (block, ' ', sizeof block);
  switch (manner)
    {
    case WEB_SERVER_ANSWERS:
    case WEB_SERVER_BREAKS_LENGTH:
    case WEB_SERVER_HANGS_UP:
      return put (self, fd, head, strlen (head)) && (is_head || put (self, fd, body, len))
          && manner != WEB_SERVER_HANGS_UP;
    case WEB_SERVER_STOPS_HALFWAY:
    case WEB_SERVER_HANGS_HALFWAY:
      if (put (self, fd, head, strlen (head)) && put (self, fd, body, len)
          && manner == WEB_SERVER_HANGS_HALFWAY)
        wait_for (self, fd, POLLIN);
      return FALSE;
    case WEB_SERVER_ENDLESS:
      if (put (self, fd, "HTTP/1.1 200 OK\r\n\r\n", 19))
        while (put (self, fd, block, sizeof block))
          ;
      return FALSE;
    case WEB_SERVER_ENDLESS_HEAD:
      if (put (self, fd, "HTTP/1.1 200 OK\r\n", 17))
        while (put (self, fd, "X: 0123456789\r\n", 15))
          ;
      return FALSE;
    case WEB_SERVER_NO_HTTP:
      put (self, fd, "220 ready\r\n", 11);
      return FALSE;
    case WEB_SERVER_SILENT:
      wait_for (self, fd, POLLIN);
      return FALSE;
    case WEB_SERVER_CLOSES:
    default:
      return FALSE;
    }
}

static gpointer
serve (gpointer data)
{
  g_autofree Conn *conn = data;
  WebServer *self = conn->server;
  char *request;
  gboolean goes_on = TRUE;

  while (goes_on && (request = get_request (self, conn->fd)) != NULL)
    {
      gboolean is_head = g_str_has_prefix (request, "HEAD ");
      g_autofree char *headers = NULL;
      g_autofree char *body = NULL;
      WebServerManner manner;
      guint status;

      g_mutex_lock (&self->lock);
      g_free (is_head ? self->last_head : self->last);
      *(is_head ? &self->last_head : &self->last) = request;
      self->n_requests++;
      self->n_now++;
      self->n_at_once = MAX (self->n_at_once, self->n_now);
      manner = self->manner;
      status = self->status;
      headers = g_strdup (self->headers);
      body = g_strdup (self->body);
      g_mutex_unlock (&self->lock);
      /* Before the answer, whose receiver may send the next request at once. */
      if (manner == WEB_SERVER_ANSWERS || manner == WEB_SERVER_HANGS_UP)
        {
          g_mutex_lock (&self->lock);
          self->n_now--;
          g_mutex_unlock (&self->lock);
        }
      goes_on = reply (self, conn->fd, manner, status, headers, body, is_head);
      if (manner != WEB_SERVER_ANSWERS && manner != WEB_SERVER_HANGS_UP)
        {
          g_mutex_lock (&self->lock);
          self->n_now--;
          g_mutex_unlock (&self->lock);
        }
    }
  close (conn->fd);
  return NULL;
}

static gpointer
run (gpointer data)
{
  WebServer *self = data;
  const int one = 1;

  while (wait_for (self, self->listen_fd, POLLIN))
    {
      Conn *conn = g_new (Conn, 1);

      conn->server = self;
      conn->fd = accept4 (self->listen_fd, NULL, NULL, SOCK_CLOEXEC);
      g_assert_cmpint (conn->fd, >=, 0);
      /* The body goes apart from the head, and would wait 40 ms for its acknowledgement. */
      g_assert_cmpint (setsockopt (conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), ==, 0);
      g_mutex_lock (&self->lock);
      self->n_connections++;
      g_mutex_unlock (&self->lock);
      g_ptr_array_add (self->threads, g_thread_new ("conn", serve, conn));
    }
  return NULL;
}

WebServer *
web_server_new (guint16 port)
{
  WebServer *self = g_new0 (WebServer, 1);
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_port = htons (port),
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t len = sizeof address;
  int one = 1;

  self->listen_fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (setsockopt (self->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), ==, 0);
  g_assert_cmpint (bind (self->listen_fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_cmpint (listen (self->listen_fd, 1024), ==, 0);
  g_assert_cmpint (getsockname (self->listen_fd, (struct sockaddr *) &address, &len), ==, 0);
  g_assert_cmpint (pipe2 (self->stop_fds, O_CLOEXEC), ==, 0);
  self->port = ntohs (address.sin_port);
  g_mutex_init (&self->lock);
  self->threads = g_ptr_array_new ();
  self->status = 200;
  self->headers = g_strdup ("");
  self->body = g_strdup ("{}");
  self->thread = g_thread_new ("web", run, self);
  return self;
}

void
web_server_free (WebServer *self)
{
  g_assert_cmpint (write (self->stop_fds[1], "", 1), ==, 1);
  g_thread_join (self->thread);
  for (guint i = 0; i < self->threads->len; i++)
    g_thread_join (self->threads->pdata[i]);
  g_ptr_array_unref (self->threads);
  close (self->listen_fd);
  close (self->stop_fds[0]);
  close (self->stop_fds[1]);
  g_mutex_clear (&self->lock);
  g_free (self->headers);
  g_free (self->body);
  g_free (self->last);
  g_free (self->last_head);
  g_free (self);
}

guint16
web_server_port (const WebServer *self)
{
  return self->port;
}

char *
web_server_url (const WebServer *self, const char *path)
{
  return g_strdup_printf ("http://127.0.0.1:%u%s", self->port, path);
}

void
web_server_set (WebServer *self, WebServerManner manner, guint status, const char *headers,
                const char *body)
{
  g_mutex_lock (&self->lock);
  self->manner = manner;
  self->status = status;
  g_free (self->headers);
  self->headers = g_strdup (headers);
  g_free (self->body);
  self->body = g_strdup (body);
  g_mutex_unlock (&self->lock);
}

char *
web_server_last (WebServer *self, gboolean is_head)
{
  char *last;

  g_mutex_lock (&self->lock);
  last = g_strdup (is_head ? self->last_head : self->last);
  g_mutex_unlock (&self->lock);
  return last;
}

static guint
get_number (WebServer *self, const guint *number)
{
  guint value;

  g_mutex_lock (&self->lock);
  value = *number;
  g_mutex_unlock (&self->lock);
  return value;
}

guint
web_server_n_requests (WebServer *self)
{
  return get_number (self, &self->n_requests);
}

guint
web_server_n_connections (WebServer *self)
{
  return get_number (self, &self->n_connections);
}

guint
web_server_n_at_once (WebServer *self)
{
  return get_number (self, &self->n_at_once);
}
