/* stun-message.h: parses STUN Binding requests and builds success responses.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/socket.h>

G_BEGIN_DECLS

#define STUN_HEADER_SIZE      20
#define STUN_TRANSACTION_SIZE 12
/* Longest response: XOR-MAPPED-ADDRESS with an IPv6 address. */
#define STUN_RESPONSE_MAX 44

/* Result of the checks of a datagram, in their order. Only OK is answered. */
typedef enum {
  STUN_OK,
  STUN_SHORT,       /* shorter than a header */
  STUN_COOKIE,      /* top bits or magic cookie are not those of STUN */
  STUN_TYPE,        /* not a Binding request */
  STUN_ATTRIBUTES,  /* the bytes behind the header are not a list of attributes */
  STUN_SOFTWARE,    /* without the mark of a Tailscale client */
  STUN_FINGERPRINT, /* not ended by a right fingerprint */
  STUN_N_VERDICTS,
} StunVerdict;

/**
 * stun_request_parse:
 * @data: (array length=len): one datagram, of any content
 * @any: also takes requests without SOFTWARE and FINGERPRINT; a fingerprint that is there must
 * still be right
 *
 * The length field of the header is not looked at: clients and servers of this network never did.
 * On STUN_OK the transaction id is the twelve bytes at @data + 8.
 */
StunVerdict stun_request_parse (const guint8 *data, gsize len, gboolean any)
    G_GNUC_WARN_UNUSED_RESULT;

/**
 * stun_response_build:
 * @request: a datagram that stun_request_parse() found to be OK
 * @source: where it came from, AF_INET or AF_INET6; an IPv4-mapped address is told as the IPv4 one
 * @out: room for STUN_RESPONSE_MAX bytes
 *
 * The response is at most one and a half times as long as any request, counted with the headers of
 * UDP and IP.
 *
 * Returns: length of the response in bytes; 0 when @source has another family.
 */
gsize stun_response_build (const guint8 *request, const struct sockaddr *source, guint8 *out)
    G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
