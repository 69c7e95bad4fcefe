/* tls-record.c: the form of protected TLS 1.3 records (RFC 8446, section 5).
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-record.h"

#include <string.h>

TlsRecordVerdict
tls_record_parse (const guint8 *data, gsize len, gsize *body_len, TlsAlert *alert)
{
  *body_len = 0;
  if (len > 0 && data[0] != TLS_TYPE_DATA)
    {
      *alert = TLS_ALERT_UNEXPECTED_MESSAGE;
      return TLS_RECORD_BAD;
    }
  if (len < TLS_RECORD_HEAD_SIZE)
    return TLS_RECORD_MORE;
  /* The version has no meaning any more; the tag covers it. */
  *body_len = (gsize) data[3] << 8 | data[4];
  if (*body_len > TLS_RECORD_BODY_MAX)
    {
      *alert = TLS_ALERT_RECORD_OVERFLOW;
      return TLS_RECORD_BAD;
    }
  if (*body_len <= TLS_AEAD_TAG_SIZE)
    {
      /* No room for a type: such a body cannot be opened. */
      *alert = TLS_ALERT_BAD_RECORD_MAC;
      return TLS_RECORD_BAD;
    }
  return len - TLS_RECORD_HEAD_SIZE < *body_len ? TLS_RECORD_MORE : TLS_RECORD_OK;
}

gboolean
tls_record_strip (const guint8 *inner, gsize len, guint8 *type, gsize *text_len, TlsAlert *alert)
{
  gsize n = len;

  if (len > TLS_RECORD_TEXT_MAX + 1)
    {
      *alert = TLS_ALERT_RECORD_OVERFLOW;
      return FALSE;
    }
  for (guint64 block = 0; n >= sizeof block; n -= sizeof block)
    {
      memcpy (&block, inner + n - sizeof block, sizeof block);
      if (block != 0)
        break;
    }
  while (n > 0 && inner[n - 1] == 0)
    n--;
  if (n == 0)
    {
      *alert = TLS_ALERT_UNEXPECTED_MESSAGE;
      return FALSE;
    }
  *type = inner[n - 1];
  *text_len = n - 1;
  return TRUE;
}

void
tls_record_head (guint8 *out, gsize text_len)
{
  gsize body_len = text_len + 1 + TLS_AEAD_TAG_SIZE;

  out[0] = TLS_TYPE_DATA;
  out[1] = 3;
  out[2] = 3;
  out[3] = (guint8) (body_len >> 8);
  out[4] = (guint8) body_len;
}
