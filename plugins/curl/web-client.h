/* web-client.h: asks servers over HTTP and HTTPS from the main loop, for plugins.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Linked into each plugin that needs it (`web_dep`). All calls belong to one thread, the one whose
 * context the client was made in. Nothing here waits.
 *
 * Redirects are not followed, and no request is repeated, but for one whose kept connection turns
 * out to have been closed by the server before the request came. Connections are kept for two
 * minutes. HTTP is 1.1, TLS at least 1.2. */
#pragma once

#include "web-files.h"

G_BEGIN_DECLS

typedef struct _WebClient WebClient;
typedef struct _WebRequest WebRequest;

typedef struct {
  /* "http://proxy.example.com:3128"; "none"; NULL: the one of the environment (https_proxy,
   * http_proxy, no_proxy), for servers on other machines. */
  const char *proxy;
  WebFileNames files;
  guint requests_max; /* at a time; the others wait in order, and the time that they wait counts */
  guint waiting_max;  /* what goes beyond is answered at once with WEB_CROWDED; 0: no limit */
} WebClientSetup;

/* Keys for the table of a plugin; the same for all of them. */
#define WEB_CLIENT_KEYS                                                                         \
  { "ca-file",                                                                                  \
    DETOUR_CONFIG_PATH,                                                                         \
    NULL,                                                                                       \
    0,                                                                                          \
    0,                                                                                          \
    "certificates of CAs in PEM that are trusted instead of those of the system",               \
    DETOUR_CONFIG_ROUTE },                                                                      \
      { "proxy",                                                                                \
        DETOUR_CONFIG_STRING,                                                                   \
        NULL,                                                                                   \
        0,                                                                                      \
        0,                                                                                      \
        "proxy on the way, as http://HOST:PORT or socks5h://HOST:PORT; none: none; without it " \
        "the environment's",                                                                    \
        DETOUR_CONFIG_ROUTE },                                                                  \
      { "client-cert-file",                                                                     \
        DETOUR_CONFIG_PATH,                                                                     \
        NULL,                                                                                   \
        0,                                                                                      \
        0,                                                                                      \
        "certificate in PEM that is shown to a server that asks for one",                       \
        DETOUR_CONFIG_ROUTE },                                                                  \
  {                                                                                             \
    "client-key-file", DETOUR_CONFIG_PATH, NULL, 0, 0,                                          \
        "its private key; without this key it is in the same file", DETOUR_CONFIG_ROUTE         \
  }

/* Fills proxy and files from the settings of a plugin that has these keys; borrowed. */
void web_client_setup_from (WebClientSetup *self, const DetourSettings *settings);
/* For check(): complains of what is wrong with these keys. FALSE and @error: of the first. */
gboolean web_client_check (const DetourSettings *settings, GError **error);

/* NULL: a file cannot be used, and @error is set; @key: as of web_files_new(). */
WebClient *web_client_new (const WebClientSetup *setup, const char **key, GError **error);
/* Cancels all requests. May be called from a WebDone. */
void web_client_free (WebClient *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (WebClient, web_client_free)

/**
 * web_client_reload:
 *
 * Reads the files again. If they changed, requests that begin from now on use the new ones, on new
 * connections; those that are out go on.
 *
 * Returns: FALSE: they cannot be used, the old ones stay, and @error is set.
 */
gboolean web_client_reload (WebClient *self, gboolean *changed, GError **error);

typedef enum {
  WEB_OK,       /* there is an answer, whatever its status */
  WEB_RESOLVE,  /* the name has no address */
  WEB_CONNECT,  /* no connection */
  WEB_TLS,      /* one side does not trust the other, or they have nothing in common */
  WEB_TIMEOUT,  /* no whole answer in time */
  WEB_PROTOCOL, /* what came is no whole answer of HTTP */
  WEB_TOO_LONG, /* head or body */
  WEB_PROXY,    /* the proxy cannot be reached, or does not let us through */
  WEB_CROWDED,  /* too many wait already, or its turn did not come in time */
} WebFault;

/* Borrowed for the time of the call. */
typedef struct {
  WebFault fault;
  const char *trouble; /* why there is no answer, with host and port; NULL for WEB_OK */
  guint status;        /* 0 unless WEB_OK */
  const char *body;    /* never NULL; has a NUL behind it that does not count */
  gsize body_len;
  gint64 elapsed_us;     /* since it was sent, without the time that it waited for its turn */
  const GPtrArray *head; /* private */
} WebAnswer;

/* The first header of that name, compared without regard to case; NULL: there is none. */
const char *web_answer_header (const WebAnswer *self, const char *name);
/* What Retry-After asks for, from now on, in seconds; -1: nothing, or nothing sensible. */
gint64 web_answer_retry_after_s (const WebAnswer *self);

/* Copied. */
typedef struct {
  const char *method; /* "GET", "HEAD", "POST", … */
  const char *url;    /* for which web_address_check() has no objection */
  /* (nullable) "Name: value", ends with NULL; "Name:" takes out one that is sent by itself. */
  const char *const *headers;
  const char *bearer;        /* (nullable) token for `Authorization: Bearer` */
  const char *user_password; /* (nullable) "user:password" for `Authorization: Basic` */
  const char *body;          /* (nullable) */
  gsize body_len;
  gsize answer_max; /* bytes that the body of an answer may have */
  guint timeout_ms; /* for all of it, waiting for its turn included */
  guint connect_ms; /* for name, connection and TLS; 0: as long as for all of it */
} WebAsk;

/* Called once for each request that is not cancelled, never from inside a call for the client; the
 * request is gone afterwards. */
typedef void (*WebDone) (const WebAnswer *answer, gpointer user);

WebRequest *web_client_send (WebClient *self, const WebAsk *ask, WebDone done, gpointer user);
/* No call to done() follows. */
void web_request_cancel (WebRequest *self);

/* Requests that are out, and those that wait. */
guint web_client_n_out (const WebClient *self);
guint web_client_n_waiting (const WebClient *self);

G_END_DECLS
