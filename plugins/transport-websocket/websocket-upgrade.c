/* websocket-upgrade.c: the request that asks for a WebSocket (RFC 6455, 4.2).
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "websocket-upgrade.h"

#include <string.h>

/* Base64 of 16 bytes: 22 digits and two signs that say how many bytes there are. */
#define KEY_LEN    24u
#define KEY_DIGITS 22u
#define GUID       "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define SHA1_SIZE  20u

/* One of the words that stand in all headers of that name, separated by commas. */
static gboolean
websocket_upgrade_has_word (const DetourHttpRequest *request, const char *name, const char *word,
                            gboolean any_case)
{
  const char *value;

  for (guint i = 0; (value = detour_http_request_header_at (request, name, i)) != NULL; i++)
    {
      g_auto (GStrv) words = g_strsplit (value, ",", -1);

      for (guint k = 0; words[k] != NULL; k++)
        {
          const char *found = g_strstrip (words[k]);

          if (any_case ? g_ascii_strcasecmp (found, word) == 0 : strcmp (found, word) == 0)
            return TRUE;
        }
    }
  return FALSE;
}

/* NULL: there is no key, more than one, or not one of 16 bytes. */
static const char *
websocket_upgrade_key (const DetourHttpRequest *request)
{
  const char *key = detour_http_request_header_at (request, "Sec-WebSocket-Key", 0);

  if (key == NULL || detour_http_request_header_at (request, "Sec-WebSocket-Key", 1) != NULL
      || strlen (key) != KEY_LEN || strcmp (key + KEY_DIGITS, "==") != 0)
    return NULL;
  for (guint i = 0; i < KEY_DIGITS; i++)
    if (!g_ascii_isalnum (key[i]) && key[i] != '+' && key[i] != '/')
      return NULL;
  return key;
}

/* By this the client knows that its request was understood, and not answered from a cache. */
static char *
websocket_upgrade_accept (const char *key)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA1);
  guint8 digest[SHA1_SIZE];
  gsize len = sizeof digest;

  g_checksum_update (checksum, (const guchar *) key, -1);
  g_checksum_update (checksum, (const guchar *) GUID, -1);
  g_checksum_get_digest (checksum, digest, &len);
  return g_base64_encode (digest, len);
}

static gboolean
websocket_upgrade_refuse (DetourHttpResponse *response, guint status, const char *why)
{
  detour_http_response_set_status (response, status);
  detour_http_response_set_body (response, "text/plain; charset=utf-8", why, -1);
  return FALSE;
}

gboolean
websocket_upgrade_answer (const DetourHttpRequest *request, DetourHttpResponse *response)
{
  const char *version = detour_http_request_header (request, "Sec-WebSocket-Version");
  const char *key = websocket_upgrade_key (request);
  g_autofree char *accept = NULL;

  if (!websocket_upgrade_has_word (request, "Connection", "upgrade", TRUE))
    return websocket_upgrade_refuse (response, 426, "Connection: Upgrade is missing\n");
  if (version == NULL || strcmp (version, "13") != 0)
    {
      detour_http_response_add_header (response, "Sec-WebSocket-Version", "13");
      return websocket_upgrade_refuse (response, 400, "Sec-WebSocket-Version has to be 13\n");
    }
  if (key == NULL)
    return websocket_upgrade_refuse (
        response, 400, "There has to be one Sec-WebSocket-Key, of 16 bytes in base64\n");
  if (!websocket_upgrade_has_word (request, "Sec-WebSocket-Protocol", WEBSOCKET_PROTOCOL, FALSE))
    return websocket_upgrade_refuse (
        response, 400, "Sec-WebSocket-Protocol has to offer " WEBSOCKET_PROTOCOL "\n");

  accept = websocket_upgrade_accept (key);
  detour_http_response_add_header (response, "Sec-WebSocket-Accept", accept);
  detour_http_response_add_header (response, "Sec-WebSocket-Protocol", WEBSOCKET_PROTOCOL);
  return TRUE;
}
