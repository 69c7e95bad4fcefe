/* detourctl-http.h: a question over HTTP/1.1 on a stream, and the head of its answer.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl-stream.h"

G_BEGIN_DECLS

/* An answer over HTTP/1.1. */
typedef struct {
  guint status;
  char *head; /* the whole head */
} DetourctlHttpAnswer;

/**
 * detourctl_stream_ask_http:
 * @host: for the header Host
 * @path: "/generate_204"
 * @headers: further header lines, each with its CR LF; ""
 *
 * Sends GET and reads the head of the answer; a body stays in the stream.
 */
gboolean detourctl_stream_ask_http (DetourctlStream *self, const char *host, const char *path,
                                    const char *headers, DetourctlHttpAnswer *answer,
                                    GError **error);
/* What clients write as Host: @name, which may be an address of IPv6, and @port unless it is the
 * @usual one; free with g_free(). Pure. */
char *detourctl_http_host (const char *name, guint16 port, guint16 usual);
/* Value of a header; free with g_free(); NULL: there is none. */
char *detourctl_http_answer_header (const DetourctlHttpAnswer *self, const char *name);
void detourctl_http_answer_clear (DetourctlHttpAnswer *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DetourctlHttpAnswer, detourctl_http_answer_clear)

G_END_DECLS
