/* test-websocket-upgrade.c: which requests become a WebSocket, and what the others are answered.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "websocket-upgrade.h"

#include "detour-http-message.h"
#include "test-program.h"

/* The key of RFC 6455, 1.3, and the answer that stands there. */
#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define ACCEPT  "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UP      "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define DERP    "Sec-WebSocket-Protocol: derp\r\n"

static const struct {
  const char *name, *headers;
  guint status;
  const char *has; /* in the answer, beside what every answer of that status has */
} cases[] = {
  { "usual", UP VERSION KEY DERP, 101, "" },
  { "several-protocols", UP VERSION KEY "Sec-WebSocket-Protocol: foo, derp, bar\r\n", 101, "" },
  { "several-headers", UP VERSION KEY "Sec-WebSocket-Protocol: xderp\r\n" DERP, 101, "" },
  { "both-spellings", UP VERSION KEY "Sec-WebSocket-Protocol: DERP ,derp\r\n", 101, "" },
  { "firefox", "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" VERSION KEY DERP, 101,
    "" },
  { "two-connection-headers",
    "Upgrade: websocket\r\nConnection: keep-alive\r\nConnection: UPGRADE\r\n" VERSION KEY DERP, 101,
    "" },
  { "compression-is-not-agreed-on",
    UP VERSION KEY DERP "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
    101, "" },
  { "any-origin", UP VERSION KEY DERP "Origin: https://elsewhere.example\r\n", 101, "" },
  { "no-origin", UP VERSION KEY DERP "Origin: null\r\n", 101, "" },
  { "no-connection", "Upgrade: websocket\r\n" VERSION KEY DERP, 426,
    "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" },
  { "connection-of-other-words",
    "Upgrade: websocket\r\nConnection: upgraded, no-upgrade\r\n" VERSION KEY DERP, 426,
    "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" },
  { "no-version", UP KEY DERP, 400, "\r\nSec-WebSocket-Version: 13\r\n" },
  { "old-version", UP KEY DERP "Sec-WebSocket-Version: 8\r\n", 400,
    "\r\nSec-WebSocket-Version: 13\r\n" },
  { "no-key", UP VERSION DERP, 400, "Sec-WebSocket-Key" },
  { "two-keys", UP VERSION KEY KEY DERP, 400, "Sec-WebSocket-Key" },
  { "short-key", UP VERSION DERP "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub24=\r\n", 400,
    "Sec-WebSocket-Key" },
  { "key-of-18-bytes", UP VERSION DERP "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZXNz\r\n", 400,
    "Sec-WebSocket-Key" },
  { "key-not-base64", UP VERSION DERP "Sec-WebSocket-Key: dGhl-HNhbXBsZSBub25jZQ==\r\n", 400,
    "Sec-WebSocket-Key" },
  { "empty-key", UP VERSION DERP "Sec-WebSocket-Key:\r\n", 400, "Sec-WebSocket-Key" },
  { "no-protocol", UP VERSION KEY, 400, "Sec-WebSocket-Protocol" },
  { "capital-protocol", UP VERSION KEY "Sec-WebSocket-Protocol: DERP\r\n", 400,
    "Sec-WebSocket-Protocol" },
  { "longer-protocol", UP VERSION KEY "Sec-WebSocket-Protocol: derpx\r\n", 400,
    "Sec-WebSocket-Protocol" },
};

static void
test_request (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autofree char *text = g_strdup_printf ("GET /derp HTTP/1.1\r\nHost: h\r\n%s\r\n",
                                           cases[i].headers);
  struct sockaddr_storage peer = { 0 };
  g_autoptr (DetourHttpRequest) request = NULL;
  g_autoptr (DetourHttpResponse) response = detour_http_response_new ();
  g_autoptr (GByteArray) bytes = NULL;
  g_autofree char *wire = NULL;
  g_autofree char *first = g_strdup_printf ("HTTP/1.1 %u ", cases[i].status);
  DetourHttpHead head;

  detour_http_head_init (&head);
  g_assert_cmpint (detour_http_head_parse (&head, (const guint8 *) text, strlen (text)), ==,
                   DETOUR_HTTP_HEAD_OK);
  request = detour_http_request_new (&head, &peer, 0);
  /* As core does it. */
  detour_http_response_begin_upgrade (response, "websocket");
  if (!websocket_upgrade_answer (request, response))
    detour_http_response_refuse_upgrade (response);
  g_assert_cmpuint (detour_http_response_status (response), ==, cases[i].status);

  bytes = detour_http_response_to_bytes (response, request, 0);
  wire = g_strndup ((const char *) bytes->data, bytes->len);
  g_assert_true (g_str_has_prefix (wire, first));
  g_assert_nonnull (strstr (wire, cases[i].has));
  g_assert_null (strstr (wire, "Sec-WebSocket-Extensions"));
  if (cases[i].status == 101)
    g_assert_cmpstr (wire, ==,
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
                     "Upgrade\r\nSec-WebSocket-Accept: " ACCEPT
                     "\r\nSec-WebSocket-Protocol: derp\r\n\r\n");
  else
    g_assert_null (strstr (wire, "Sec-WebSocket-Accept"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  TEST_ADD_ROWS ("/websocket-upgrade/", cases, test_request);
  return g_test_run ();
}
