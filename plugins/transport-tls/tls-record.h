/* tls-record.h: the form of protected TLS 1.3 records (RFC 8446, section 5).
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure functions over bytes; what is refused comes with the alert to send. */
#pragma once

#include <glib.h>

#include "tls-aead.h"

G_BEGIN_DECLS

#define TLS_RECORD_HEAD_SIZE TLS_AEAD_HEAD_SIZE
/* Text of a record, and its body: text, type, padding and tag, with the room that the protocol
 * leaves. */
#define TLS_RECORD_TEXT_MAX 16384u
#define TLS_RECORD_BODY_MAX (TLS_RECORD_TEXT_MAX + 256u)
/* What a record of ours adds to its text: head, type, tag. */
#define TLS_RECORD_OVERHEAD (TLS_RECORD_HEAD_SIZE + 1u + TLS_AEAD_TAG_SIZE)

typedef enum {
  TLS_TYPE_CHANGE_CIPHER_SPEC = 20,
  TLS_TYPE_ALERT = 21,
  TLS_TYPE_HANDSHAKE = 22,
  TLS_TYPE_DATA = 23,
} TlsType;

typedef enum {
  TLS_ALERT_CLOSE_NOTIFY = 0,
  TLS_ALERT_UNEXPECTED_MESSAGE = 10,
  TLS_ALERT_BAD_RECORD_MAC = 20,
  TLS_ALERT_RECORD_OVERFLOW = 22,
  TLS_ALERT_ILLEGAL_PARAMETER = 47,
  TLS_ALERT_DECODE_ERROR = 50,
  TLS_ALERT_INTERNAL_ERROR = 80,
  TLS_ALERT_USER_CANCELED = 90,
} TlsAlert;

typedef enum {
  TLS_RECORD_OK,
  TLS_RECORD_MORE,
  TLS_RECORD_BAD,
} TlsRecordVerdict;

/**
 * tls_record_parse:
 * @body_len: bytes behind the head; also set with MORE once the head is there, else 0
 * @alert: set with BAD
 *
 * Judges the record that begins at @data as soon as the bytes that condemn it are there. After the
 * handshake everything is a record of type data on the outside.
 */
TlsRecordVerdict tls_record_parse (const guint8 *data, gsize len, gsize *body_len, TlsAlert *alert);

/**
 * tls_record_strip:
 * @inner: what a record held: text, type, zeros
 *
 * Finds the type and the length of the text before it. FALSE: @alert is set.
 */
gboolean tls_record_strip (const guint8 *inner, gsize len, guint8 *type, gsize *text_len,
                           TlsAlert *alert);

/* Writes the head of a record for @text_len bytes. */
void tls_record_head (guint8 *out, gsize text_len);

G_END_DECLS
