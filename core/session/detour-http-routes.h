/* detour-http-routes.h: which handler answers which path of which site.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Instances of plugins come and go on the main thread while requests are answered on others. A new
 * table already has the probes of clients, /derp/probe and /derp/latency-check. Each site has a
 * table of its own, so a route for administrators cannot be reached through a listener for clients.
 * What is not in the table of the listener's site is answered 404. */
#pragma once

#include <glib.h>

#include "detour-channel.h"
#include "detour-http-message.h"
#include "detour-plugin.h"

G_BEGIN_DECLS

typedef struct _DetourHttpRoutes DetourHttpRoutes;
/* What one call of detour_http_routes_add() brought. */
typedef struct _DetourHttpRouteSet DetourHttpRouteSet;

#define DETOUR_HTTP_ROUTES_ERROR (detour_http_routes_error_quark ())
GQuark detour_http_routes_error_quark (void);

typedef enum {
  DETOUR_HTTP_ROUTES_ERROR_PATH,  /* a path that no request could have, or one that core keeps for
                                     itself */
  DETOUR_HTTP_ROUTES_ERROR_TAKEN, /* another route answers that path */
  DETOUR_HTTP_ROUTES_ERROR_SITES, /* the site for administrators together with another */
} DetourHttpRoutesError;

DetourHttpRoutes *detour_http_routes_new (void);
/* No call may be in flight. */
void detour_http_routes_free (DetourHttpRoutes *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourHttpRoutes, detour_http_routes_free)

/**
 * detour_http_routes_add:
 * @instance: "http/home", for messages; copied
 * @routes: ends with { NULL }; must live until it was removed
 * @user: first argument of the handlers
 *
 * Adds all routes or none.
 *
 * Thread: main.
 * Returns: (nullable): for detour_http_routes_remove(); NULL with @error set.
 */
DetourHttpRouteSet *detour_http_routes_add (DetourHttpRoutes *self, const char *instance,
                                            const DetourHttpRoute *routes, gpointer user,
                                            GError **error);

/**
 * detour_http_routes_remove:
 * @set: not to be used afterwards
 *
 * Takes the routes out and waits until none of their handlers is running. Other handlers go on.
 * Answers that the handlers still owe are given here: 503.
 * Never called from a handler.
 *
 * Thread: main.
 */
void detour_http_routes_remove (DetourHttpRoutes *self, DetourHttpRouteSet *set);

/* Where listeners that redirect send to; 443 in the beginning. Any thread. */
void detour_http_routes_set_https_port (DetourHttpRoutes *self, guint16 port);

/* How long the body may be that the route of a request wants to have, in bytes; 0: it wants none.
 * Thread: any; several at once, as the two below. */
gsize detour_http_routes_body_max (DetourHttpRoutes *self, const DetourHttpRequest *request);

/**
 * detour_http_routes_answer:
 * @response: new
 *
 * Fills @response with what the right handler says, or with the error or redirection that takes its
 * place. A handler may have held it; see detour_http_response_held().
 */
void detour_http_routes_answer (DetourHttpRoutes *self, DetourHttpRequest *request,
                                DetourHttpResponse *response);

/**
 * detour_http_routes_upgrade:
 * @response: new
 * @upper: (out): the channel that begins behind the response; all zero when @response is an
 *   ordinary answer
 *
 * Returns: FALSE when no route begins the protocol that the request asks for: @response is as it
 *   was.
 */
gboolean detour_http_routes_upgrade (DetourHttpRoutes *self, const DetourHttpRequest *request,
                                     DetourHttpResponse *response, DetourChannel *upper);

G_END_DECLS
