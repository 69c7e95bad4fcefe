/* tls-message.h: the handshake messages that may still come once the handshake is over.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * They may be cut into records in any way; nothing of them is kept but what is needed to go on. */
#pragma once

#include "tls-record.h"

G_BEGIN_DECLS

typedef struct {
  guint32 left;   /* bytes of the body not received yet */
  guint8 head[4]; /* type and length */
  guint8 have;    /* bytes of the head received; 0: between messages */
} TlsMessage;

typedef enum {
  TLS_MESSAGE_OK,               /* nothing to do */
  TLS_MESSAGE_UPDATE,           /* the peer's keys change with the next record */
  TLS_MESSAGE_UPDATE_REQUESTED, /* and it wants ours changed, too */
  TLS_MESSAGE_BAD,
} TlsMessageVerdict;

/**
 * tls_message_take:
 * @from_server: session tickets are passed over; from a client nothing but KeyUpdate is allowed
 * @len: at least 1
 *
 * Takes the text of one handshake record. A KeyUpdate has to end with it: what follows has other
 * keys.
 */
TlsMessageVerdict tls_message_take (TlsMessage *self, gboolean from_server, const guint8 *data,
                                    gsize len, TlsAlert *alert);

/* Between the parts of one message no other record may come. */
static inline gboolean
tls_message_is_open (const TlsMessage *self)
{
  return self->have > 0;
}

/* @self was read from somewhere: is it a state that taking messages can lead to? */
gboolean tls_message_is_valid (const TlsMessage *self, gboolean from_server);

#define TLS_MESSAGE_KEY_UPDATE_SIZE 5u
/* Writes a KeyUpdate. */
void tls_message_key_update (guint8 *out, gboolean request);

G_END_DECLS
