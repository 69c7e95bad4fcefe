/* detour-http-routes.h: which handler answers which path.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Instances of plugins come and go on the main thread while requests are answered on others. A new
 * table already has the probes of clients, /derp/probe and /derp/latency-check. Paths are compared
 * byte by byte with what the peer sent: no percent-decoding, no cleaning of `//` and `..`. What is
 * not in the table is answered 404. */
#pragma once

#include <glib.h>

#include "detour-http-message.h"
#include "detour-plugin.h"

G_BEGIN_DECLS

typedef struct _DetourHttpRoutes DetourHttpRoutes;

#define DETOUR_HTTP_ROUTES_ERROR (detour_http_routes_error_quark ())
GQuark detour_http_routes_error_quark (void);

typedef enum {
  DETOUR_HTTP_ROUTES_ERROR_PATH,  /* a path that no request could have, or one that core keeps for
                                     itself */
  DETOUR_HTTP_ROUTES_ERROR_TAKEN, /* another instance answers that path */
} DetourHttpRoutesError;

DetourHttpRoutes *detour_http_routes_new (void);
/* No call may be in flight. */
void detour_http_routes_free (DetourHttpRoutes *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourHttpRoutes, detour_http_routes_free)

/**
 * detour_http_routes_add:
 * @instance: "http/home", for messages and for detour_http_routes_remove(); copied; not in the
 * table already
 * @routes: ends with { NULL }; must live until it was removed
 * @plugin: first argument of the handlers
 *
 * Adds all routes or none.
 *
 * Thread: main.
 * Returns: FALSE with @error set.
 */
gboolean detour_http_routes_add (DetourHttpRoutes *self, const char *instance,
                                 const DetourHttpRoute *routes, gpointer plugin, GError **error);

/**
 * detour_http_routes_remove:
 * @instance: may be unknown
 *
 * Takes the routes of an instance out and waits until none of its handlers is running. Handlers of
 * other instances go on. Never called from a handler.
 *
 * Thread: main.
 */
void detour_http_routes_remove (DetourHttpRoutes *self, const char *instance);

/**
 * detour_http_routes_answer:
 * @response: new
 *
 * Fills @response with what the right handler says, or with the error or redirection that takes its
 * place.
 *
 * Thread: any; several at once.
 */
void detour_http_routes_answer (DetourHttpRoutes *self, const DetourHttpRequest *request,
                                DetourHttpResponse *response);

G_END_DECLS
