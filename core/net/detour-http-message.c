/* detour-http-message.c: the requests and responses that routes of plugins see.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-http-message.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOSNIFF_NAME "X-Content-Type-Options"

struct _DetourHttpRequest {
  DetourHttpHead head; /* refers to `text` */
  struct sockaddr_storage peer;
  DetourListenerFlags flags;
  const char *path;
  char *host;
  guint8 *body; /* NULL: none */
  gsize body_len;
  char text[]; /* the head; the delimiter behind each part became its NUL */
};

struct _DetourHttpResponse {
  guint status;
  gboolean close;  /* the handler wants the connection closed */
  gboolean broken; /* the handler gave bytes that may not stand in a header */
  gboolean has_type;
  gboolean has_nosniff;
  gboolean is_for_browsers;
  GString *headers; /* complete lines */
  GByteArray *body;
  char *upgrade;                /* the protocol that follows; NULL: none */
  DetourHttpRequest *request;   /* what it answers, while a handler may hold it */
  DetourHttpExchange *exchange; /* it belongs to; NULL: it is not held */
  DetourHttpTunnel tunnel;      /* that it begins; without `ended`: none */
};

/* Everything a part can be followed by is a delimiter: a blank, `?`, `:`, or the end of the line.
 */
static void
http_message_end_string (DetourHttpRequest *self, DetourHttpSpan part)
{
  self->text[part.start + part.len] = '\0';
}

static const char *
http_message_string_of (const DetourHttpRequest *self, DetourHttpSpan part)
{
  return self->text + part.start;
}

DetourHttpRequest *
detour_http_request_new (const DetourHttpHead *head, const struct sockaddr_storage *peer,
                         DetourListenerFlags flags)
{
  DetourHttpRequest *self = g_malloc0 (sizeof *self + head->len);

  self->head = *head;
  memcpy (self->text, head->data, head->len);
  self->head.data = (const guint8 *) self->text;
  self->peer = *peer;
  self->flags = flags;
  /* Copied before the path is ended, which may begin where the host ends. */
  self->host = g_strndup (http_message_string_of (self, head->host), head->host.len);

  http_message_end_string (self, head->method);
  http_message_end_string (self, head->target);
  for (guint i = 0; i < head->n_headers; i++)
    {
      http_message_end_string (self, head->headers[i].name);
      http_message_end_string (self, head->headers[i].value);
    }
  if (head->path.len > 0)
    {
      http_message_end_string (self, head->path);
      self->path = http_message_string_of (self, head->path);
    }
  else
    {
      /* Of CONNECT it is what it names. */
      self->path = head->form == DETOUR_HTTP_TARGET_ABSOLUTE ? "/"
                 : head->form == DETOUR_HTTP_TARGET_AUTHORITY
                     ? http_message_string_of (self, head->target)
                     : "";
    }
  return self;
}

void
detour_http_request_free (DetourHttpRequest *self)
{
  g_free (self->host);
  g_free (self->body);
  g_free (self);
}

void
detour_http_request_set_body (DetourHttpRequest *self, const guint8 *data, gsize len)
{
  g_free (self->body);
  /* With a NUL behind it, so that a handler may take it for text. */
  self->body = g_malloc (len + 1);
  if (len > 0)
    memcpy (self->body, data, len);
  self->body[len] = '\0';
  self->body_len = len;
  self->head.content_length = 0;
}

const guint8 *
detour_http_request_body (const DetourHttpRequest *self, gsize *len)
{
  *len = self->body_len;
  return self->body != NULL ? self->body : (const guint8 *) "";
}

const char *
detour_http_request_method (const DetourHttpRequest *self)
{
  return http_message_string_of (self, self->head.method);
}

const char *
detour_http_request_path (const DetourHttpRequest *self)
{
  return self->path;
}

const char *
detour_http_request_query (const DetourHttpRequest *self)
{
  return http_message_string_of (self, self->head.query);
}

const char *
detour_http_request_header (const DetourHttpRequest *self, const char *name)
{
  const DetourHttpHeader *header = detour_http_head_find (&self->head, name);

  return header != NULL ? http_message_string_of (self, header->value) : NULL;
}

const char *
detour_http_request_header_at (const DetourHttpRequest *self, const char *name, guint index)
{
  const DetourHttpHeader *header = detour_http_head_find_at (&self->head, name, index);

  return header != NULL ? http_message_string_of (self, header->value) : NULL;
}

const struct sockaddr *
detour_http_request_peer (const DetourHttpRequest *self)
{
  return (const struct sockaddr *) &self->peer;
}

gboolean
detour_http_request_secure (const DetourHttpRequest *self)
{
  return (self->flags & DETOUR_LISTENER_SECURE) != 0;
}

gboolean
detour_http_request_derp (const DetourHttpRequest *self)
{
  return (self->flags & DETOUR_LISTENER_DERP) != 0;
}

DetourListenerFlags
detour_http_request_flags (const DetourHttpRequest *self)
{
  return self->flags;
}

const DetourHttpHead *
detour_http_request_head (const DetourHttpRequest *self)
{
  return &self->head;
}

const char *
detour_http_request_host (const DetourHttpRequest *self)
{
  return self->host;
}

DetourHttpResponse *
detour_http_response_new (void)
{
  DetourHttpResponse *self = g_new0 (DetourHttpResponse, 1);

  self->status = 200;
  self->headers = g_string_new (NULL);
  self->body = g_byte_array_new ();
  return self;
}

static void
http_message_drop_tunnel (DetourHttpResponse *self)
{
  DetourHttpTunnel tunnel;

  if (!detour_http_response_take_tunnel (self, &tunnel))
    return;
  close (tunnel.fd);
  tunnel.ended (tunnel.user);
}

void
detour_http_response_free (DetourHttpResponse *self)
{
  http_message_drop_tunnel (self);
  g_string_free (self->headers, TRUE);
  g_byte_array_unref (self->body);
  g_free (self->upgrade);
  g_free (self);
}

void
detour_http_response_set_request (DetourHttpResponse *self, DetourHttpRequest *request)
{
  self->request = request;
}

DetourHttpRequest *
detour_http_response_set_held (DetourHttpResponse *self, DetourHttpExchange *exchange)
{
  g_assert (self->request != NULL && self->exchange == NULL && self->upgrade == NULL);
  self->exchange = exchange;
  return self->request;
}

DetourHttpExchange *
detour_http_response_held (const DetourHttpResponse *self)
{
  return self->exchange;
}

void
detour_http_response_begin_upgrade (DetourHttpResponse *self, const char *protocol)
{
  self->status = 101;
  self->upgrade = g_strdup (protocol);
}

void
detour_http_response_begin_tunnel (DetourHttpResponse *self, const DetourHttpTunnel *tunnel)
{
  g_return_if_fail (self->tunnel.ended == NULL && tunnel->ended != NULL);
  self->tunnel = *tunnel;
}

gboolean
detour_http_response_take_tunnel (DetourHttpResponse *self, DetourHttpTunnel *tunnel)
{
  *tunnel = self->tunnel;
  self->tunnel = (DetourHttpTunnel) { 0 };
  return tunnel->ended != NULL;
}

guint
detour_http_response_status (const DetourHttpResponse *self)
{
  return self->broken ? 500 : self->status;
}

static gboolean
http_message_is_header_name (const char *name)
{
  for (const char *p = name; *p != '\0'; p++)
    {
      if (!g_ascii_isalnum (*p) && *p != '-' && *p != '_')
        return FALSE;
    }
  return *name != '\0';
}

static gboolean
http_message_is_header_value (const char *value)
{
  for (const char *p = value; *p != '\0'; p++)
    {
      if ((guint8) *p < ' ' || *p == 0x7f)
        return FALSE;
    }
  return TRUE;
}

static void
http_message_append_header (DetourHttpResponse *self, const char *name, const char *value)
{
  if (http_message_is_header_name (name) && http_message_is_header_value (value))
    {
      g_string_append_printf (self->headers, "%s: %s\r\n", name, value);
      self->has_nosniff |= g_ascii_strcasecmp (name, NOSNIFF_NAME) == 0;
      return;
    }
  g_autofree char *escaped_name = g_strescape (name, NULL);
  g_autofree char *escaped_value = g_strescape (value, NULL);

  self->broken = TRUE;
  g_warning ("A response header \"%s: %s\" has bytes that may not stand there; answering 500",
             escaped_name, escaped_value);
}

void
detour_http_response_set_status (DetourHttpResponse *self, guint status)
{
  if (status < 200 || status > 599)
    {
      self->broken = TRUE;
      g_warning ("A response has status %u, which is not in 200 to 599; answering 500", status);
      return;
    }
  self->status = status;
}

void
detour_http_response_add_header (DetourHttpResponse *self, const char *name, const char *value)
{
  /* These frame the message; two voices about them would be two messages. */
  static const char *const own[] = { "Connection", "Content-Length", "Transfer-Encoding",
                                     "Date",       "Upgrade",        "Trailer" };

  if (g_ascii_strcasecmp (name, "Connection") == 0 && g_ascii_strcasecmp (value, "close") == 0)
    {
      self->close = TRUE;
      return;
    }
  for (guint i = 0; i < G_N_ELEMENTS (own); i++)
    {
      if (g_ascii_strcasecmp (name, own[i]) == 0)
        {
          g_warning ("The response header %s is not a handler's to set; answering 500", own[i]);
          self->broken = TRUE;
          return;
        }
    }
  http_message_append_header (self, name, value);
}

void
detour_http_response_set_body (DetourHttpResponse *self, const char *content_type, const char *body,
                               gssize len)
{
  g_return_if_fail (body != NULL || len == 0);

  if (self->has_type)
    {
      g_warning ("A response has two bodies; answering 500");
      self->broken = TRUE;
      return;
    }
  self->has_type = TRUE;
  http_message_append_header (self, "Content-Type", content_type);
  if (len != 0)
    g_byte_array_append (self->body, (const guint8 *) body,
                         len < 0 ? (guint) strlen (body) : (guint) len);
}

void
detour_http_response_add_browser_headers (DetourHttpResponse *self)
{
  self->is_for_browsers = TRUE;
  http_message_append_header (
      self, "Content-Security-Policy",
      "default-src 'self'; frame-ancestors 'none'; form-action 'self'; base-uri 'self'; "
      "block-all-mixed-content; object-src 'none'");
  http_message_append_header (self, "X-Frame-Options", "DENY");
  http_message_append_header (self, NOSNIFF_NAME, "nosniff");
}

/* Everything the handler said so far is forgotten, except that the connection shall be closed. */
static void
http_message_reset (DetourHttpResponse *self)
{
  self->broken = FALSE;
  self->has_type = FALSE;
  self->has_nosniff = FALSE;
  self->is_for_browsers = FALSE;
  g_string_truncate (self->headers, 0);
  g_byte_array_set_size (self->body, 0);
}

void
detour_http_response_set_error (DetourHttpResponse *self, guint status, const char *text)
{
  g_autofree char *line = g_strconcat (text, "\n", NULL);

  http_message_reset (self);
  detour_http_response_set_status (self, status);
  http_message_append_header (self, NOSNIFF_NAME, "nosniff");
  /* What core answers so stops or starts at this moment; a second later it is known which. */
  if (status == 503)
    http_message_append_header (self, "Retry-After", "1");
  detour_http_response_set_body (self, "text/plain; charset=utf-8", line, -1);
}

void
detour_http_response_refuse_upgrade (DetourHttpResponse *self)
{
  g_autofree char *protocol = g_steal_pointer (&self->upgrade);

  if (self->status == 101)
    detour_http_response_set_error (self, 400, "This protocol cannot be begun so");
  /* RFC 9110, 15.5.22 */
  if (self->status == 426)
    {
      http_message_append_header (self, "Upgrade", protocol);
      http_message_append_header (self, "Connection", "Upgrade");
    }
}

gboolean
detour_http_response_keeps_alive (const DetourHttpResponse *self, const DetourHttpRequest *request)
{
  return request != NULL && !self->close && detour_http_head_keep_alive (&request->head);
}

static const char *
http_message_phrase_of (guint status)
{
  static const struct {
    guint status;
    const char *phrase;
  } phrases[] = {
    { 101, "Switching Protocols" },
    { 200, "OK" },
    { 204, "No Content" },
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 303, "See Other" },
    { 304, "Not Modified" },
    { 307, "Temporary Redirect" },
    { 308, "Permanent Redirect" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 408, "Request Timeout" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 426, "Upgrade Required" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (phrases); i++)
    {
      if (phrases[i].status == status)
        return phrases[i].phrase;
    }
  return "Status";
}

/* IMF-fixdate of RFC 9110, 5.6.7: English whatever the locale, so not strftime(). */
static void
http_message_append_date (GByteArray *out, gint64 real_us)
{
  static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
  static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
  time_t seconds = (time_t) (real_us / G_USEC_PER_SEC);
  struct tm tm;
  char line[80];
  int n;

  if (gmtime_r (&seconds, &tm) == NULL)
    return;
  n = g_snprintf (line, sizeof line, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                  days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], 1900 + tm.tm_year, tm.tm_hour,
                  tm.tm_min, tm.tm_sec);
  g_byte_array_append (out, (const guint8 *) line, (guint) n);
}

static void http_message_append_format (GByteArray *out, const char *format, ...)
    G_GNUC_PRINTF (2, 3);

static void
http_message_append_format (GByteArray *out, const char *format, ...)
{
  char line[128];
  va_list args;
  int n;

  va_start (args, format);
  n = g_vsnprintf (line, sizeof line, format, args);
  va_end (args);
  g_assert (n >= 0 && n < (int) sizeof line);
  g_byte_array_append (out, (const guint8 *) line, (guint) n);
}

/* What follows is another protocol, so there is neither a length nor a word on keeping alive. */
static GByteArray *
http_message_upgrade_to_bytes (const DetourHttpResponse *self)
{
  GByteArray *out = g_byte_array_sized_new ((guint) (256 + self->headers->len));

  http_message_append_format (out, "HTTP/1.1 %u %s\r\n", self->status,
                              http_message_phrase_of (self->status));
  if (self->status == 101)
    http_message_append_format (out, "Upgrade: %s\r\nConnection: Upgrade\r\n", self->upgrade);
  g_byte_array_append (out, (const guint8 *) self->headers->str, (guint) self->headers->len);
  g_byte_array_append (out, (const guint8 *) "\r\n", 2);
  return out;
}

GByteArray *
detour_http_response_to_bytes (const DetourHttpResponse *self, const DetourHttpRequest *request,
                               gint64 real_us)
{
  GByteArray *out;
  gboolean has_body = self->status != 204 && self->status != 304;
  gboolean is_head = request != NULL
                  && detour_http_head_is (&request->head, request->head.method, "HEAD");

  if (self->broken)
    {
      g_autoptr (DetourHttpResponse) error = detour_http_response_new ();

      error->close = self->close;
      detour_http_response_set_error (error, 500, "The answer could not be made");
      return detour_http_response_to_bytes (error, request, real_us);
    }

  if (self->upgrade != NULL)
    return http_message_upgrade_to_bytes (self);
  out = g_byte_array_sized_new ((guint) (256 + self->headers->len + self->body->len));
  http_message_append_format (out, "HTTP/1.1 %u %s\r\n", self->status,
                              http_message_phrase_of (self->status));
  http_message_append_date (out, real_us);
  g_byte_array_append (out, (const guint8 *) self->headers->str, (guint) self->headers->len);
  /* RFC 6797: not over plain HTTP, where a browser ignores it and anybody could have put it in. */
  if (self->is_for_browsers && request != NULL && detour_http_request_secure (request))
    http_message_append_format (
        out, "Strict-Transport-Security: max-age=63072000; includeSubDomains\r\n");
  /* The text of an error is not to be taken for a page, whoever wrote it. */
  if (self->status >= 400 && self->has_type && !self->has_nosniff)
    http_message_append_format (out, NOSNIFF_NAME ": nosniff\r\n");
  if (has_body)
    http_message_append_format (out, "Content-Length: %u\r\n", self->body->len);
  if (!detour_http_response_keeps_alive (self, request))
    http_message_append_format (out, "Connection: close\r\n");
  else if (request->head.minor == 0)
    http_message_append_format (out, "Connection: keep-alive\r\n");
  g_byte_array_append (out, (const guint8 *) "\r\n", 2);
  if (has_body && !is_head)
    g_byte_array_append (out, self->body->data, self->body->len);
  return out;
}
