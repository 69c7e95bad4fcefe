/* test-http-upgrade.c: which requests go on as DERP or WebSocket, and what DERP is answered.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-http-upgrade.h"
#include "test-program.h"

#include <string.h>

static const struct {
  const char *name, *headers;
  DetourHttpUpgrade expected;
} cases[] = {
  { "none", "", { DETOUR_HTTP_UPGRADE_NONE, FALSE, FALSE } },
  { "derp",
    "Upgrade: DERP\r\nConnection: Upgrade\r\n",
    { DETOUR_HTTP_UPGRADE_DERP, FALSE, FALSE } },
  { "derp-any-case", "upgrade: dErP\r\n", { DETOUR_HTTP_UPGRADE_DERP, FALSE, FALSE } },
  { "fast-start",
    "Upgrade: DERP\r\nDerp-Fast-Start: 1\r\n",
    { DETOUR_HTTP_UPGRADE_DERP, TRUE, FALSE } },
  { "fast-start-other-value",
    "Upgrade: DERP\r\nDerp-Fast-Start: 11\r\n",
    { DETOUR_HTTP_UPGRADE_DERP, FALSE, FALSE } },
  { "fast-start-true",
    "Upgrade: DERP\r\nDerp-Fast-Start: true\r\n",
    { DETOUR_HTTP_UPGRADE_DERP, FALSE, FALSE } },
  { "ideal-node",
    "Upgrade: DERP\r\nIdeal-Node: 900a\r\n",
    { DETOUR_HTTP_UPGRADE_DERP, FALSE, TRUE } },
  { "ideal-node-empty",
    "Upgrade: DERP\r\nIdeal-Node:\r\n",
    { DETOUR_HTTP_UPGRADE_DERP, FALSE, FALSE } },
  { "both",
    "Ideal-Node: x\r\nDerp-Fast-Start: 1\r\nUpgrade: DERP\r\n",
    { DETOUR_HTTP_UPGRADE_DERP, TRUE, TRUE } },
  { "list", "Upgrade: derp, websocket\r\n", { DETOUR_HTTP_UPGRADE_NONE, FALSE, FALSE } },
  { "other", "Upgrade: h2c\r\n", { DETOUR_HTTP_UPGRADE_NONE, FALSE, FALSE } },
  { "other-first",
    "Upgrade: h2c\r\nUpgrade: DERP\r\n",
    { DETOUR_HTTP_UPGRADE_NONE, FALSE, FALSE } },
  { "derp-first", "Upgrade: DERP\r\nUpgrade: h2c\r\n", { DETOUR_HTTP_UPGRADE_DERP, FALSE, FALSE } },
  { "websocket",
    "Upgrade: websocket\r\nSec-WebSocket-Protocol: derp\r\n",
    { DETOUR_HTTP_UPGRADE_WEBSOCKET, FALSE, FALSE } },
  { "websocket-any-case",
    "Upgrade: WebSocket\r\nSec-WebSocket-Protocol: derp\r\n",
    { DETOUR_HTTP_UPGRADE_WEBSOCKET, FALSE, FALSE } },
  { "websocket-list",
    "Upgrade: websocket\r\nSec-WebSocket-Protocol: foo, derp\r\n",
    { DETOUR_HTTP_UPGRADE_WEBSOCKET, FALSE, FALSE } },
  { "websocket-longer-word",
    "Upgrade: websocket\r\nSec-WebSocket-Protocol: derpx\r\n",
    { DETOUR_HTTP_UPGRADE_WEBSOCKET, FALSE, FALSE } },
  { "websocket-capital-subprotocol",
    "Upgrade: websocket\r\nSec-WebSocket-Protocol: DERP\r\n",
    { DETOUR_HTTP_UPGRADE_DERP, FALSE, FALSE } },
  { "websocket-second-header",
    "Upgrade: websocket\r\nSec-WebSocket-Protocol: foo\r\nSec-WebSocket-Protocol: derp\r\n",
    { DETOUR_HTTP_UPGRADE_DERP, FALSE, FALSE } },
  { "websocket-without-subprotocol",
    "Upgrade: websocket\r\n",
    { DETOUR_HTTP_UPGRADE_DERP, FALSE, FALSE } },
  { "websocket-ignores-flags",
    "Upgrade: websocket\r\nSec-WebSocket-Protocol: derp\r\nDerp-Fast-Start: 1\r\nIdeal-Node: x\r\n",
    { DETOUR_HTTP_UPGRADE_WEBSOCKET, FALSE, FALSE } },
  /* The letters must lie in the value, not run into the next line. */
  { "subprotocol-at-the-edge",
    "Upgrade: websocket\r\nSec-WebSocket-Protocol: der\r\np: x\r\n",
    { DETOUR_HTTP_UPGRADE_DERP, FALSE, FALSE } },
};

static void
test_decision (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  /* Neither method nor version matters. */
  static const char *const fronts[] = { "GET /derp HTTP/1.1\r\nHost: h\r\n",
                                        "POST /derp HTTP/1.0\r\n" };

  for (gsize f = 0; f < G_N_ELEMENTS (fronts); f++)
    {
      g_autofree char *text = g_strconcat (fronts[f], cases[i].headers, "\r\n", NULL);
      DetourHttpUpgrade upgrade;
      DetourHttpHead head;

      detour_http_head_init (&head);
      g_assert_cmpint (detour_http_head_parse (&head, (const guint8 *) text, strlen (text)), ==,
                       DETOUR_HTTP_HEAD_OK);
      upgrade = detour_http_upgrade_of (&head);
      g_assert_cmpint (upgrade.protocol, ==, cases[i].expected.protocol);
      g_assert_cmpint (upgrade.fast_start, ==, cases[i].expected.fast_start);
      g_assert_cmpint (upgrade.not_ideal, ==, cases[i].expected.not_ideal);
    }
}

/* Which program asks, and nothing about it follows from Host. */
static void
test_kind (void)
{
  static const struct {
    const char *head;
    DetourClientKind expected;
  } kinds[] = {
    { "GET /derp HTTP/1.1\r\nHost: h\r\nUser-Agent: Go-http-client/1.1\r\nUpgrade: DERP\r\n",
      DETOUR_CLIENT_GO },
    { "GET /derp HTTP/1.1\r\nHost: h\r\nUser-Agent: Go-http-client/1.1\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Protocol: derp\r\n",
      DETOUR_CLIENT_GO },
    { "GET /derp HTTP/1.1\r\nHost: h\r\nUser-Agent: Go-http\r\nUpgrade: DERP\r\n",
      DETOUR_CLIENT_OTHER },
    { "GET /derp HTTP/1.1\r\nHost: h\r\nUser-Agent: Mozilla/5.0\r\nOrigin: http://x\r\n"
      "Upgrade: websocket\r\nSec-WebSocket-Protocol: derp\r\n",
      DETOUR_CLIENT_BROWSER },
    { "GET /derp HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: derp\r\n",
      DETOUR_CLIENT_OTHER },
    { "GET /derp HTTP/1.1\r\nHost: h\r\nOrigin: http://x\r\nUpgrade: DERP\r\n",
      DETOUR_CLIENT_OTHER },
    { "POST https://192.0.2.1:3340/derp HTTP/1.1\r\nHost: 192.0.2.1\r\nUpgrade: DERP\r\n",
      DETOUR_CLIENT_RUST },
    { "POST /derp HTTP/1.1\r\nHost: h\r\nUpgrade: DERP\r\n", DETOUR_CLIENT_OTHER },
    { "GET https://h/derp HTTP/1.1\r\nHost: h\r\nUpgrade: DERP\r\n", DETOUR_CLIENT_OTHER },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autofree char *text = g_strconcat (kinds[i].head, "\r\n", NULL);
      DetourHttpHead head;

      g_test_message ("%s", text);
      detour_http_head_init (&head);
      g_assert_cmpint (detour_http_head_parse (&head, (const guint8 *) text, strlen (text)), ==,
                       DETOUR_HTTP_HEAD_OK);
      g_assert_cmpint (detour_http_upgrade_of (&head).kind, ==, kinds[i].expected);
    }
}

static void
test_answer (void)
{
  DetourKey key;
  g_autofree guint8 *room = g_malloc0 (3 + DETOUR_HTTP_UPGRADE_ANSWER_SIZE);
  DetourBuffer out = { room, 3, 3 + DETOUR_HTTP_UPGRADE_ANSWER_SIZE };
  g_autofree char *text = NULL;

  for (guint i = 0; i < sizeof key.bytes; i++)
    key.bytes[i] = (guint8) (0xe0 + i);
  detour_http_upgrade_answer (&key, &out);
  g_assert_cmpuint (out.len, ==, out.cap);
  text = g_strndup ((const char *) room + 3, DETOUR_HTTP_UPGRADE_ANSWER_SIZE);
  g_assert_cmpstr (
      text, ==,
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\nConnection: Upgrade\r\nDerp-Version: "
      "2\r\n"
      "Derp-Public-Key: e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff\r\n\r\n");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  TEST_ADD_ROWS ("/http-upgrade/", cases, test_decision);
  g_test_add_func ("/http-upgrade/kind", test_kind);
  g_test_add_func ("/http-upgrade/answer-byte-for-byte", test_answer);
  return g_test_run ();
}
