/* detour-http-routes.c: which handler answers which path.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-http-routes.h"

#include <string.h>

#include "detour-http-upgrade.h"

/* The routes of one instance. */
typedef struct {
  char *name;
  const DetourHttpRoute *routes;
  gpointer plugin;
  guint n_running; /* handlers in flight; under the lock */
} RouteOwner;

typedef struct {
  const DetourHttpRoute *route;
  RouteOwner *owner;
} RouteEntry;

/* The lock is held for a look-up, never while a handler runs: a slow handler delays the end of its
 * own instance only, and a stream of requests cannot keep the main thread from changing the table.
 */
struct _DetourHttpRoutes {
  GMutex lock;
  GCond idle;           /* n_running of some owner came to 0 */
  GHashTable *by_path;  /* path of the route (borrowed) -> RouteEntry */
  GHashTable *by_owner; /* name (borrowed) -> RouteOwner */
};

G_DEFINE_QUARK (detour - http - routes - error - quark, detour_http_routes_error)

static void
http_routes_probe_handle (gpointer self, const DetourHttpRequest *request,
                          DetourHttpResponse *response)
{
  /* Clients in a browser measure from pages of any origin. */
  detour_http_response_add_header (response, "Access-Control-Allow-Origin", "*");
}

/* Older and newer clients use either name. */
static const DetourHttpRoute probe_routes[] = {
  { "/derp/probe", DETOUR_HTTP_GET, 0, http_routes_probe_handle },
  { "/derp/latency-check", DETOUR_HTTP_GET, 0, http_routes_probe_handle },
  { NULL },
};

static void
http_routes_route_owner_free (gpointer data)
{
  RouteOwner *owner = data;

  g_assert (owner->n_running == 0);
  g_free (owner->name);
  g_free (owner);
}

DetourHttpRoutes *
detour_http_routes_new (void)
{
  DetourHttpRoutes *self = g_new0 (DetourHttpRoutes, 1);

  g_mutex_init (&self->lock);
  g_cond_init (&self->idle);
  self->by_path = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  self->by_owner = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                          http_routes_route_owner_free);
  if (!detour_http_routes_add (self, "core", probe_routes, NULL, NULL))
    g_assert_not_reached ();
  return self;
}

void
detour_http_routes_free (DetourHttpRoutes *self)
{
  g_hash_table_unref (self->by_path);
  g_hash_table_unref (self->by_owner);
  g_cond_clear (&self->idle);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static gboolean
http_routes_is_path (const char *path)
{
  if (path[0] != '/')
    return FALSE;
  for (const char *p = path; *p != '\0'; p++)
    {
      if (!g_ascii_isgraph (*p) || *p == '?' || *p == '#')
        return FALSE;
    }
  return TRUE;
}

static gboolean
http_routes_check_path (DetourHttpRoutes *self, const char *path, GError **error)
{
  const RouteEntry *entry = g_hash_table_lookup (self->by_path, path);

  if (!http_routes_is_path (path))
    {
      g_autofree char *escaped = g_strescape (path, NULL);

      g_set_error (error, DETOUR_HTTP_ROUTES_ERROR, DETOUR_HTTP_ROUTES_ERROR_PATH,
                   "route \"%s\": expected a path that begins with / and has no blank, ? or #",
                   escaped);
      return FALSE;
    }
  if (strcmp (path, DETOUR_HTTP_UPGRADE_PATH) == 0)
    {
      g_set_error (error, DETOUR_HTTP_ROUTES_ERROR, DETOUR_HTTP_ROUTES_ERROR_PATH,
                   "route \"%s\" is kept for the relay itself; expected another path", path);
      return FALSE;
    }
  if (entry != NULL)
    {
      g_set_error (error, DETOUR_HTTP_ROUTES_ERROR, DETOUR_HTTP_ROUTES_ERROR_TAKEN,
                   "route \"%s\" is answered by %s already; expected a path of its own", path,
                   entry->owner->name);
      return FALSE;
    }
  return TRUE;
}

/* Under the lock. */
static gboolean
http_routes_put_in (DetourHttpRoutes *self, RouteOwner *owner, const DetourHttpRoute *route,
                    GError **error)
{
  RouteEntry *entry;

  if (!http_routes_check_path (self, route->path, error))
    return FALSE;
  entry = g_new0 (RouteEntry, 1);
  entry->route = route;
  entry->owner = owner;
  g_hash_table_insert (self->by_path, (gpointer) route->path, entry);
  return TRUE;
}

/* Under the lock. */
static void
http_routes_take_out (DetourHttpRoutes *self, const RouteOwner *owner)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->by_path);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      if (((RouteEntry *) value)->owner == owner)
        g_hash_table_iter_remove (&iter);
    }
}

gboolean
detour_http_routes_add (DetourHttpRoutes *self, const char *instance, const DetourHttpRoute *routes,
                        gpointer plugin, GError **error)
{
  RouteOwner *owner = g_new0 (RouteOwner, 1);
  gboolean ok = TRUE;

  owner->name = g_strdup (instance);
  owner->plugin = plugin;

  g_mutex_lock (&self->lock);
  g_assert (!g_hash_table_contains (self->by_owner, instance));
  for (const DetourHttpRoute *route = routes; ok && route->path != NULL; route++)
    ok = http_routes_put_in (self, owner, route, error);
  if (ok)
    g_hash_table_insert (self->by_owner, owner->name, owner);
  else
    http_routes_take_out (self, owner);
  g_mutex_unlock (&self->lock);

  if (!ok)
    http_routes_route_owner_free (owner);
  return ok;
}

void
detour_http_routes_remove (DetourHttpRoutes *self, const char *instance)
{
  RouteOwner *owner;

  g_mutex_lock (&self->lock);
  owner = g_hash_table_lookup (self->by_owner, instance);
  if (owner != NULL)
    {
      http_routes_take_out (self, owner);
      while (owner->n_running > 0)
        g_cond_wait (&self->idle, &self->lock);
      g_hash_table_remove (self->by_owner, instance);
    }
  g_mutex_unlock (&self->lock);
}

/* The route for @path, with its owner held back from going; NULL: none. */
static const DetourHttpRoute *
http_routes_enter (DetourHttpRoutes *self, const char *path, gboolean plain_only,
                   RouteOwner **owner)
{
  const DetourHttpRoute *route = NULL;
  const RouteEntry *entry;

  g_mutex_lock (&self->lock);
  entry = g_hash_table_lookup (self->by_path, path);
  if (entry != NULL && (!plain_only || (entry->route->flags & DETOUR_HTTP_PLAIN) != 0))
    {
      route = entry->route;
      *owner = entry->owner;
      entry->owner->n_running++;
    }
  g_mutex_unlock (&self->lock);
  return route;
}

static void
http_routes_leave (DetourHttpRoutes *self, RouteOwner *owner)
{
  g_mutex_lock (&self->lock);
  if (--owner->n_running == 0)
    g_cond_broadcast (&self->idle);
  g_mutex_unlock (&self->lock);
}

static gboolean
http_routes_method_is_get (const DetourHttpRequest *request)
{
  const char *method = detour_http_request_method (request);

  return strcmp (method, "GET") == 0 || strcmp (method, "HEAD") == 0;
}

static gboolean
http_routes_takes_method (const DetourHttpRoute *route, const DetourHttpRequest *request)
{
  if ((route->methods & DETOUR_HTTP_ANY) != 0)
    return TRUE;
  if ((route->methods & DETOUR_HTTP_GET) != 0 && http_routes_method_is_get (request))
    return TRUE;
  return (route->methods & DETOUR_HTTP_POST) != 0
      && strcmp (detour_http_request_method (request), "POST") == 0;
}

static void
http_routes_refuse_method (const DetourHttpRoute *route, DetourHttpResponse *response)
{
  gboolean get = (route->methods & DETOUR_HTTP_GET) != 0;
  gboolean post = (route->methods & DETOUR_HTTP_POST) != 0;

  detour_http_response_set_error (response, 405, "This method is not allowed here");
  detour_http_response_add_header (response, "Allow",
                                   get && post ? "GET, HEAD, POST"
                                   : get       ? "GET, HEAD"
                                               : "POST");
}

/* On a listener that sends everything to https. The parser let only bytes pass that may stand in a
 * header. */
static void
http_routes_redirect (const DetourHttpRequest *request, DetourHttpResponse *response)
{
  const DetourHttpHead *head = detour_http_request_head (request);
  const char *host = detour_http_request_host (request);
  g_autofree char *location = NULL;

  if (!http_routes_method_is_get (request))
    {
      detour_http_response_set_error (response, 400, "Use https");
      return;
    }
  if (host[0] == '\0')
    {
      detour_http_response_set_error (response, 400, "Use https; there is no Host to send you to");
      return;
    }
  /* A `?` with nothing behind it is kept too: the query then begins behind it. */
  location = g_strconcat ("https://", host, detour_http_request_path (request),
                          head->query.start > head->path.start + head->path.len ? "?" : "",
                          detour_http_request_query (request), NULL);
  detour_http_response_set_status (response, 302);
  detour_http_response_add_header (response, "Location", location);
}

void
detour_http_routes_answer (DetourHttpRoutes *self, const DetourHttpRequest *request,
                           DetourHttpResponse *response)
{
  gboolean redirects = (detour_http_request_flags (request) & DETOUR_LISTENER_REDIRECT_HTTPS) != 0;
  const DetourHttpRoute *route;
  RouteOwner *owner;

  /* CONNECT names a host, not a path. Encrypted listeners are where a proxy would be, so there it
   * is forbidden, and elsewhere it is unknown. */
  if (detour_http_request_head (request)->form == DETOUR_HTTP_TARGET_AUTHORITY)
    {
      if (detour_http_request_secure (request))
        detour_http_response_set_error (response, 403, "This is not a proxy");
      else
        detour_http_response_set_error (response, 404, "There is no such page");
      return;
    }
  route = http_routes_enter (self, detour_http_request_path (request), redirects, &owner);
  if (route == NULL)
    {
      if (redirects)
        http_routes_redirect (request, response);
      else
        detour_http_response_set_error (response, 404, "There is no such page");
      return;
    }
  if (http_routes_takes_method (route, request))
    route->handle (owner->plugin, request, response);
  else
    http_routes_refuse_method (route, response);
  http_routes_leave (self, owner);
}
