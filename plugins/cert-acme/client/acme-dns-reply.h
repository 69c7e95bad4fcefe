/* acme-dns-reply.h: what a name server answered.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define ACME_DNS_REPLY_MAX 65535

typedef struct {
  gboolean is_truncated;
  int code;             /* 0: no error; 3: there is no such name */
  GPtrArray *texts;     /* TXT of the answer, each put together from its parts */
  GPtrArray *hosts;     /* NS, of the name that was asked for */
  GPtrArray *addresses; /* A and AAAA, as text */
  char *alias;          /* the last CNAME, or NULL */
} AcmeDnsReply;

/* FALSE: it is no answer to question @id about @name; nothing is to be freed. */
gboolean acme_dns_reply_read (AcmeDnsReply *self, const guint8 *data, gsize len, guint16 id,
                              const char *name) G_GNUC_WARN_UNUSED_RESULT;
void acme_dns_reply_clear (AcmeDnsReply *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AcmeDnsReply, acme_dns_reply_clear)

gboolean acme_dns_reply_has_text (const AcmeDnsReply *self, const char *text);

/* "a.example." and "A.EXAMPLE" are the same. */
gboolean acme_dns_reply_same_name (const char *a, const char *b);

G_END_DECLS
