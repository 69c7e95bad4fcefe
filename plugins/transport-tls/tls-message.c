/* tls-message.c: the handshake messages that may still come once the handshake is over.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-message.h"

#include <string.h>

#define NEW_SESSION_TICKET 4
#define KEY_UPDATE         24

/* Larger than any ticket needs to be. */
#define TICKET_MAX 65536u

static guint32
tls_message_body_len (const TlsMessage *self)
{
  return (guint32) self->head[1] << 16 | (guint32) self->head[2] << 8 | self->head[3];
}

/* Bytes of the head received so far. */
static gboolean
tls_message_head_is_good (const TlsMessage *self, gboolean from_server, TlsAlert *alert)
{
  gboolean is_ticket = self->head[0] == NEW_SESSION_TICKET && from_server;

  if (self->have > 0 && self->head[0] != KEY_UPDATE && !is_ticket)
    {
      *alert = TLS_ALERT_UNEXPECTED_MESSAGE;
      return FALSE;
    }
  if (self->have == sizeof self->head
      && (self->head[0] == KEY_UPDATE ? tls_message_body_len (self) != 1
                                      : tls_message_body_len (self) > TICKET_MAX))
    {
      *alert = TLS_ALERT_DECODE_ERROR;
      return FALSE;
    }
  return TRUE;
}

static TlsMessageVerdict
tls_message_take_key_update (guint8 request, gsize behind, TlsAlert *alert)
{
  if (request > 1)
    {
      *alert = TLS_ALERT_ILLEGAL_PARAMETER;
      return TLS_MESSAGE_BAD;
    }
  if (behind > 0)
    {
      *alert = TLS_ALERT_UNEXPECTED_MESSAGE;
      return TLS_MESSAGE_BAD;
    }
  return request != 0 ? TLS_MESSAGE_UPDATE_REQUESTED : TLS_MESSAGE_UPDATE;
}

TlsMessageVerdict
tls_message_take (TlsMessage *self, gboolean from_server, const guint8 *data, gsize len,
                  TlsAlert *alert)
{
  while (len > 0)
    {
      gsize n;

      if (self->have < sizeof self->head)
        {
          self->head[self->have++] = *data++;
          len--;
          if (!tls_message_head_is_good (self, from_server, alert))
            return TLS_MESSAGE_BAD;
          if (self->have < sizeof self->head)
            continue;
          self->left = tls_message_body_len (self);
          if (self->left == 0)
            self->have = 0;
          continue;
        }

      if (self->head[0] == KEY_UPDATE)
        {
          memset (self, 0, sizeof *self);
          return tls_message_take_key_update (*data, len - 1, alert);
        }
      n = MIN (len, self->left);
      data += n;
      len -= n;
      self->left -= (guint32) n;
      if (self->left == 0)
        self->have = 0;
    }
  return TLS_MESSAGE_OK;
}

gboolean
tls_message_is_valid (const TlsMessage *self, gboolean from_server)
{
  TlsAlert alert;

  if (self->have > sizeof self->head || !tls_message_head_is_good (self, from_server, &alert))
    return FALSE;
  if (self->have < sizeof self->head)
    return self->left == 0;
  return self->left > 0 && self->left <= tls_message_body_len (self);
}

void
tls_message_key_update (guint8 *out, gboolean request)
{
  out[0] = KEY_UPDATE;
  out[1] = 0;
  out[2] = 0;
  out[3] = 1;
  out[4] = request ? 1 : 0;
}
