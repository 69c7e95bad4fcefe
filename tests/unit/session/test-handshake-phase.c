/* test-handshake-phase.c: what the phases before the login make of bytes, and whether the table of
 * states holds together.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-phase.h"

#include "detour-hello-name.h"
#include "detour-http-exchange.h"
#include "test-upper-channel.h"

#include <sodium.h>
#include <string.h>
#include <sys/epoll.h>

/* The record layer ----------------------------------------------------------------------------- */

/* A handshake that ends at the first `!`, answers each call with `.`, and cannot stand an `x`. It
 * takes two bytes in a call, as one does whose output has no more room. */
static DetourChannelResult
fake_handshake (gpointer self, const guint8 *in, gsize len, gsize *used, DetourBuffer *out,
                const char **reason)
{
  out->data[out->len++] = '.';
  for (*used = 0; *used < MIN (len, 2);)
    {
      guint8 byte = in[(*used)++];

      if (byte == '!')
        return DETOUR_CHANNEL_OK;
      if (byte == 'x')
        {
          *reason = "an x";
          return DETOUR_CHANNEL_BAD;
        }
    }
  return DETOUR_CHANNEL_MORE;
}

static const DetourChannelClass settled_class = { .name = "settled" };

static gpointer
fake_settle (gpointer self, const DetourChannelClass **cls)
{
  *cls = &settled_class;
  return self;
}

static const DetourChannelClass fake_class = { .name = "fake",
                                               .handshake = fake_handshake,
                                               .settle = fake_settle };

static void
test_record (void)
{
  static const struct {
    const char *bytes;
    DetourHandshakeState next;
    gsize used;
    const char *sealed;
  } cases[] = {
    { "", DETOUR_HANDSHAKE_RECORD, 0, "." },      { "abcde", DETOUR_HANDSHAKE_RECORD, 5, "..." },
    { "abc!", DETOUR_HANDSHAKE_HEAD, 4, ".." },   { "!records", DETOUR_HANDSHAKE_HEAD, 1, "." },
    { "abx!", DETOUR_HANDSHAKE_CLOSED, 3, ".." },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GByteArray) sealed = g_byte_array_new ();
      DetourChannel channel = { &fake_class, NULL };
      guint8 room[16];
      DetourBuffer scratch = { room, 0, sizeof room };
      DetourHandshakeVerdict verdict = detour_handshake_record_read (
          &channel, (const guint8 *) cases[i].bytes, strlen (cases[i].bytes), &scratch, sealed);

      g_assert_cmpint (verdict.next, ==, cases[i].next);
      g_assert_cmpuint (verdict.used, ==, cases[i].used);
      g_assert_cmpmem (sealed->data, sealed->len, cases[i].sealed, strlen (cases[i].sealed));
      g_assert_true ((channel.cls == &settled_class) == (verdict.next == DETOUR_HANDSHAKE_HEAD));
      if (verdict.next == DETOUR_HANDSHAKE_CLOSED)
        {
          g_assert_cmpint (verdict.reason, ==, DETOUR_CLOSE_HANDSHAKE);
          g_assert_cmpstr (verdict.why, ==, "an x");
        }
    }
}

/* A proxy in front ---------------------------------------------------------------------------- */

static void
test_proxy (void)
{
  static const struct {
    const char *bytes;
    DetourProxyMode mode;
    DetourHandshakeState next;
    gsize used;
    int family;
  } cases[] = {
    { "PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\nGET", DETOUR_PROXY_REQUIRE, DETOUR_HANDSHAKE_RECORD, 33,
      AF_INET },
    { "PROXY UNKNOWN\r\n", DETOUR_PROXY_ACCEPT, DETOUR_HANDSHAKE_RECORD, 15, AF_UNSPEC },
    { "PROXY TCP4", DETOUR_PROXY_ACCEPT, DETOUR_HANDSHAKE_PROXY, 0, AF_UNSPEC },
    { "P", DETOUR_PROXY_ACCEPT, DETOUR_HANDSHAKE_PROXY, 0, AF_UNSPEC },
    { "PUT /", DETOUR_PROXY_ACCEPT, DETOUR_HANDSHAKE_RECORD, 0, AF_UNSPEC },
    { "PUT /", DETOUR_PROXY_REQUIRE, DETOUR_HANDSHAKE_CLOSED, 0, AF_UNSPEC },
    { "PROXY nonsense\r\n", DETOUR_PROXY_ACCEPT, DETOUR_HANDSHAKE_CLOSED, 0, AF_UNSPEC },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      DetourHandshakeVerdict verdict = detour_handshake_proxy_read (
          (const guint8 *) cases[i].bytes, strlen (cases[i].bytes), cases[i].mode);

      g_assert_cmpint (verdict.next, ==, cases[i].next);
      g_assert_cmpuint (verdict.used, ==, cases[i].used);
      g_assert_cmpint (verdict.peer.ss_family, ==, cases[i].family);
      g_assert_true ((verdict.why != NULL) == (verdict.next == DETOUR_HANDSHAKE_CLOSED));
      if (verdict.next == DETOUR_HANDSHAKE_CLOSED)
        g_assert_cmpint (verdict.reason, ==, DETOUR_CLOSE_PROXY);
    }
}

/* Names of others ------------------------------------------------------------------------------ */

static void
test_hello (void)
{
  static const char *const entries[] = { "www.test=127.0.0.1:1", NULL };
  g_autoptr (DetourForwardTable) table = detour_forward_table_new (entries, "relay.test", NULL);
  g_autofree guint8 *room = g_malloc (DETOUR_HELLO_NAME_MESSAGE_MAX);
  DetourHandshakeVerdict verdict;

  verdict = detour_handshake_hello_read ((const guint8 *) "\x16\x03", 2, table, room);
  g_assert_cmpint (verdict.next, ==, DETOUR_HANDSHAKE_HELLO);
  verdict = detour_handshake_hello_read ((const guint8 *) "GET /", 5, table, room);
  g_assert_cmpint (verdict.next, ==, DETOUR_HANDSHAKE_RECORD);
  for (guint i = 0; i < 2; i++)
    {
      static const char *const names[] = { "www.test", "Relay.test" };
      g_autoptr (GByteArray) hello = g_byte_array_new ();
      gsize n = strlen (names[i]);
      /* A record, a message, version and random, three empty lists, and one extension. */
      const guint8 head[] = { 22, 3, 1, 0, (guint8) (56 + n), 1, 0, 0, (guint8) (52 + n), 3, 3 };
      const guint8 tail[] = { 0,
                              0,
                              2,
                              0x13,
                              1,
                              1,
                              0,
                              0,
                              (guint8) (9 + n),
                              0,
                              0,
                              0,
                              (guint8) (5 + n),
                              0,
                              (guint8) (3 + n),
                              0,
                              0,
                              (guint8) n };

      g_byte_array_append (hello, head, sizeof head);
      g_byte_array_set_size (hello, sizeof head + 32);
      memset (hello->data + sizeof head, 7, 32);
      g_byte_array_append (hello, tail, sizeof tail);
      g_byte_array_append (hello, (const guint8 *) names[i], (guint) n);
      g_assert_cmpuint (hello->len, ==, 61 + n);
      verdict = detour_handshake_hello_read (hello->data, hello->len, table, room);
      g_assert_cmpint (verdict.next, ==,
                       i == 0 ? DETOUR_HANDSHAKE_CLOSED : DETOUR_HANDSHAKE_RECORD);
      g_assert_true ((verdict.target != NULL) == (i == 0));
      g_assert_cmpuint (verdict.used, ==, 0);
    }
}

/* HTTP ----------------------------------------------------------------------------------------- */

typedef struct {
  DetourHandshakeVerdict verdict;
  GByteArray *reply;
  DetourHttpUpgrade upgrade;
} Answer;

static void
answer_clear (Answer *self)
{
  g_byte_array_unref (self->reply);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Answer, answer_clear)

static const DetourKey server_key = { { 'S' } };

static Answer
read_head (DetourHttpRoutes *routes, DetourHttpHead *head, const char *bytes, gsize len,
           DetourListenerFlags flags, gboolean is_last)
{
  const struct sockaddr_storage peer = { 0 };
  const DetourHandshakeContext context = {
    .routes = routes,
    .server_key = &server_key,
    .peer = &peer,
    .flags = flags,
    .is_last = is_last,
    .real_us = (gint64) 784111777 * G_USEC_PER_SEC,
  };
  Answer answer = { .reply = g_byte_array_new () };

  answer.verdict = detour_handshake_http_read (head, (const guint8 *) bytes, len, &context,
                                               answer.reply, &answer.upgrade);
  g_byte_array_append (answer.reply, (const guint8 *) "", 1);
  return answer;
}

static void
test_http (void)
{
  static const struct {
    const char *head; /* without its end */
    DetourListenerFlags flags;
    gboolean is_last;
    DetourHandshakeState next;
    const char *reply; /* how it begins */
    DetourClose reason;
  } cases[] = {
    { "GET /derp/probe HTTP/1.1\r\nHost: x", 0, FALSE, DETOUR_HANDSHAKE_ANSWERING,
      "HTTP/1.1 200 OK\r\n", DETOUR_CLOSE_SERVED },
    { "GET /derp/probe HTTP/1.1\r\nHost: x", 0, TRUE, DETOUR_HANDSHAKE_PARTING,
      "HTTP/1.1 200 OK\r\n", DETOUR_CLOSE_SERVED },
    { "GET /derp/probe HTTP/1.1\r\nHost: x\r\nConnection: close", 0, FALSE,
      DETOUR_HANDSHAKE_PARTING, "HTTP/1.1 200 OK\r\n", DETOUR_CLOSE_SERVED },
    { "GET /nothing HTTP/1.1\r\nHost: x", 0, FALSE, DETOUR_HANDSHAKE_ANSWERING, "HTTP/1.1 404 ",
      DETOUR_CLOSE_SERVED },
    { "GET /derp HTTP/1.1\r\nHost: x", DETOUR_LISTENER_DERP, FALSE, DETOUR_HANDSHAKE_ANSWERING,
      "HTTP/1.1 426 ", DETOUR_CLOSE_SERVED },
    { "GET /derp HTTP/1.1\r\nHost: x\r\nUpgrade: DERP", 0, FALSE, DETOUR_HANDSHAKE_ANSWERING,
      "HTTP/1.1 404 ", DETOUR_CLOSE_SERVED },
    { "GET /derp HTTP/1.1\r\nHost: x\r\nUpgrade: DERP", DETOUR_LISTENER_DERP, FALSE,
      DETOUR_HANDSHAKE_LOGIN, "HTTP/1.1 101 ", DETOUR_CLOSE_SERVED },
    { "GET /derp HTTP/1.1\r\nHost: x\r\nUpgrade: DERP\r\nDerp-Fast-Start: 1", DETOUR_LISTENER_DERP,
      TRUE, DETOUR_HANDSHAKE_LOGIN, "\x01", DETOUR_CLOSE_SERVED },
    { "nonsense", DETOUR_LISTENER_DERP, FALSE, DETOUR_HANDSHAKE_PARTING, "HTTP/1.1 400 ",
      DETOUR_CLOSE_HEAD },
  };
  g_autoptr (DetourHttpRoutes) routes = detour_http_routes_new ();

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *bytes = g_strconcat (cases[i].head, "\r\n\r\nwhat follows", NULL);
      gsize head_len = strlen (cases[i].head) + 4;
      DetourHttpHead head;

      /* Byte by byte, as far as it is no request yet, with one head for all. */
      detour_http_head_init (&head);
      for (gsize len = 0; len < head_len && cases[i].reason != DETOUR_CLOSE_HEAD; len++)
        {
          g_auto (Answer) early = read_head (routes, &head, bytes, len, cases[i].flags, FALSE);

          g_assert_cmpint (early.verdict.next, ==, DETOUR_HANDSHAKE_HEAD);
          g_assert_cmpuint (early.verdict.used, ==, 0);
          g_assert_cmpuint (early.reply->len, ==, 1);
        }

      {
        g_auto (Answer) whole = read_head (routes, &head, bytes, strlen (bytes), cases[i].flags,
                                           cases[i].is_last);
        const char *reply = (const char *) whole.reply->data;

        g_assert_cmpint (whole.verdict.next, ==, cases[i].next);
        g_assert_cmpint (whole.verdict.reason, ==, cases[i].reason);
        g_assert_cmpuint (whole.verdict.used, ==,
                          cases[i].reason == DETOUR_CLOSE_HEAD ? strlen (bytes) : head_len);
        g_assert_true (g_str_has_prefix (reply, cases[i].reply));
        g_assert_true ((strstr (reply, "Connection: close") != NULL)
                       == (cases[i].next == DETOUR_HANDSHAKE_PARTING));
        /* The ServerKey frame is the last thing that is sent. */
        if (cases[i].next == DETOUR_HANDSHAKE_LOGIN)
          g_assert_cmpmem (whole.reply->data + whole.reply->len - 1 - DETOUR_KEY_SIZE,
                           DETOUR_KEY_SIZE, server_key.bytes, DETOUR_KEY_SIZE);
      }
    }
}

/* Routes with a body, an answer that comes later, another protocol. */

static void
handle_echo (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  gsize len;
  const guint8 *body = detour_http_request_body (request, &len);

  detour_http_response_set_body (response, "text/plain", (const char *) body, (gssize) len);
}

static DetourHttpExchange *owed;

static void
handle_later (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  owed = detour_http_response_hold (response);
}

static gpointer
upgrade (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response,
         const DetourChannelClass **cls)
{
  *cls = &test_upper_channel;
  return test_upper_channel_new ();
}

static const DetourHttpRoute test_routes[] = {
  { "/echo", DETOUR_HTTP_POST, 0, handle_echo, DETOUR_HTTP_BODY, .body_max = 8 },
  { "/later", DETOUR_HTTP_GET, 0, handle_later },
  { "/derp", DETOUR_HTTP_GET, .protocol = "upper", .upgrade = upgrade },
  { NULL },
};

static DetourHttpRoutes *
test_routes_new (void)
{
  DetourHttpRoutes *routes = detour_http_routes_new ();

  g_assert_nonnull (detour_http_routes_add (routes, "http/test", test_routes, NULL, NULL));
  return routes;
}

/* Nothing is used up before the body is there, and what follows it is left. */
static void
test_body (void)
{
  static const char bytes[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcdefgh";
  g_autoptr (DetourHttpRoutes) routes = test_routes_new ();
  gsize whole = strlen (bytes) - strlen ("fgh");
  DetourHttpHead head;

  detour_http_head_init (&head);
  for (gsize len = 0; len < whole; len++)
    {
      g_auto (Answer) early = read_head (routes, &head, bytes, len, 0, FALSE);

      g_assert_cmpint (early.verdict.next, ==, DETOUR_HANDSHAKE_HEAD);
      g_assert_cmpuint (early.verdict.used, ==, 0);
      g_assert_cmpuint (early.reply->len, ==, 1);
    }
  {
    g_auto (Answer) answer = read_head (routes, &head, bytes, strlen (bytes), 0, FALSE);

    g_assert_cmpint (answer.verdict.next, ==, DETOUR_HANDSHAKE_ANSWERING);
    g_assert_cmpuint (answer.verdict.used, ==, whole);
    g_assert_true (g_str_has_suffix ((const char *) answer.reply->data, "\r\n\r\nabcde"));
  }
}

/* One that is too long is refused unread, and the connection ends. */
static void
test_long_body (void)
{
  static const char bytes[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n";
  g_autoptr (DetourHttpRoutes) routes = test_routes_new ();
  DetourHttpHead head;

  detour_http_head_init (&head);
  {
    g_auto (Answer) answer = read_head (routes, &head, bytes, strlen (bytes), 0, FALSE);

    g_assert_cmpint (answer.verdict.next, ==, DETOUR_HANDSHAKE_PARTING);
    g_assert_true (g_str_has_prefix ((const char *) answer.reply->data, "HTTP/1.1 413 "));
  }
}

static void
test_later (void)
{
  static const char bytes[] = "GET /later HTTP/1.1\r\nHost: x\r\n\r\n";
  g_autoptr (DetourHttpRoutes) routes = test_routes_new ();

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GByteArray) reply = g_byte_array_new ();
      DetourHttpHead head;

      detour_http_head_init (&head);
      {
        g_auto (Answer) answer = read_head (routes, &head, bytes, strlen (bytes), 0, FALSE);
        g_autoptr (DetourHttpExchange) exchange = answer.verdict.exchange;

        g_assert_cmpint (answer.verdict.next, ==, DETOUR_HANDSHAKE_PENDING);
        g_assert_cmpuint (answer.verdict.used, ==, strlen (bytes));
        g_assert_cmpuint (answer.reply->len, ==, 1);
        g_assert_true (exchange == owed);
        detour_http_response_set_status (detour_http_exchange_response (owed), 204);
        detour_http_exchange_send (owed);
        g_assert_cmpint (detour_handshake_http_answer_later (exchange, i == 1, 0, reply), ==,
                         i == 1 ? DETOUR_HANDSHAKE_PARTING : DETOUR_HANDSHAKE_ANSWERING);
      }
      g_byte_array_append (reply, (const guint8 *) "", 1);
      g_assert_true (g_str_has_prefix ((const char *) reply->data, "HTTP/1.1 204 "));
    }
}

static void
test_upgrade (void)
{
  static const char bytes[] = "GET /derp HTTP/1.1\r\nHost: x\r\nUpgrade: Upper\r\n\r\nmore";
  g_autoptr (DetourHttpRoutes) routes = test_routes_new ();
  DetourHttpHead head;

  detour_http_head_init (&head);
  {
    g_auto (Answer)
        answer = read_head (routes, &head, bytes, strlen (bytes), DETOUR_LISTENER_DERP, FALSE);

    g_assert_cmpint (answer.verdict.next, ==, DETOUR_HANDSHAKE_LOGIN);
    g_assert_cmpuint (answer.verdict.used, ==, strlen (bytes) - strlen ("more"));
    g_assert_true (answer.verdict.upper.cls == &test_upper_channel);
    detour_channel_clear (&answer.verdict.upper);
    /* The greeting goes through the new channel, which the caller puts in its place. */
    g_assert_cmpstr ((const char *) answer.reply->data, ==,
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: upper\r\n"
                     "Connection: Upgrade\r\n\r\n");
  }
  detour_http_head_init (&head);
  {
    g_auto (Answer) answer = read_head (routes, &head, bytes, strlen (bytes), 0, FALSE);

    g_assert_cmpint (answer.verdict.next, ==, DETOUR_HANDSHAKE_ANSWERING);
    g_assert_null (answer.verdict.upper.cls);
    g_assert_true (g_str_has_prefix ((const char *) answer.reply->data, "HTTP/1.1 404 "));
  }
}

/* The login ------------------------------------------------------------------------------------ */

static guint8 server_public[32], server_secret[32];

/* A ClientInfo frame of a fresh key, and three bytes behind it. */
static GByteArray *
client_info (const char *text, gsize *frame_len)
{
  GByteArray *bytes = g_byte_array_new ();
  guint8 public[32], secret[32], nonce[24];
  gsize len = strlen (text), payload = DETOUR_LOGIN_CLIENT_INFO_MIN + len;
  g_autofree guint8 *box = g_malloc (len + crypto_box_MACBYTES);
  guint8 header[5] = { DETOUR_FRAME_CLIENT_INFO, 0, 0, (guint8) (payload >> 8), (guint8) payload };

  crypto_box_keypair (public, secret);
  randombytes_buf (nonce, sizeof nonce);
  g_assert_cmpint (crypto_box_easy (box, (const guint8 *) text, len, nonce, server_public, secret),
                   ==, 0);
  g_byte_array_append (bytes, header, sizeof header);
  g_byte_array_append (bytes, public, sizeof public);
  g_byte_array_append (bytes, nonce, sizeof nonce);
  g_byte_array_append (bytes, box, (guint) (len + crypto_box_MACBYTES));
  *frame_len = bytes->len;
  g_byte_array_append (bytes, (const guint8 *) "abc", 3);
  return bytes;
}

static void
test_login (void)
{
  gsize frame_len;
  g_autoptr (GByteArray) bytes = client_info ("{\"version\":2}", &frame_len);
  DetourHandshakeVerdict verdict;
  DetourLogin login = { 0 };

  for (gsize len = 0; len < frame_len; len++)
    {
      g_autofree guint8 *prefix = g_memdup2 (bytes->data, MAX (len, 1));

      verdict = detour_handshake_login_read (prefix, len, server_secret, NULL, &login);
      g_assert_cmpint (verdict.next, ==, DETOUR_HANDSHAKE_LOGIN);
      g_assert_cmpuint (verdict.used, ==, 0);
    }
  verdict = detour_handshake_login_read (bytes->data, bytes->len, server_secret, NULL, &login);
  g_assert_cmpint (verdict.next, ==, DETOUR_HANDSHAKE_ASKING);
  g_assert_cmpuint (verdict.used, ==, frame_len);
  g_assert_cmpmem (login.key.bytes, 32, bytes->data + 5, 32);
  detour_login_clear (&login);
}

static void
test_login_that_does_not_hold (void)
{
  gsize frame_len;
  g_autoptr (GByteArray) bytes = client_info ("{\"version\":2}", &frame_len);
  guint8 junk[] = { 0xff, 0xff, 0xff, 0xff, 0xff };
  DetourHandshakeVerdict verdict;
  DetourLogin login = { 0 };

  verdict = detour_handshake_login_read (junk, sizeof junk, server_secret, NULL, &login);
  g_assert_cmpint (verdict.next, ==, DETOUR_HANDSHAKE_CLOSED);
  g_assert_cmpint (verdict.reason, ==, DETOUR_CLOSE_LOGIN);
  g_assert_nonnull (verdict.why);

  bytes->data[frame_len - 1] ^= 1;
  verdict = detour_handshake_login_read (bytes->data, bytes->len, server_secret, NULL, &login);
  g_assert_cmpint (verdict.next, ==, DETOUR_HANDSHAKE_CLOSED);
  g_assert_cmpint (verdict.reason, ==, DETOUR_CLOSE_LOGIN);
  g_assert_nonnull (verdict.why);
}

/* The table ------------------------------------------------------------------------------------ */

static void
test_table (void)
{
  guint32 reached = 1u << DETOUR_HANDSHAKE_ARRIVED;

  for (guint i = 0; i < DETOUR_HANDSHAKE_N_STATES; i++)
    {
      const DetourHandshakeRow *row = detour_handshake_row ((DetourHandshakeState) i);
      gboolean has_place = row->list == DETOUR_HANDSHAKE_LIST_HALF_OPEN;

      g_test_message ("%s", row->name);
      reached |= row->next;
      if (i == DETOUR_HANDSHAKE_CLOSED)
        {
          g_assert_cmpuint (row->next, ==, 0);
          continue;
        }
      /* Everything can end, and nothing follows itself. */
      g_assert_true (
          detour_handshake_may_follow ((DetourHandshakeState) i, DETOUR_HANDSHAKE_CLOSED));
      g_assert_false (
          detour_handshake_may_follow ((DetourHandshakeState) i, (DetourHandshakeState) i));
      /* The backlog is told of places where there are places. */
      if (row->stage >= DETOUR_HALF_OPEN_ANSWERED)
        g_assert_true (has_place);
      if (row->stage == DETOUR_HALF_OPEN_WAITING || row->stage == DETOUR_HALF_OPEN_UNHEARD)
        g_assert_cmpint (row->list, ==, DETOUR_HANDSHAKE_LIST_WAITING);
      /* A state that reads takes bytes, one that waits for others sees the end of the connection.
       */
      if (detour_handshake_reads ((DetourHandshakeState) i))
        g_assert_true ((has_place || i == DETOUR_HANDSHAKE_PROXY) && (row->events & EPOLLIN) != 0);
      else if (i != DETOUR_HANDSHAKE_ARRIVED && i != DETOUR_HANDSHAKE_NEXT)
        g_assert_true ((row->events & (EPOLLIN | EPOLLRDHUP)) != 0);
      /* Only while the admission is asked, somebody else's limit runs. */
      if (row->limit == DETOUR_HANDSHAKE_LIMIT_NONE)
        g_assert_true (i == DETOUR_HANDSHAKE_ARRIVED || i == DETOUR_HANDSHAKE_ASKING
                       || i == DETOUR_HANDSHAKE_ASKING_AGAIN);
    }
  g_assert_cmphex (reached, ==, (1u << DETOUR_HANDSHAKE_N_STATES) - 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (sodium_init (), >=, 0);
  crypto_box_keypair (server_public, server_secret);
  g_test_add_func ("/handshake-phase/hello", test_hello);
  g_test_add_func ("/handshake-phase/proxy", test_proxy);
  g_test_add_func ("/handshake-phase/record", test_record);
  g_test_add_func ("/handshake-phase/http", test_http);
  g_test_add_func ("/handshake-phase/body", test_body);
  g_test_add_func ("/handshake-phase/long-body", test_long_body);
  g_test_add_func ("/handshake-phase/answer-that-comes-later", test_later);
  g_test_add_func ("/handshake-phase/another-protocol", test_upgrade);
  g_test_add_func ("/handshake-phase/login", test_login);
  g_test_add_func ("/handshake-phase/login-that-does-not-hold", test_login_that_does_not_hold);
  g_test_add_func ("/handshake-phase/table", test_table);
  return g_test_run ();
}
