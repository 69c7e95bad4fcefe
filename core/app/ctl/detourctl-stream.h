/* detourctl-stream.h: a connection as a client makes it: TCP, TLS, bytes.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Blocking, with a limit for each step; any thread. */
#pragma once

#include <gio/gio.h>

#include "detourctl-dial-report.h"

G_BEGIN_DECLS

typedef struct {
  int fd;                /* -1: closed */
  GPid pid;              /* of the program that speaks TLS; 0: none */
  gint64 limit_us;       /* of each step */
  GByteArray *in;        /* what came and was not taken yet */
  DetourctlDialTls *tls; /* NULL: in the clear */
} DetourctlStream;

/* A stream that is closed. */
#define DETOURCTL_STREAM_INIT \
  {                           \
    .fd = -1                  \
  }

/* Connects a stream that is closed. */
gboolean detourctl_stream_connect (DetourctlStream *self, GInetAddress *address, guint16 port,
                                   gint64 limit_us, GError **error);

/**
 * detourctl_stream_start_tls:
 * @name: (nullable): asked for, and compared with the certificate
 * @ca: (nullable): file of authorities to trust in the place of the system's; "": nobody is asked
 * whether to trust the chain, which takes most of the time
 *
 * Shakes hands. Whatever certificate there is, the stream can be used then; `tls` describes it.
 *
 * Returns: FALSE with @error set; `tls` may be there and say more.
 */
gboolean detourctl_stream_start_tls (DetourctlStream *self, const char *name, const char *ca,
                                     GError **error);

gboolean detourctl_stream_write (DetourctlStream *self, gconstpointer data, gsize len,
                                 GError **error);
/* Waits until `in` has @len bytes or more. The end of the stream is G_IO_ERROR_CLOSED, a limit that
 * has passed G_IO_ERROR_TIMED_OUT. */
gboolean detourctl_stream_need (DetourctlStream *self, gsize len, GError **error);
/* Reads on until @mark has come; its place in `in`, or -1 with @error set, also when more than @max
 * bytes came without it. */
gssize detourctl_stream_read_to (DetourctlStream *self, const char *mark, gsize max,
                                 gint64 limit_us, GError **error);
/* Forgets the first @len bytes of `in`. */
void detourctl_stream_take (DetourctlStream *self, gsize len);

void detourctl_stream_close (DetourctlStream *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DetourctlStream, detourctl_stream_close)

G_END_DECLS
