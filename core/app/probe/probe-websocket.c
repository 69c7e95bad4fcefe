/* probe-websocket.c: whether a client in a browser would get in.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <sodium.h>
#include <string.h>

#include "detour-frame.h"
#include "probe.h"

#define ACCEPT_SUFFIX "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define KEY_SIZE      16u
/* A message of binary data that is not masked, in one piece. */
#define FIRST_BYTE 0x82u
#define LENGTH_MAX 125u

static char *
probe_websocket_accept (const char *key)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA1);
  guint8 digest[20];
  gsize len = sizeof digest;

  g_checksum_update (checksum, (const guchar *) key, -1);
  g_checksum_update (checksum, (const guchar *) ACCEPT_SUFFIX, -1);
  g_checksum_get_digest (checksum, digest, &len);
  return g_base64_encode (digest, len);
}

/* The greeting, as the first message. */
static gboolean
probe_websocket_await_greeting (DetourctlStream *stream, GError **error)
{
  const guint8 *data;
  guint8 head[2];

  if (!detourctl_stream_need (stream, sizeof head, error))
    return FALSE;
  memcpy (head, stream->in->data, sizeof head);
  if (head[0] != FIRST_BYTE || head[1] > LENGTH_MAX
      || head[1] < DETOUR_FRAME_HEADER_SIZE + DETOUR_FRAME_MAGIC_SIZE + DETOUR_KEY_SIZE)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                           _ ("its first frame is not the greeting of a relay"));
      return FALSE;
    }
  if (!detourctl_stream_need (stream, sizeof head + head[1], error))
    return FALSE;
  data = stream->in->data + sizeof head;
  if (data[0] == DETOUR_FRAME_SERVER_KEY
      && memcmp (data + DETOUR_FRAME_HEADER_SIZE, DETOUR_FRAME_MAGIC, DETOUR_FRAME_MAGIC_SIZE) == 0)
    return TRUE;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                       _ ("its first frame is not the greeting of a relay"));
  return FALSE;
}

static void
probe_websocket_look_at (const Probe *probe, ProbeNode *node, const char *key)
{
  g_autofree char *host = probe_node_host (node);
  g_autofree char *expected = probe_websocket_accept (key);
  g_autofree char *headers = g_strdup_printf (
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Protocol: derp\r\nSec-WebSocket-Key: %s\r\n",
      key);
  g_auto (DetourctlStream) stream = DETOURCTL_STREAM_INIT;
  g_auto (DetourctlHttpAnswer) answer = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char *got = NULL;
  gint64 began_us = 0;

  if (probe_tls_connect (probe, node, probe_node_address (node), &stream, &error))
    began_us = g_get_monotonic_time ();
  if (began_us == 0
      || !detourctl_stream_ask_http (&stream, host, "/derp", headers, &answer, &error))
    {
      probe_note_error (node->results, PROBE_WEBSOCKET, node, "/derp", error);
      return;
    }
  if (answer.status != 101)
    {
      probe_note (
          node->results, PROBE_WEBSOCKET, node, PROBE_WARNING, "no_websocket",
          g_strdup_printf (_ ("WebSocket is answered with %u: clients in browsers do not get "
                              "in"),
                           answer.status));
      return;
    }
  got = detourctl_http_answer_header (&answer, "Sec-WebSocket-Accept");
  if (g_strcmp0 (got, expected) != 0)
    probe_note (node->results, PROBE_WEBSOCKET, node, PROBE_FAILED, "not_accepted",
                g_strdup (_ ("the answer to the upgrade to WebSocket is not the one to our key")));
  else if (!probe_websocket_await_greeting (&stream, &error))
    probe_note_error (node->results, PROBE_WEBSOCKET, node, "WebSocket", error);
  else
    probe_note (node->results, PROBE_WEBSOCKET, node, PROBE_GOOD, "good",
                g_strdup (_ ("the relay greets clients in browsers")))
        ->took_us = g_get_monotonic_time () - began_us;
}

void
probe_websocket_check (const Probe *probe, ProbeNode *node)
{
  guint8 random[KEY_SIZE];
  g_autofree char *key = NULL;

  if (node->entry->stun_only || probe_node_address (node) == NULL)
    return;
  randombytes_buf (random, sizeof random);
  key = g_base64_encode (random, sizeof random);
  probe_websocket_look_at (probe, node, key);
}
