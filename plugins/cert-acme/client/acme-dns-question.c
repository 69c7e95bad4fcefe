/* acme-dns-question.c: asks name servers: one of our choice, or those of the system.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-dns-question.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <poll.h>
#include <resolv.h>
#include <string.h>
#include <unistd.h>

#define UDP_WAIT_MS   2000
#define TCP_WAIT_MS   4000
#define UDP_TRIES     2
#define QUESTION_MAX  512
#define HOSTS_MAX     8
#define SERVERS_MAX   16
#define LABELS_MAX    16
#define RESOLVER_SIZE 8192

/* One server --------------------------------------------------------------------------------- */

static gboolean
acme_dns_question_poll (int fd, short events, gint64 until_us)
{
  struct pollfd entry = { .fd = fd, .events = events };

  for (;;)
    {
      gint64 left_us = until_us - g_get_monotonic_time ();
      int n = left_us > 0 ? poll (&entry, 1, (int) (left_us / 1000 + 1)) : 0;

      if (n > 0)
        return TRUE;
      if (n == 0 || errno != EINTR)
        return FALSE;
    }
}

/* -1: it cannot be reached. */
static int
acme_dns_question_connect (const AcmeDnsServer *server, int type, gint64 until_us)
{
  int fd = socket (server->address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int error = 0;
  socklen_t len = sizeof error;

  if (fd < 0)
    return -1;
  if (connect (fd, (const struct sockaddr *) &server->address, server->address_len) == 0
      || (errno == EINPROGRESS && acme_dns_question_poll (fd, POLLOUT, until_us)
          && getsockopt (fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0))
    return fd;
  close (fd);
  return -1;
}

/* Reads until the answer to @id comes; others are strays. */
static gboolean
acme_dns_question_receive (int fd, guint16 id, const char *name, gint64 until_us, AcmeDnsReply *out)
{
  g_autofree guint8 *data = g_malloc (ACME_DNS_REPLY_MAX);

  while (acme_dns_question_poll (fd, POLLIN, until_us))
    {
      gssize len = recv (fd, data, ACME_DNS_REPLY_MAX, 0);

      if (len < 0 && errno != EINTR && errno != EAGAIN)
        return FALSE;
      if (len > 0 && acme_dns_reply_read (out, data, (gsize) len, id, name))
        return TRUE;
    }
  return FALSE;
}

static gboolean
acme_dns_question_by_udp (const AcmeDnsServer *server, const guint8 *question, gsize len,
                          guint16 id, const char *name, AcmeDnsReply *out)
{
  gint64 until_us = g_get_monotonic_time () + UDP_WAIT_MS * 1000;
  int fd = acme_dns_question_connect (server, SOCK_DGRAM, until_us);
  gboolean good;

  if (fd < 0)
    return FALSE;
  good = send (fd, question, len, MSG_NOSIGNAL) == (gssize) len
      && acme_dns_question_receive (fd, id, name, until_us, out);
  close (fd);
  return good;
}

/* Exactly @len bytes. */
static gboolean
acme_dns_question_read (int fd, guint8 *data, gsize len, gint64 until_us)
{
  while (len > 0)
    {
      gssize n;

      if (!acme_dns_question_poll (fd, POLLIN, until_us))
        return FALSE;
      n = recv (fd, data, len, 0);
      if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
        return FALSE;
      if (n > 0)
        {
          data += n;
          len -= (gsize) n;
        }
    }
  return TRUE;
}

static gboolean
acme_dns_question_by_tcp (const AcmeDnsServer *server, const guint8 *question, gsize len,
                          guint16 id, const char *name, AcmeDnsReply *out)
{
  gint64 until_us = g_get_monotonic_time () + TCP_WAIT_MS * 1000;
  int fd = acme_dns_question_connect (server, SOCK_STREAM, until_us);
  g_autofree guint8 *data = g_malloc (ACME_DNS_REPLY_MAX);
  guint8 message[2 + QUESTION_MAX] = { (guint8) (len >> 8), (guint8) len };
  guint8 head[2];
  gboolean good;

  if (fd < 0)
    return FALSE;
  memcpy (message + 2, question, len);
  good = send (fd, message, len + 2, MSG_NOSIGNAL) == (gssize) len + 2
      && acme_dns_question_read (fd, head, sizeof head, until_us)
      && acme_dns_question_read (fd, data, (gsize) head[0] << 8 | head[1], until_us)
      && acme_dns_reply_read (out, data, (gsize) head[0] << 8 | head[1], id, name);
  close (fd);
  return good;
}

gboolean
acme_dns_question_ask (const AcmeDnsServer *server, const char *name, AcmeDnsReply *out)
{
  guint16 id = (guint16) g_random_int ();
  /* A head with one question; the name follows, then type and class. */
  guint8 question[QUESTION_MAX] = { (guint8) (id >> 8), (guint8) id, 0, 0, 0, 1 };
  gsize len = 12;
  int n = dn_comp (name, question + len, (int) (sizeof question - len - 4), NULL, NULL);

  if (n < 0)
    return FALSE;
  len += (gsize) n;
  question[len + 1] = ns_t_txt;
  question[len + 3] = ns_c_in;
  len += 4;
  for (guint i = 0; i < UDP_TRIES; i++)
    if (acme_dns_question_by_udp (server, question, len, id, name, out))
      {
        if (!out->is_truncated)
          return TRUE;
        acme_dns_reply_clear (out);
        break;
      }
  return acme_dns_question_by_tcp (server, question, len, id, name, out);
}

/* The system's resolver ------------------------------------------------------------------------ */

static gboolean
acme_dns_question_resolve (res_state resolver, const char *name, int type, AcmeDnsReply *out)
{
  guint8 data[RESOLVER_SIZE];
  int len = res_nquery (resolver, name, ns_c_in, type, data, sizeof data);

  return len >= 2 && len <= (int) sizeof data
      && acme_dns_reply_read (out, data, (gsize) len, (guint16) (data[0] << 8 | data[1]), name);
}

static void
acme_dns_question_add_servers (res_state resolver, const char *host, GPtrArray *servers)
{
  static const int types[] = { ns_t_a, ns_t_aaaa };

  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_auto (AcmeDnsReply) reply = { 0 };

      if (!acme_dns_question_resolve (resolver, host, types[i], &reply))
        continue;
      for (guint j = 0; j < reply.addresses->len && servers->len < SERVERS_MAX; j++)
        g_ptr_array_add (servers, acme_dns_server_new (reply.addresses->pdata[j]));
    }
}

static gboolean
acme_dns_question_init_resolver (struct __res_state *self, const AcmeDnsServer *server)
{
  if (res_ninit (self) < 0)
    return FALSE;
  self->retrans = 2;
  self->retry = 2;
  if (server != NULL && server->address.ss_family == AF_INET)
    {
      self->nscount = 1;
      memcpy (&self->nsaddr_list[0], &server->address, sizeof self->nsaddr_list[0]);
    }
  return TRUE;
}

GPtrArray *
acme_dns_question_find_servers (const char *name, const AcmeDnsServer *resolver)
{
  GPtrArray *servers = g_ptr_array_new_with_free_func ((GDestroyNotify) acme_dns_server_free);
  struct __res_state state = { 0 };

  if (!acme_dns_question_init_resolver (&state, resolver))
    return servers;
  for (guint n = 0; n < LABELS_MAX && name != NULL && *name != '\0' && servers->len == 0; n++)
    {
      g_auto (AcmeDnsReply) reply = { 0 };
      const char *dot = strchr (name, '.');

      if (acme_dns_question_resolve (&state, name, ns_t_ns, &reply))
        for (guint i = 0; i < reply.hosts->len && i < HOSTS_MAX; i++)
          acme_dns_question_add_servers (&state, reply.hosts->pdata[i], servers);
      name = dot != NULL ? dot + 1 : NULL;
    }
  res_nclose (&state);
  return servers;
}
