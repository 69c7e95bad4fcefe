/* detourctl-stun.h: asks a STUN server from which address it sees this host.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define DETOURCTL_STUN_REQUEST_SIZE     40u
#define DETOURCTL_STUN_TRANSACTION_SIZE 12u

/* The request that clients send. Pure. */
void detourctl_stun_request (const guint8 transaction[DETOURCTL_STUN_TRANSACTION_SIZE],
                             guint8 out[DETOURCTL_STUN_REQUEST_SIZE]);

/**
 * detourctl_stun_parse:
 * @data: (array length=len): one datagram, of any content
 *
 * Pure.
 *
 * Returns: (transfer full) (nullable): the address that the answer tells; NULL: it is no answer to
 *   that transaction.
 */
GInetSocketAddress *detourctl_stun_parse (
    const guint8 *data, gsize len, const guint8 transaction[DETOURCTL_STUN_TRANSACTION_SIZE]);

/* What an exchange showed. */
typedef struct {
  GInetSocketAddress *own;  /* from which it was asked, as this host has it */
  GInetSocketAddress *told; /* that the server saw */
  gint64 took_us;
} DetourctlStunAnswer;

void detourctl_stun_answer_clear (DetourctlStunAnswer *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DetourctlStunAnswer, detourctl_stun_answer_clear)

/**
 * detourctl_stun_ask:
 * @from: (nullable): address of this host to ask from; NULL: the system chooses
 *
 * Blocking; any thread. The request is sent three times within the limit, since datagrams are lost.
 */
gboolean detourctl_stun_ask (GInetAddress *server, guint16 port, GInetAddress *from,
                             gint64 limit_us, DetourctlStunAnswer *answer, GError **error);

G_END_DECLS
