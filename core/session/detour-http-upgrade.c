/* detour-http-upgrade.c: how a request for /derp goes on: as DERP, as WebSocket, or not at all.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-http-upgrade.h"

#include <string.h>

static gboolean
http_upgrade_value_is (const DetourHttpHead *head, const DetourHttpHeader *header, const char *text)
{
  return header->value.len == strlen (text)
      && g_ascii_strncasecmp ((const char *) head->data + header->value.start, text,
                              header->value.len)
             == 0;
}

/* Requests look the same through most proxies, which pass on the method and these headers. */
static DetourClientKind
http_upgrade_kind (const DetourHttpHead *head, gboolean is_websocket)
{
  static const char go[] = "Go-http-client/";
  const DetourHttpHeader *agent = detour_http_head_find (head, "User-Agent");

  if (agent != NULL && agent->value.len >= sizeof go - 1
      && memcmp (head->data + agent->value.start, go, sizeof go - 1) == 0)
    return DETOUR_CLIENT_GO;
  if (is_websocket && detour_http_head_find (head, "Origin") != NULL)
    return DETOUR_CLIENT_BROWSER;
  if (head->form == DETOUR_HTTP_TARGET_ABSOLUTE && detour_http_head_is (head, head->method, "POST"))
    return DETOUR_CLIENT_RUST;
  return DETOUR_CLIENT_OTHER;
}

DetourHttpUpgrade
detour_http_upgrade_of (const DetourHttpHead *head)
{
  DetourHttpUpgrade self = { .protocol = DETOUR_HTTP_UPGRADE_NONE };
  const DetourHttpHeader *upgrade = detour_http_head_find (head, "Upgrade");
  const DetourHttpHeader *protocol = detour_http_head_find (head, "Sec-WebSocket-Protocol");
  const DetourHttpHeader *fast = detour_http_head_find (head, "Derp-Fast-Start");
  const DetourHttpHeader *ideal = detour_http_head_find (head, "Ideal-Node");
  gboolean is_websocket;

  if (upgrade == NULL)
    return self;
  is_websocket = http_upgrade_value_is (head, upgrade, "websocket");
  if (!is_websocket && !http_upgrade_value_is (head, upgrade, "derp"))
    return self;
  self.kind = http_upgrade_kind (head, is_websocket);

  /* Very early clients asked for WebSocket and spoke DERP, so it takes a subprotocol to mean it:
   * those letters, in lower case, anywhere in the first such header. */
  if (is_websocket && protocol != NULL
      && g_strstr_len ((const char *) head->data + protocol->value.start, protocol->value.len,
                       "derp")
             != NULL)
    {
      self.protocol = DETOUR_HTTP_UPGRADE_WEBSOCKET;
      return self;
    }
  self.protocol = DETOUR_HTTP_UPGRADE_DERP;
  self.fast_start = fast != NULL && http_upgrade_value_is (head, fast, "1");
  self.not_ideal = ideal != NULL && ideal->value.len > 0;
  return self;
}

void
detour_http_upgrade_answer (const DetourKey *server_key, DetourBuffer *out)
{
  static const char front[] = "HTTP/1.1 101 Switching Protocols\r\n"
                              "Upgrade: DERP\r\n"
                              "Connection: Upgrade\r\n"
                              "Derp-Version: 2\r\n"
                              "Derp-Public-Key: ";
  static const char end[] = "\r\n\r\n";
  char hex[DETOUR_KEY_HEX_SIZE + 1];
  guint8 *at = out->data + out->len;

  G_STATIC_ASSERT (sizeof front - 1 + DETOUR_KEY_HEX_SIZE + sizeof end - 1
                   == DETOUR_HTTP_UPGRADE_ANSWER_SIZE);
  g_assert (out->cap - out->len >= DETOUR_HTTP_UPGRADE_ANSWER_SIZE);

  detour_key_to_hex (server_key, hex);
  memcpy (at, front, sizeof front - 1);
  memcpy (at + sizeof front - 1, hex, DETOUR_KEY_HEX_SIZE);
  memcpy (at + sizeof front - 1 + DETOUR_KEY_HEX_SIZE, end, sizeof end - 1);
  out->len += DETOUR_HTTP_UPGRADE_ANSWER_SIZE;
}
