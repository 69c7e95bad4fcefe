/* test-web-server.h: a server of HTTP that behaves as a test wants.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  WEB_SERVER_ANSWERS,
  WEB_SERVER_SILENT,
  WEB_SERVER_CLOSES,        /* without an answer */
  WEB_SERVER_STOPS_HALFWAY, /* closes in the middle of the body */
  WEB_SERVER_HANGS_HALFWAY, /* says nothing more in the middle of the body */
  WEB_SERVER_NO_HTTP,
  WEB_SERVER_ENDLESS,       /* a body without an end */
  WEB_SERVER_ENDLESS_HEAD,  /* a head without an end */
  WEB_SERVER_BREAKS_LENGTH, /* Content-Length is a number and something else */
  WEB_SERVER_HANGS_UP,      /* answers, and closes without having said so */
} WebServerManner;

typedef struct _WebServer WebServer;

/* On 127.0.0.1, at a port of its own or at @port. Answers 200 with "{}". */
WebServer *web_server_new (guint16 port);
/* Ends every connection. */
void web_server_free (WebServer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (WebServer, web_server_free)

guint16 web_server_port (const WebServer *self);
/* "http://127.0.0.1:PORT" and @path; free with g_free(). */
char *web_server_url (const WebServer *self, const char *path);

/* From now on. @headers: whole lines, each with \r\n; "" for none */
void web_server_set (WebServer *self, WebServerManner manner, guint status, const char *headers,
                     const char *body);

/* Head and body of the last request with HEAD, or of the last other one; free with g_free(). NULL:
 * none yet. */
char *web_server_last (WebServer *self, gboolean is_head);
guint web_server_n_requests (WebServer *self);
guint web_server_n_connections (WebServer *self);
/* Requests that were there at the same time, at most. */
guint web_server_n_at_once (WebServer *self);

G_END_DECLS
