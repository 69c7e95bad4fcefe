/* detourctl-stun.c: asks a STUN server from which address it sees this host.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-stun.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <netinet/in.h>
#include <sodium.h>
#include <string.h>

#define MAGIC_COOKIE          0x2112a442u
#define BINDING_REQUEST       0x0001u
#define BINDING_SUCCESS       0x0101u
#define ATTRIBUTE_MAPPED      0x0001u
#define ATTRIBUTE_XOR_MAPPED  0x0020u
#define ATTRIBUTE_SOFTWARE    0x8022u
#define ATTRIBUTE_FINGERPRINT 0x8028u
#define FINGERPRINT_MASK      0x5354554eu
#define FINGERPRINT_SIZE      8u
#define HEADER_SIZE           20u
#define MARK                  "tailnode"
#define FAMILY_IPV4           1
#define FAMILY_IPV6           2
#define N_TRIES               3
#define ANSWER_MAX            1500u

static void
ctl_stun_put_u16 (guint8 *out, guint value)
{
  out[0] = (guint8) (value >> 8);
  out[1] = (guint8) value;
}

static void
ctl_stun_put_u32 (guint8 *out, guint32 value)
{
  ctl_stun_put_u16 (out, value >> 16);
  ctl_stun_put_u16 (out + 2, value & 0xffff);
}

static guint
ctl_stun_get_u16 (const guint8 *in)
{
  return (guint) in[0] << 8 | in[1];
}

/* CRC-32 of IEEE 802.3, a bit a step: it is done once. */
static guint32
ctl_stun_crc32 (const guint8 *data, gsize len)
{
  guint32 crc = 0xffffffff;

  for (gsize i = 0; i < len; i++)
    {
      crc ^= data[i];
      for (guint bit = 0; bit < 8; bit++)
        crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
    }
  return ~crc;
}

void
detourctl_stun_request (const guint8 transaction[DETOURCTL_STUN_TRANSACTION_SIZE],
                        guint8 out[DETOURCTL_STUN_REQUEST_SIZE])
{
  guint8 *software = out + HEADER_SIZE, *fingerprint = software + 4 + strlen (MARK);

  ctl_stun_put_u16 (out, BINDING_REQUEST);
  ctl_stun_put_u16 (out + 2, DETOURCTL_STUN_REQUEST_SIZE - HEADER_SIZE);
  ctl_stun_put_u32 (out + 4, MAGIC_COOKIE);
  memcpy (out + 8, transaction, DETOURCTL_STUN_TRANSACTION_SIZE);
  ctl_stun_put_u16 (software, ATTRIBUTE_SOFTWARE);
  ctl_stun_put_u16 (software + 2, strlen (MARK));
  memcpy (software + 4, MARK, strlen (MARK));
  ctl_stun_put_u16 (fingerprint, ATTRIBUTE_FINGERPRINT);
  ctl_stun_put_u16 (fingerprint + 2, 4);
  ctl_stun_put_u32 (fingerprint + 4,
                    ctl_stun_crc32 (out, DETOURCTL_STUN_REQUEST_SIZE - FINGERPRINT_SIZE)
                        ^ FINGERPRINT_MASK);
}

/* @value: of an attribute; @mask: 16 bytes to undo, as they stand in the answer behind its head. */
static GInetSocketAddress *
ctl_stun_read_address (const guint8 *value, gsize len, const guint8 *mask)
{
  guint8 bytes[16];
  gsize size;
  guint16 port;
  g_autoptr (GInetAddress) address = NULL;

  if (len < 8 || (value[1] != FAMILY_IPV4 && value[1] != FAMILY_IPV6))
    return NULL;
  size = value[1] == FAMILY_IPV4 ? 4 : 16;
  if (len - 4 < size)
    return NULL;
  port = (guint16) (ctl_stun_get_u16 (value + 2) ^ (mask != NULL ? MAGIC_COOKIE >> 16 : 0));
  for (gsize i = 0; i < size; i++)
    bytes[i] = value[4 + i] ^ (mask != NULL ? mask[i] : 0);
  address = g_inet_address_new_from_bytes (bytes,
                                           size == 4 ? G_SOCKET_FAMILY_IPV4 : G_SOCKET_FAMILY_IPV6);
  return G_INET_SOCKET_ADDRESS (g_inet_socket_address_new (address, port));
}

GInetSocketAddress *
detourctl_stun_parse (const guint8 *data, gsize len,
                      const guint8 transaction[DETOURCTL_STUN_TRANSACTION_SIZE])
{
  guint8 cookie[4];
  gsize end, at = HEADER_SIZE;

  ctl_stun_put_u32 (cookie, MAGIC_COOKIE);
  if (len < HEADER_SIZE || ctl_stun_get_u16 (data) != BINDING_SUCCESS
      || memcmp (data + 4, cookie, sizeof cookie) != 0
      || memcmp (data + 8, transaction, DETOURCTL_STUN_TRANSACTION_SIZE) != 0
      || ctl_stun_get_u16 (data + 2) > len - HEADER_SIZE)
    return NULL;
  end = HEADER_SIZE + ctl_stun_get_u16 (data + 2);
  while (end - at >= 4)
    {
      guint type = ctl_stun_get_u16 (data + at);
      gsize size = ctl_stun_get_u16 (data + at + 2);

      if (size > end - at - 4)
        return NULL;
      if (type == ATTRIBUTE_XOR_MAPPED || type == ATTRIBUTE_MAPPED)
        return ctl_stun_read_address (data + at + 4, size,
                                      type == ATTRIBUTE_XOR_MAPPED ? data + 4 : NULL);
      at += MIN (4 + ((size + 3) & ~(gsize) 3), end - at);
    }
  return NULL;
}

/* ---- an exchange ----------------------------------------------------------------------------- */

static GSocket *
ctl_stun_open (GInetAddress *server, guint16 port, GInetAddress *from, GError **error)
{
  g_autoptr (GSocketAddress) to = g_inet_socket_address_new (server, port);
  g_autoptr (GSocket) socket = g_socket_new (g_inet_address_get_family (server),
                                             G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, error);

  if (socket == NULL)
    return NULL;
  if (from != NULL)
    {
      g_autoptr (GSocketAddress) own = g_inet_socket_address_new (from, 0);

      if (!g_socket_bind (socket, own, FALSE, error))
        return NULL;
    }
  return g_socket_connect (socket, to, NULL, error) ? g_steal_pointer (&socket) : NULL;
}

/* One try. It has failed as well when the first datagram that comes is not the answer. */
static GInetSocketAddress *
ctl_stun_try (GSocket *socket, const guint8 *transaction, gint64 wait_us, GError **error)
{
  guint8 request[DETOURCTL_STUN_REQUEST_SIZE], answer[ANSWER_MAX];
  GInetSocketAddress *told;
  gssize len;

  detourctl_stun_request (transaction, request);
  if (g_socket_send (socket, (const char *) request, sizeof request, NULL, error) < 0
      || !g_socket_condition_timed_wait (socket, G_IO_IN, wait_us, NULL, error)
      || (len = g_socket_receive (socket, (char *) answer, sizeof answer, NULL, error)) < 0)
    return NULL;
  told = detourctl_stun_parse (answer, (gsize) len, transaction);
  if (told == NULL)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                         _ ("what came is no answer of STUN"));
  return told;
}

gboolean
detourctl_stun_ask (GInetAddress *server, guint16 port, GInetAddress *from, gint64 limit_us,
                    DetourctlStunAnswer *answer, GError **error)
{
  g_autoptr (GSocket) socket = ctl_stun_open (server, port, from, error);
  guint8 transaction[DETOURCTL_STUN_TRANSACTION_SIZE];

  *answer = (DetourctlStunAnswer) { 0 };
  if (socket == NULL)
    return FALSE;
  randombytes_buf (transaction, sizeof transaction);
  for (guint try = 0; try < N_TRIES && answer->told == NULL; try++)
    {
      gint64 began_us = g_get_monotonic_time ();

      g_clear_error (error);
      answer->told = ctl_stun_try (socket, transaction, limit_us / N_TRIES, error);
      answer->took_us = g_get_monotonic_time () - began_us;
      /* Nobody has the port: waiting does not help. */
      if (answer->told == NULL
          && g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
        return FALSE;
    }
  if (answer->told == NULL)
    return FALSE;
  answer->own = G_INET_SOCKET_ADDRESS (g_socket_get_local_address (socket, NULL));
  return TRUE;
}

void
detourctl_stun_answer_clear (DetourctlStunAnswer *self)
{
  g_clear_object (&self->own);
  g_clear_object (&self->told);
}
