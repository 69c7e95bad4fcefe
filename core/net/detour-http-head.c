/* detour-http-head.c: the head of an HTTP/1.x request, parsed from bytes.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-http-head.h"

#include <string.h>

/* Offsets are kept in 16 bits. */
G_STATIC_ASSERT (DETOUR_HTTP_HEAD_MAX <= G_MAXUINT16);
G_STATIC_ASSERT (DETOUR_HTTP_HEAD_HEADERS_MAX <= G_MAXUINT8);

/* What the next byte belongs to. */
enum {
  STATE_METHOD,
  STATE_TARGET,
  STATE_VERSION,
  STATE_LINE_LF, /* after the CR of the request line */
  STATE_LINE,    /* first byte of a line behind the request line */
  STATE_NAME,
  STATE_BLANK, /* between colon and value */
  STATE_VALUE,
  STATE_VALUE_LF,
  STATE_END_LF, /* after the CR of the empty line */
  STATE_DONE,
  STATE_FAILED,
};

static const char version_text[] = "HTTP/1.1";
#define VERSION_LEN ((guint) sizeof version_text - 1u)

/* RFC 9110, 5.6.2. */
static gboolean
http_head_is_token (guint8 c)
{
  switch (c)
    {
    case '0' ... '9':
    case 'A' ... 'Z':
    case 'a' ... 'z':
    case '!':
    case '#':
    case '$':
    case '%':
    case '&':
    case '\'':
    case '*':
    case '+':
    case '-':
    case '.':
    case '^':
    case '_':
    case '`':
    case '|':
    case '~':
      return TRUE;
    default:
      return FALSE;
    }
}

/* A fragment is never sent to a server, so `#` has no place in a target. */
static gboolean
http_head_is_target (guint8 c)
{
  return c > ' ' && c < 0x7f && c != '#';
}

static gboolean
http_head_is_value (guint8 c)
{
  return c == '\t' || (c >= ' ' && c != 0x7f);
}

/* Bytes of a registered name, RFC 3986, 3.2.2. */
static gboolean
http_head_is_name (guint8 c)
{
  switch (c)
    {
    case '0' ... '9':
    case 'A' ... 'Z':
    case 'a' ... 'z':
    case '-':
    case '.':
    case '_':
    case '~':
    case '%':
    case '!':
    case '$':
    case '&':
    case '\'':
    case '(':
    case ')':
    case '*':
    case '+':
    case ',':
    case ';':
    case '=':
      return TRUE;
    default:
      return FALSE;
    }
}

static DetourHttpSpan
http_head_span (gsize start, gsize end)
{
  return (DetourHttpSpan) { .start = (guint16) start, .len = (guint16) (end - start) };
}

static gboolean
http_head_fail (DetourHttpHead *self, guint16 status, const char *reason)
{
  self->state = STATE_FAILED;
  self->status = status;
  self->reason = reason;
  return FALSE;
}

/* HOST or HOST:PORT. The port may be empty, as RFC 3986 has it, unless @need_port. */
static gboolean
http_head_is_authority (const guint8 *text, gsize len, gboolean need_port)
{
  gsize i = 0;
  gsize port;

  if (len > 0 && text[0] == '[')
    {
      for (i = 1; i < len && (g_ascii_isxdigit (text[i]) || text[i] == ':' || text[i] == '.'); i++)
        ;
      if (i == 1 || i == len || text[i] != ']')
        return FALSE;
      i++;
    }
  else
    {
      while (i < len && http_head_is_name (text[i]))
        i++;
    }
  if (i == len)
    return !need_port;
  if (text[i] != ':' || i == 0)
    return FALSE;
  port = ++i;
  while (i < len && g_ascii_isdigit (text[i]))
    i++;
  return i == len && i - port <= 5 && (i > port || !need_port);
}

static void
http_head_split_query (DetourHttpHead *self, gsize start, gsize end)
{
  const guint8 *mark = memchr (self->data + start, '?', end - start);
  gsize path_end = mark != NULL ? (gsize) (mark - self->data) : end;

  self->path = http_head_span (start, path_end);
  self->query = mark != NULL ? http_head_span (path_end + 1, end) : http_head_span (end, end);
}

/* Length of "http://" or "https://" at the front of the target; 0: neither. */
static gsize
http_head_scheme_len (const guint8 *target, gsize len)
{
  static const char *const schemes[] = { "http://", "https://" };

  for (guint i = 0; i < G_N_ELEMENTS (schemes); i++)
    {
      gsize n = strlen (schemes[i]);

      if (len >= n && g_ascii_strncasecmp ((const char *) target, schemes[i], n) == 0)
        return n;
    }
  return 0;
}

static gboolean
http_head_split_target (DetourHttpHead *self)
{
  const guint8 *target = self->data + self->target.start;
  gsize start = self->target.start;
  gsize end = start + self->target.len;
  gsize i;

  if (detour_http_head_is (self, self->method, "CONNECT"))
    {
      self->form = DETOUR_HTTP_TARGET_AUTHORITY;
      self->path = self->query = http_head_span (end, end);
      return http_head_is_authority (target, self->target.len, TRUE)
          || http_head_fail (self, 400, "CONNECT needs HOST:PORT");
    }
  if (target[0] == '/')
    {
      self->form = DETOUR_HTTP_TARGET_ORIGIN;
      http_head_split_query (self, start, end);
      return TRUE;
    }
  i = http_head_scheme_len (target, self->target.len);
  if (i == 0)
    return http_head_fail (self, 400, "the request target is neither a path nor an http address");
  self->form = DETOUR_HTTP_TARGET_ABSOLUTE;
  start += i;
  for (i = start; i < end && self->data[i] != '/' && self->data[i] != '?'; i++)
    ;
  self->host = http_head_span (start, i);
  if (self->host.len == 0 || !http_head_is_authority (self->data + start, self->host.len, FALSE))
    return http_head_fail (self, 400, "the host in the request target is malformed");
  http_head_split_query (self, i, end);
  return TRUE;
}

/* The request line is complete: its version begins at `mark`, the carriage return is at `pos`. */
static gboolean
http_head_end_line (DetourHttpHead *self)
{
  const guint8 *version = self->data + self->mark;

  if ((guint) (self->pos - self->mark) != VERSION_LEN)
    return http_head_fail (self, 400, "the request line does not end with an HTTP version");
  if (version[5] != '1')
    return http_head_fail (self, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  self->minor = version[7] == '0' ? 0 : 1;
  return http_head_split_target (self);
}

/* One byte of the version: "HTTP/", a digit, a point, a digit. It is checked at once, so that a
 * peer with another protocol is refused without waiting for more. */
static gboolean
http_head_is_version (gsize at, guint8 c)
{
  if (at >= VERSION_LEN)
    return FALSE;
  return g_ascii_isdigit (version_text[at]) ? g_ascii_isdigit (c) : c == (guint8) version_text[at];
}

gboolean
detour_http_head_name_is (const DetourHttpHead *self, const DetourHttpHeader *header,
                          const char *name)
{
  return header->name.len == strlen (name)
      && g_ascii_strncasecmp ((const char *) self->data + header->name.start, name,
                              header->name.len)
             == 0;
}

static gboolean
http_head_take_content_length (DetourHttpHead *self, const DetourHttpHeader *header)
{
  const guint8 *digits = self->data + header->value.start;

  if (self->has_content_length)
    return http_head_fail (self, 400, "there is more than one Content-Length");
  /* 18 digits fit in 64 bits. */
  if (header->value.len == 0 || header->value.len > 18)
    return http_head_fail (self, 400, "Content-Length is not a number");
  self->has_content_length = TRUE;
  for (guint i = 0; i < header->value.len; i++)
    {
      if (!g_ascii_isdigit (digits[i]))
        return http_head_fail (self, 400, "Content-Length is not a number");
      self->content_length = self->content_length * 10 + (guint64) (digits[i] - '0');
    }
  return TRUE;
}

/* The value of the newest header ends before `pos`. */
static gboolean
http_head_end_header (DetourHttpHead *self)
{
  DetourHttpHeader *header = &self->headers[self->n_headers - 1];
  gsize end = self->pos;

  while (end > self->mark && (self->data[end - 1] == ' ' || self->data[end - 1] == '\t'))
    end--;
  header->value = http_head_span (self->mark, end);

  if (detour_http_head_name_is (self, header, "Content-Length"))
    return http_head_take_content_length (self, header);
  if (detour_http_head_name_is (self, header, "Transfer-Encoding"))
    return http_head_fail (self, 501, "Transfer-Encoding is not taken in requests");
  if (detour_http_head_name_is (self, header, "Host"))
    {
      if (detour_http_head_find (self, "Host") != header)
        return http_head_fail (self, 400, "there is more than one Host");
      if (!http_head_is_authority (self->data + header->value.start, header->value.len, FALSE))
        return http_head_fail (self, 400, "Host is malformed");
      /* RFC 9112, 3.2.2: the host of an absolute target counts, whatever the header says. */
      if (self->form != DETOUR_HTTP_TARGET_ABSOLUTE)
        self->host = header->value;
    }
  return TRUE;
}

static gboolean
http_head_finish (DetourHttpHead *self)
{
  if (self->minor > 0 && detour_http_head_find (self, "Host") == NULL)
    return http_head_fail (self, 400, "there is no Host");
  self->len = self->pos + 1;
  self->state = STATE_DONE;
  return TRUE;
}

static gboolean
http_head_begin_line (DetourHttpHead *self, guint8 c)
{
  if (c == '\r')
    {
      self->state = STATE_END_LF;
      return TRUE;
    }
  if (c == ' ' || c == '\t')
    return http_head_fail (self, 400, "a header is folded over two lines");
  if (!http_head_is_token (c))
    return http_head_fail (self, 400, "a line does not begin with the name of a header");
  if (self->n_headers == DETOUR_HTTP_HEAD_HEADERS_MAX)
    return http_head_fail (self, 431, "there are more than 64 headers");
  self->n_headers++;
  self->mark = self->pos;
  self->state = STATE_NAME;
  return TRUE;
}

/* Takes the byte at `pos`; FALSE after http_head_fail(). */
static gboolean
http_head_step (DetourHttpHead *self, guint8 c)
{
  switch (self->state)
    {
    case STATE_METHOD:
      if (c == ' ' && self->pos > 0)
        {
          self->method = http_head_span (0, self->pos);
          self->mark = self->pos + 1;
          self->state = STATE_TARGET;
        }
      else if (!http_head_is_token (c) || self->pos == DETOUR_HTTP_HEAD_METHOD_MAX)
        return http_head_fail (self, 400, "the request does not begin with a method");
      return TRUE;

    case STATE_TARGET:
      if (c == ' ' && self->pos > self->mark)
        {
          self->target = http_head_span (self->mark, self->pos);
          self->mark = self->pos + 1;
          self->state = STATE_VERSION;
        }
      else if (!http_head_is_target (c))
        return http_head_fail (self, 400, "the request target is malformed");
      else if (self->pos - self->mark == DETOUR_HTTP_HEAD_TARGET_MAX)
        return http_head_fail (self, 414, "the request target is longer than 8192 bytes");
      return TRUE;

    case STATE_VERSION:
      if (c == '\r')
        {
          self->state = STATE_LINE_LF;
          return http_head_end_line (self);
        }
      return http_head_is_version (self->pos - self->mark, c)
          || http_head_fail (self, 400, "the request line does not end with an HTTP version");

    case STATE_LINE_LF:
    case STATE_VALUE_LF:
      self->state = STATE_LINE;
      return c == '\n' || http_head_fail (self, 400, "a carriage return without a line feed");

    case STATE_LINE:
      return http_head_begin_line (self, c);

    case STATE_NAME:
      if (c == ':')
        {
          self->headers[self->n_headers - 1].name = http_head_span (self->mark, self->pos);
          self->state = STATE_BLANK;
          return TRUE;
        }
      return http_head_is_token (c)
          || http_head_fail (self, 400, "the name of a header is malformed");

    case STATE_BLANK:
      if (c == ' ' || c == '\t')
        return TRUE;
      self->mark = self->pos;
      self->state = STATE_VALUE;
      /* fall through */
    case STATE_VALUE:
      if (c == '\r')
        {
          self->state = STATE_VALUE_LF;
          return http_head_end_header (self);
        }
      return http_head_is_value (c)
          || http_head_fail (self, 400, "the value of a header has a control byte");

    case STATE_END_LF:
      return c == '\n' ? http_head_finish (self)
                       : http_head_fail (self, 400, "a carriage return without a line feed");

    default:
      g_assert_not_reached ();
    }
}

void
detour_http_head_init (DetourHttpHead *self)
{
  memset (self, 0, sizeof *self);
}

DetourHttpHeadResult
detour_http_head_parse (DetourHttpHead *self, const guint8 *data, gsize len)
{
  gsize end = MIN (len, DETOUR_HTTP_HEAD_MAX);

  self->data = data;
  if (self->state == STATE_DONE)
    return DETOUR_HTTP_HEAD_OK;
  if (self->state == STATE_FAILED)
    return DETOUR_HTTP_HEAD_BAD;

  for (; self->pos < end; self->pos++)
    {
      if (!http_head_step (self, data[self->pos]))
        return DETOUR_HTTP_HEAD_BAD;
      if (self->state == STATE_DONE)
        return DETOUR_HTTP_HEAD_OK;
    }
  if (self->pos < DETOUR_HTTP_HEAD_MAX)
    return DETOUR_HTTP_HEAD_MORE;
  http_head_fail (self, 431, "the request head is longer than 16384 bytes");
  return DETOUR_HTTP_HEAD_BAD;
}

gboolean
detour_http_head_is (const DetourHttpHead *self, DetourHttpSpan part, const char *text)
{
  return part.len == strlen (text) && memcmp (self->data + part.start, text, part.len) == 0;
}

const DetourHttpHeader *
detour_http_head_find (const DetourHttpHead *self, const char *name)
{
  return detour_http_head_find_at (self, name, 0);
}

const DetourHttpHeader *
detour_http_head_find_at (const DetourHttpHead *self, const char *name, guint index)
{
  for (guint i = 0; i < self->n_headers; i++)
    {
      if (detour_http_head_name_is (self, &self->headers[i], name) && index-- == 0)
        return &self->headers[i];
    }
  return NULL;
}

/* One list: elements between commas, blanks around them do not count. */
static gboolean
http_head_list_has_token (const char *list, gsize len, const char *token)
{
  gsize n_token = strlen (token);

  for (gsize i = 0; i < len;)
    {
      const char *comma = memchr (list + i, ',', len - i);
      gsize next = comma != NULL ? (gsize) (comma - list) + 1 : len;
      gsize end = comma != NULL ? next - 1 : len;

      while (i < end && (list[i] == ' ' || list[i] == '\t'))
        i++;
      while (end > i && (list[end - 1] == ' ' || list[end - 1] == '\t'))
        end--;
      if (end - i == n_token && g_ascii_strncasecmp (list + i, token, n_token) == 0)
        return TRUE;
      i = next;
    }
  return FALSE;
}

gboolean
detour_http_head_has_token (const DetourHttpHead *self, const char *name, const char *token)
{
  for (guint i = 0; i < self->n_headers; i++)
    {
      const DetourHttpHeader *header = &self->headers[i];

      if (detour_http_head_name_is (self, header, name)
          && http_head_list_has_token ((const char *) self->data + header->value.start,
                                       header->value.len, token))
        return TRUE;
    }
  return FALSE;
}

gboolean
detour_http_head_keep_alive (const DetourHttpHead *self)
{
  if (self->content_length > 0 || detour_http_head_has_token (self, "Connection", "close"))
    return FALSE;
  return self->minor > 0 || detour_http_head_has_token (self, "Connection", "keep-alive");
}
