/* detour-http-head.h: the head of an HTTP/1.x request, parsed from bytes.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A pure function over bytes: no socket, no clock, no allocation. It is the first thing that meets
 * a stranger's bytes, so it is strict where HTTP lets a reader choose: lines end with CR LF, no
 * folded lines, one Host, one Content-Length, no Transfer-Encoding. Percent-encoding is left
 * alone: a path is the bytes of the request, and "/%64erp" is another path than "/derp". */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define DETOUR_HTTP_HEAD_MAX \
  16384u /* bytes of the whole head, the empty line included; past it 431 */
#define DETOUR_HTTP_HEAD_HEADERS_MAX 64u   /* past it 431 */
#define DETOUR_HTTP_HEAD_TARGET_MAX  8192u /* bytes of the request target; past it 414 */
#define DETOUR_HTTP_HEAD_METHOD_MAX  32u   /* bytes of the method; past it 400 */

typedef enum {
  DETOUR_HTTP_HEAD_OK,   /* the head is complete */
  DETOUR_HTTP_HEAD_MORE, /* valid so far, the end is missing */
  DETOUR_HTTP_HEAD_BAD,  /* refused: `status` and `reason` say why */
} DetourHttpHeadResult;

typedef enum {
  DETOUR_HTTP_TARGET_ORIGIN,    /* /path?query */
  DETOUR_HTTP_TARGET_ABSOLUTE,  /* http://host/path?query */
  DETOUR_HTTP_TARGET_AUTHORITY, /* host:port, of CONNECT only */
} DetourHttpTargetForm;

/* A part of the head: offset from its first byte and length, both in bytes. */
typedef struct {
  guint16 start, len;
} DetourHttpSpan;

typedef struct {
  DetourHttpSpan name, value; /* without the blanks around the value */
} DetourHttpHeader;

/* Lives wherever the caller likes. Spans refer to `data`, which is borrowed from the last call of
 * parse. */
typedef struct {
  const guint8 *data;

  /* Private to the parser: its position, so that no byte is read twice. */
  guint16 pos, mark;
  guint8 state;

  /* After BAD. */
  guint16 status;     /* of the response: 400, 414, 431, 501, 505 */
  const char *reason; /* static, one line without a full stop */

  /* After OK. */
  guint16 len;  /* of the head; the bytes behind it belong to the next protocol */
  guint8 minor; /* 0 or 1 of HTTP/1.x; a higher one counts as 1 */
  guint8 n_headers;
  DetourHttpTargetForm form;
  DetourHttpSpan method; /* a token, compared with regard to case */
  DetourHttpSpan target; /* as it was received */
  DetourHttpSpan
      path; /* begins with `/`, or is empty: for CONNECT, and for an absolute form without a path */
  DetourHttpSpan query; /* behind the first `?`; empty when there is none */
  DetourHttpSpan
      host; /* NAME, NAME:PORT, ADDRESS, [V6]:PORT…: only bytes legal there; may be empty */
  gboolean has_content_length;
  guint64 content_length; /* bytes of the body; 0 without that header */
  DetourHttpHeader headers[DETOUR_HTTP_HEAD_HEADERS_MAX];
} DetourHttpHead;

/* Makes @self ready for the first byte of a request. */
void detour_http_head_init (DetourHttpHead *self);

/**
 * detour_http_head_parse:
 * @self: begun with detour_http_head_init()
 * @data: (array length=len): everything received since the first byte of the request. Between calls
 * it may grow and move, but bytes once shown must stay the same.
 * @len: may lie behind the end of the head
 *
 * Looks at each byte once, however often it is called. The answer does not depend on how the bytes
 * were cut. After OK and BAD further calls give the same answer.
 */
DetourHttpHeadResult detour_http_head_parse (DetourHttpHead *self, const guint8 *data, gsize len)
    G_GNUC_WARN_UNUSED_RESULT;

/* The functions below are for a head that parsed OK. */

/* TRUE when the bytes of @part are exactly @text. */
gboolean detour_http_head_is (const DetourHttpHead *self, DetourHttpSpan part, const char *text);

/* Whether @header has that name, compared without regard to case. */
gboolean detour_http_head_name_is (const DetourHttpHead *self, const DetourHttpHeader *header,
                                   const char *name);

/* First header of that name, compared without regard to case; NULL when absent. */
const DetourHttpHeader *detour_http_head_find (const DetourHttpHead *self, const char *name);
/* The one with so many of that name before it; NULL when there are fewer. */
const DetourHttpHeader *detour_http_head_find_at (const DetourHttpHead *self, const char *name,
                                                  guint index);

/* TRUE when one of the headers @name, read as lists separated by commas, has @token, without regard
 * to case. */
gboolean detour_http_head_has_token (const DetourHttpHead *self, const char *name,
                                     const char *token);

/* TRUE when the peer expects the connection to stay open: HTTP/1.1 without `close`, 1.0 with
 * `keep-alive`. A body that nobody reads makes it FALSE as well, because its bytes would be taken
 * for the next request. */
gboolean detour_http_head_keep_alive (const DetourHttpHead *self);

G_END_DECLS
