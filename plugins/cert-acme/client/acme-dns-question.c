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
#define RESOLVERS_MAX 3
/* In the third byte of the head: also from servers that this one asks. */
#define RECURSION_DESIRED 1
#define RESOLVERS         "/etc/resolv.conf"

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

/* @flags: the third byte of the head. */
static gboolean
acme_dns_question_send (const AcmeDnsServer *server, const char *name, int type, guint8 flags,
                        AcmeDnsReply *out)
{
  guint16 id = (guint16) g_random_int ();
  /* A head with one question; the name follows, then type and class. */
  guint8 question[QUESTION_MAX] = { (guint8) (id >> 8), (guint8) id, flags, 0, 0, 1 };
  gsize len = 12;
  int n = dn_comp (name, question + len, (int) (sizeof question - len - 4), NULL, NULL);

  if (n < 0)
    return FALSE;
  len += (gsize) n;
  question[len + 1] = (guint8) type;
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

gboolean
acme_dns_question_ask (const AcmeDnsServer *server, const char *name, AcmeDnsReply *out)
{
  return acme_dns_question_send (server, name, ns_t_txt, 0, out);
}

/* Resolvers ------------------------------------------------------------------------------------ */

/* FALSE: none of them knows it or that there is nothing of it. Not by res_nquery(), which musl does
 * not have. */
static gboolean
acme_dns_question_resolve (const GPtrArray *resolvers, const char *name, int type,
                           AcmeDnsReply *out)
{
  for (guint i = 0; i < resolvers->len; i++)
    {
      if (!acme_dns_question_send (resolvers->pdata[i], name, type, RECURSION_DESIRED, out))
        continue;
      if (out->code == ns_r_noerror || out->code == ns_r_nxdomain)
        return TRUE;
      acme_dns_reply_clear (out);
    }
  return FALSE;
}

static void
acme_dns_question_add_servers (const GPtrArray *resolvers, const char *host, GPtrArray *servers)
{
  static const int types[] = { ns_t_a, ns_t_aaaa };

  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_auto (AcmeDnsReply) reply = { 0 };

      if (!acme_dns_question_resolve (resolvers, host, types[i], &reply))
        continue;
      for (guint j = 0; j < reply.addresses->len && servers->len < SERVERS_MAX; j++)
        g_ptr_array_add (servers, acme_dns_server_new (reply.addresses->pdata[j]));
    }
}

GPtrArray *
acme_dns_question_find_servers (const char *name, const char *resolvers_file)
{
  GPtrArray *servers = g_ptr_array_new_with_free_func ((GDestroyNotify) acme_dns_server_free);
  g_autoptr (GPtrArray) resolvers = acme_dns_server_list (
      resolvers_file != NULL ? resolvers_file : RESOLVERS, RESOLVERS_MAX);

  for (guint n = 0; n < LABELS_MAX && name != NULL && *name != '\0' && servers->len == 0; n++)
    {
      g_auto (AcmeDnsReply) reply = { 0 };
      const char *dot = strchr (name, '.');

      if (!acme_dns_question_resolve (resolvers, name, ns_t_ns, &reply))
        break;
      for (guint i = 0; i < reply.hosts->len && i < HOSTS_MAX; i++)
        acme_dns_question_add_servers (resolvers, reply.hosts->pdata[i], servers);
      name = dot != NULL ? dot + 1 : NULL;
    }
  return servers;
}
