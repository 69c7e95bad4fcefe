/* test-acme-dns.c: questions to name servers, and how those of a zone are found, against a small
 * server.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-dns-question.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <poll.h>
#include <resolv.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX 4096

/* What the server knows. */
static const struct {
  const char *name;
  int type;
  const char *data; /* a text, a name or an address */
} records[] = {
  { "w.test", ns_t_ns, "ns1.w.test" },
  { "w.test", ns_t_ns, "ns2.other.test" },
  { "w.test", ns_t_ns, "gone.other.test" },
  { "ns1.w.test", ns_t_a, "127.0.0.1" },
  { "ns1.w.test", ns_t_aaaa, "::1" },
  { "ns2.other.test", ns_t_a, "127.0.0.2" },
  { "_acme-challenge.w.test", ns_t_txt, "one" },
  { "_acme-challenge.w.test", ns_t_txt, "two" },
  { "alias.w.test", ns_t_cname, "elsewhere.example" },
  { "large.w.test", ns_t_txt, "over TCP" },
  { "strays.w.test", ns_t_txt, "the right one" },
};

typedef struct {
  int udp, tcp;
  int wake[2];
  int code; /* not 0: of each answer, which has nothing in it */
  GThread *thread;
  AcmeDnsServer *self;
} Server;

static void
put_record (GByteArray *message, int type, const char *data)
{
  guint8 bytes[256];
  gsize len;
  guint8 head[] = { 0xc0, 12, 0, (guint8) type, 0, ns_c_in, 0, 0, 0, 60, 0, 0 };

  if (type == ns_t_a || type == ns_t_aaaa)
    {
      g_assert_cmpint (inet_pton (type == ns_t_a ? AF_INET : AF_INET6, data, bytes), ==, 1);
      len = type == ns_t_a ? 4 : 16;
    }
  else if (type == ns_t_txt)
    {
      len = strlen (data) + 1;
      bytes[0] = (guint8) (len - 1);
      memcpy (bytes + 1, data, len - 1);
    }
  else
    len = (gsize) dn_comp (data, bytes, sizeof bytes, NULL, NULL);
  head[11] = (guint8) len;
  g_byte_array_append (message, head, sizeof head);
  g_byte_array_append (message, bytes, (guint) len);
}

/* The answer to the question in @data. */
static GByteArray *
make_reply (const guint8 *data, gsize len, gboolean is_tcp, int code, char name[NS_MAXDNAME])
{
  GByteArray *reply = g_byte_array_new ();
  int name_len = dn_expand (data, data + len, data + 12, name, NS_MAXDNAME);
  int type = data[12 + name_len + 1];
  gboolean is_cut = !is_tcp && strcmp (name, "large.w.test") == 0;

  g_byte_array_append (reply, data, (guint) (12 + name_len + 4));
  reply->data[2] = is_cut ? 0x86 : 0x84;
  reply->data[3] = (guint8) code;
  memset (reply->data + 6, 0, 6);
  for (guint i = 0; i < G_N_ELEMENTS (records) && !is_cut && code == ns_r_noerror; i++)
    if (strcmp (records[i].name, name) == 0
        && (records[i].type == type || records[i].type == ns_t_cname))
      {
        put_record (reply, records[i].type, records[i].data);
        reply->data[7]++;
      }
  return reply;
}

static void
send_strays (int fd, GByteArray *reply, const struct sockaddr_in *to)
{
  static const guint8 noise[] = "no message";

  reply->data[0] ^= 0xff;
  sendto (fd, reply->data, reply->len, 0, (const struct sockaddr *) to, sizeof *to);
  reply->data[0] ^= 0xff;
  sendto (fd, noise, sizeof noise, 0, (const struct sockaddr *) to, sizeof *to);
  sendto (fd, reply->data, 12, 0, (const struct sockaddr *) to, sizeof *to);
}

static void
serve_udp (int fd, int code)
{
  guint8 data[MESSAGE_MAX];
  char name[NS_MAXDNAME];
  struct sockaddr_in from;
  socklen_t from_len = sizeof from;
  gssize len = recvfrom (fd, data, sizeof data, 0, (struct sockaddr *) &from, &from_len);
  g_autoptr (GByteArray) reply = make_reply (data, (gsize) len, FALSE, code, name);

  if (strcmp (name, "strays.w.test") == 0)
    send_strays (fd, reply, &from);
  sendto (fd, reply->data, reply->len, 0, (const struct sockaddr *) &from, from_len);
}

static void
serve_tcp (int listener, int code)
{
  guint8 data[MESSAGE_MAX];
  char name[NS_MAXDNAME];
  int fd = accept (listener, NULL, NULL);
  gssize len = recv (fd, data, sizeof data, 0);
  g_autoptr (GByteArray) reply = make_reply (data + 2, (gsize) len - 2, TRUE, code, name);
  guint8 head[] = { (guint8) (reply->len >> 8), (guint8) reply->len };

  /* In pieces, as it may come. */
  g_assert_cmpint (send (fd, head, 1, 0), ==, 1);
  g_assert_cmpint (send (fd, head + 1, 1, 0), ==, 1);
  g_assert_cmpint (send (fd, reply->data, reply->len, 0), ==, reply->len);
  close (fd);
}

static gpointer
serve (gpointer data)
{
  Server *server = data;
  struct pollfd fds[] = { { server->udp, POLLIN, 0 },
                          { server->tcp, POLLIN, 0 },
                          { server->wake[0], POLLIN, 0 } };

  while (poll (fds, G_N_ELEMENTS (fds), -1) > 0 && fds[2].revents == 0)
    {
      if (fds[0].revents != 0)
        serve_udp (server->udp, server->code);
      if (fds[1].revents != 0)
        serve_tcp (server->tcp, server->code);
    }
  return NULL;
}

/* Both protocols on one port. */
static void
server_start (Server *self, int code)
{
  struct sockaddr_in address;
  socklen_t len = sizeof address;
  g_autofree char *text = NULL;

  for (;;)
    {
      address = (struct sockaddr_in) { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
      self->tcp = socket (AF_INET, SOCK_STREAM, 0);
      self->udp = socket (AF_INET, SOCK_DGRAM, 0);
      g_assert_cmpint (bind (self->tcp, (struct sockaddr *) &address, sizeof address), ==, 0);
      g_assert_cmpint (getsockname (self->tcp, (struct sockaddr *) &address, &len), ==, 0);
      g_assert_cmpint (listen (self->tcp, 4), ==, 0);
      if (bind (self->udp, (struct sockaddr *) &address, sizeof address) == 0)
        break;
      close (self->tcp);
      close (self->udp);
    }
  g_assert_cmpint (pipe (self->wake), ==, 0);
  text = g_strdup_printf ("127.0.0.1:%u", ntohs (address.sin_port));
  self->self = acme_dns_server_new (text);
  self->code = code;
  self->thread = g_thread_new ("server", serve, self);
}

static void
server_stop (Server *self)
{
  g_assert_cmpint (write (self->wake[1], "", 1), ==, 1);
  g_thread_join (self->thread);
  close (self->udp);
  close (self->tcp);
  close (self->wake[0]);
  close (self->wake[1]);
  acme_dns_server_free (self->self);
}

static char *
texts_of (const GPtrArray *servers)
{
  GString *all = g_string_new (NULL);

  for (guint i = 0; i < servers->len; i++)
    g_string_append_printf (all, "%s ", ((AcmeDnsServer *) servers->pdata[i])->text);
  return g_string_free (all, FALSE);
}

static void
test_servers (void)
{
  static const struct {
    const char *text;
    int family; /* 0: refused */
    guint port;
  } cases[] = {
    { "203.0.113.53", AF_INET, 53 },
    { "203.0.113.53:5353", AF_INET, 5353 },
    { "2001:db8::53", AF_INET6, 53 },
    { "[2001:db8::53]", AF_INET6, 53 },
    { "[2001:db8::53]:54", AF_INET6, 54 },
    { "fe80::53%lo", AF_INET6, 53 },
    { "fe80::53%nothing", 0, 0 },
    { "203.0.113.53%lo", 0, 0 },
    { "203.0.113.53:", 0, 0 },
    { "203.0.113.53:0", 0, 0 },
    { "203.0.113.53:65536", 0, 0 },
    { "ns.example", 0, 0 },
    { "", 0, 0 },
    { "[", 0, 0 },
    { "[]:53", 0, 0 },
    { ":53", 0, 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      AcmeDnsServer *server = acme_dns_server_new (cases[i].text);

      g_test_message ("%s", cases[i].text);
      g_assert_cmpint (server != NULL ? server->address.ss_family : 0, ==, cases[i].family);
      if (server == NULL)
        continue;
      /* In both families the port has the same place. */
      g_assert_cmpuint (ntohs (((struct sockaddr_in *) &server->address)->sin_port), ==,
                        cases[i].port);
      acme_dns_server_free (server);
    }
}

static void
test_resolvers (void)
{
  static const struct {
    const char *text, *expected;
  } cases[] = {
    { "search example\nnameserver 203.0.113.1\n\tnameserver \t2001:db8::53 # a remark\n",
      "203.0.113.1 2001:db8::53 " },
    { "nameserver 203.0.113.1\r\nnameserver fe80::1%lo\n", "203.0.113.1 fe80::1%lo " },
    { "nameserver\nnameservers 203.0.113.1\n#nameserver 203.0.113.2\nnameserver host\n",
      "127.0.0.1 " },
    { "nameserver 203.0.113.1\nnameserver 203.0.113.2\nnameserver 203.0.113.3",
      "203.0.113.1 203.0.113.2 " },
    { "", "127.0.0.1 " },
  };
  g_autofree char *folder = g_dir_make_tmp ("detour-test-XXXXXX", NULL);
  g_autofree char *file = g_build_filename (folder, "resolv.conf", NULL);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GPtrArray) servers = NULL;
      g_autofree char *all = NULL;

      g_assert_true (g_file_set_contents (file, cases[i].text, -1, NULL));
      servers = acme_dns_server_list (file, 2);
      all = texts_of (servers);
      g_assert_cmpstr (all, ==, cases[i].expected);
    }
  g_assert_cmpint (g_unlink (file), ==, 0);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

static void
test_answers (void)
{
  Server server;
  static const struct {
    const char *name, *text;
  } cases[] = {
    { "_acme-challenge.w.test", "one" },
    { "_acme-challenge.w.test", "two" },
    { "large.w.test", "over TCP" },
    { "strays.w.test", "the right one" },
  };

  server_start (&server, ns_r_noerror);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (AcmeDnsReply) reply = { 0 };

      g_test_message ("%s", cases[i].name);
      g_assert_true (acme_dns_question_ask (server.self, cases[i].name, &reply));
      g_assert_true (acme_dns_reply_has_text (&reply, cases[i].text));
      g_assert_false (acme_dns_reply_has_text (&reply, "on"));
    }
  server_stop (&server);
}

static void
test_alias (void)
{
  Server server;
  g_auto (AcmeDnsReply) reply = { 0 };
  g_auto (AcmeDnsReply) none = { 0 };

  server_start (&server, ns_r_noerror);
  g_assert_true (acme_dns_question_ask (server.self, "alias.w.test", &reply));
  g_assert_cmpstr (reply.alias, ==, "elsewhere.example");
  g_assert_true (acme_dns_question_ask (server.self, "nothing.w.test", &none));
  g_assert_cmpuint (none.texts->len, ==, 0);
  g_assert_null (none.alias);
  server_stop (&server);
}

/* The first resolver has gone, the second has no answer to anything. */
static void
test_zone (void)
{
  Server server, failing, gone;
  g_autofree char *folder = g_dir_make_tmp ("detour-test-XXXXXX", NULL);
  g_autofree char *file = g_build_filename (folder, "resolv.conf", NULL);
  g_autofree char *text = NULL, *all = NULL;
  g_autoptr (GPtrArray) servers = NULL;
  g_autoptr (GPtrArray) none = NULL;

  server_start (&server, ns_r_noerror);
  server_start (&failing, ns_r_servfail);
  server_start (&gone, ns_r_noerror);
  text = g_strdup_printf ("nameserver %s\nnameserver %s\nnameserver %s\n", gone.self->text,
                          failing.self->text, server.self->text);
  server_stop (&gone);
  g_assert_true (g_file_set_contents (file, text, -1, NULL));
  servers = acme_dns_question_find_servers ("_acme-challenge.host.w.test", file);
  all = texts_of (servers);
  g_assert_cmpstr (all, ==, "127.0.0.1 ::1 127.0.0.2 ");
  none = acme_dns_question_find_servers ("_acme-challenge.host.example", file);
  g_assert_cmpuint (none->len, ==, 0);
  server_stop (&failing);
  server_stop (&server);
  g_assert_cmpint (g_unlink (file), ==, 0);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

static void
test_nobody (void)
{
  Server server;
  AcmeDnsServer *gone;
  g_auto (AcmeDnsReply) reply = { 0 };

  /* A port that was free a moment ago. */
  server_start (&server, ns_r_noerror);
  gone = acme_dns_server_new (server.self->text);
  server_stop (&server);
  g_assert_false (acme_dns_question_ask (gone, "_acme-challenge.w.test", &reply));
  acme_dns_server_free (gone);
}

static void
test_prefixes (void)
{
  static const guint8
      question[] = "\0\7\0\0\0\1\0\0\0\0\0\0\x0f_acme-challenge\1w\4test\0\0\x10\0\1";
  char name[NS_MAXDNAME];
  g_autoptr (GByteArray)
      whole = make_reply (question, sizeof question - 1, TRUE, ns_r_noerror, name);
  AcmeDnsReply reply;

  for (guint len = 0; len < whole->len; len++)
    {
      g_autofree guint8 *exact = len > 0 ? g_memdup2 (whole->data, len) : g_malloc (1);

      if (acme_dns_reply_read (&reply, exact, len, 7, name))
        acme_dns_reply_clear (&reply);
    }
  g_assert_true (
      acme_dns_reply_read (&reply, whole->data, whole->len, 7, "_ACME-challenge.w.test."));
  g_assert_cmpuint (reply.texts->len, ==, 2);
  acme_dns_reply_clear (&reply);
  g_assert_false (acme_dns_reply_read (&reply, whole->data, whole->len, 8, name));
  g_assert_false (acme_dns_reply_read (&reply, whole->data, whole->len, 7, "w.test"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/acme-dns/servers", test_servers);
  g_test_add_func ("/acme-dns/resolvers", test_resolvers);
  g_test_add_func ("/acme-dns/answers", test_answers);
  g_test_add_func ("/acme-dns/alias", test_alias);
  g_test_add_func ("/acme-dns/zone", test_zone);
  g_test_add_func ("/acme-dns/nobody", test_nobody);
  g_test_add_func ("/acme-dns/prefixes", test_prefixes);
  return g_test_run ();
}
