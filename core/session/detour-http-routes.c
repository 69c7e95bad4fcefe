/* detour-http-routes.c: which handler answers which path of which site.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-http-routes.h"

#include <string.h>

#include "detour-http-exchange.h"
#include "detour-http-upgrade.h"

#define HTTPS_PORT 443u

struct _DetourHttpRouteSet {
  char *instance;
  gpointer user;
  guint n_running; /* handlers in flight; under the lock */
  GPtrArray *held; /* of DetourHttpExchange: answers that are owed, and some that were given; under
                      the lock */
};

typedef struct {
  const DetourHttpRoute *route;
  DetourHttpRouteSet *set;
} RouteEntry;

/* The paths of one site. */
typedef struct {
  GHashTable *exact; /* path of the route (borrowed) -> RouteEntry */
  GPtrArray *below;  /* of RouteEntry with DETOUR_HTTP_BELOW, the longest path first */
} RouteSite;

/* The lock is held for a look-up, never while a handler runs: a slow handler delays the end of its
 * own instance only, and a stream of requests cannot keep the main thread from changing the table.
 */
struct _DetourHttpRoutes {
  GMutex lock;
  GCond idle;                      /* n_running of some set came to 0 */
  RouteSite sites[DETOUR_N_SITES]; /* by the number of the bit */
  GPtrArray *sets;                 /* of DetourHttpRouteSet */
  guint16 https_port;              /* atomic */
};

G_DEFINE_QUARK (detour_http_routes_error_quark, detour_http_routes_error)

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
http_routes_set_free (gpointer data)
{
  DetourHttpRouteSet *set = data;

  g_assert (set->n_running == 0);
  g_ptr_array_unref (set->held);
  g_free (set->instance);
  g_free (set);
}

DetourHttpRoutes *
detour_http_routes_new (void)
{
  DetourHttpRoutes *self = g_new0 (DetourHttpRoutes, 1);

  self->https_port = HTTPS_PORT;
  g_mutex_init (&self->lock);
  g_cond_init (&self->idle);
  for (guint i = 0; i < DETOUR_N_SITES; i++)
    {
      self->sites[i].exact = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
      self->sites[i].below = g_ptr_array_new_with_free_func (g_free);
    }
  self->sets = g_ptr_array_new_with_free_func (http_routes_set_free);
  if (detour_http_routes_add (self, "core", probe_routes, NULL, NULL) == NULL)
    g_assert_not_reached ();
  return self;
}

void
detour_http_routes_free (DetourHttpRoutes *self)
{
  for (guint i = 0; i < DETOUR_N_SITES; i++)
    {
      g_hash_table_unref (self->sites[i].exact);
      g_ptr_array_unref (self->sites[i].below);
    }
  g_ptr_array_unref (self->sets);
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

static DetourSites
http_routes_sites_of (const DetourHttpRoute *route)
{
  return route->sites != 0 ? route->sites : DETOUR_SITE_CLIENTS;
}

static gboolean
http_routes_check (const DetourHttpRoute *route, GError **error)
{
  DetourSites sites = http_routes_sites_of (route);
  gboolean below = (route->flags & DETOUR_HTTP_BELOW) != 0;

  if (strcmp (route->path, DETOUR_HTTP_CONNECT) == 0)
    {
      if (route->handle != NULL && route->flags == 0 && sites == DETOUR_SITE_CLIENTS
          && (route->methods & DETOUR_HTTP_ANY) != 0)
        return TRUE;
      g_set_error (error, DETOUR_HTTP_ROUTES_ERROR, DETOUR_HTTP_ROUTES_ERROR_PATH,
                   "a route for CONNECT: expected a handler for every method on the site of "
                   "clients, and no flag");
      return FALSE;
    }
  if (strcmp (route->path, DETOUR_HTTP_GATE) == 0)
    {
      if (route->handle != NULL && route->flags == 0 && sites == DETOUR_SITE_ADMIN
          && (route->methods & DETOUR_HTTP_ANY) != 0)
        return TRUE;
      g_set_error (error, DETOUR_HTTP_ROUTES_ERROR, DETOUR_HTTP_ROUTES_ERROR_PATH,
                   "a gate: expected a handler for every method on the site for administrators, "
                   "and no flag");
      return FALSE;
    }
  if (!http_routes_is_path (route->path) || (below && !g_str_has_suffix (route->path, "/")))
    {
      g_autofree char *escaped = g_strescape (route->path, NULL);

      g_set_error (error, DETOUR_HTTP_ROUTES_ERROR, DETOUR_HTTP_ROUTES_ERROR_PATH,
                   "route \"%s\": expected a path that begins %s / and has no blank, ? or #",
                   escaped, below ? "and ends with" : "with");
      return FALSE;
    }
  if (strcmp (route->path, DETOUR_HTTP_UPGRADE_PATH) == 0
      && (route->handle != NULL || route->upgrade == NULL))
    {
      g_set_error (error, DETOUR_HTTP_ROUTES_ERROR, DETOUR_HTTP_ROUTES_ERROR_PATH,
                   "route \"%s\" is kept for the relay itself; expected another path", route->path);
      return FALSE;
    }
  if ((sites & DETOUR_SITE_ADMIN) != 0 && sites != DETOUR_SITE_ADMIN)
    {
      g_set_error (error, DETOUR_HTTP_ROUTES_ERROR, DETOUR_HTTP_ROUTES_ERROR_SITES,
                   "route \"%s\" is for administrators and for others; expected one of both",
                   route->path);
      return FALSE;
    }
  return TRUE;
}

/* Under the lock. The one that answers exactly for that path, or for everything below it. */
static const RouteEntry *
http_routes_find_same (const RouteSite *site, const DetourHttpRoute *route)
{
  if ((route->flags & DETOUR_HTTP_BELOW) == 0)
    return g_hash_table_lookup (site->exact, route->path);
  for (guint i = 0; i < site->below->len; i++)
    {
      const RouteEntry *entry = g_ptr_array_index (site->below, i);

      if (strcmp (entry->route->path, route->path) == 0)
        return entry;
    }
  return NULL;
}

static int
http_routes_compare_below (gconstpointer a, gconstpointer b)
{
  gsize len_a = strlen ((*(const RouteEntry *const *) a)->route->path);
  gsize len_b = strlen ((*(const RouteEntry *const *) b)->route->path);

  return len_a < len_b ? 1 : len_a > len_b ? -1 : 0;
}

/* Under the lock. */
static gboolean
http_routes_put_on_site (RouteSite *site, DetourHttpRouteSet *set, const DetourHttpRoute *route,
                         GError **error)
{
  const RouteEntry *other = http_routes_find_same (site, route);
  RouteEntry *entry;

  if (other != NULL)
    {
      g_set_error (error, DETOUR_HTTP_ROUTES_ERROR, DETOUR_HTTP_ROUTES_ERROR_TAKEN,
                   "route \"%s\" is answered by %s already; expected a path of its own",
                   route->path, other->set->instance);
      return FALSE;
    }
  entry = g_new0 (RouteEntry, 1);
  entry->route = route;
  entry->set = set;
  if ((route->flags & DETOUR_HTTP_BELOW) == 0)
    g_hash_table_insert (site->exact, (gpointer) route->path, entry);
  else
    {
      g_ptr_array_add (site->below, entry);
      g_ptr_array_sort (site->below, http_routes_compare_below);
    }
  return TRUE;
}

/* Under the lock. */
static gboolean
http_routes_put_in (DetourHttpRoutes *self, DetourHttpRouteSet *set, const DetourHttpRoute *route,
                    GError **error)
{
  gboolean ok = http_routes_check (route, error);

  for (guint i = 0; ok && i < DETOUR_N_SITES; i++)
    if ((http_routes_sites_of (route) & 1u << i) != 0)
      ok = http_routes_put_on_site (&self->sites[i], set, route, error);
  return ok;
}

static gboolean
http_routes_is_of_set (gpointer key, gpointer value, gpointer set)
{
  return ((const RouteEntry *) value)->set == set;
}

/* Under the lock. */
static void
http_routes_take_out (DetourHttpRoutes *self, DetourHttpRouteSet *set)
{
  for (guint i = 0; i < DETOUR_N_SITES; i++)
    {
      RouteSite *site = &self->sites[i];

      g_hash_table_foreach_remove (site->exact, http_routes_is_of_set, set);
      for (guint k = site->below->len; k-- > 0;)
        if (((const RouteEntry *) g_ptr_array_index (site->below, k))->set == set)
          g_ptr_array_remove_index (site->below, k);
    }
}

DetourHttpRouteSet *
detour_http_routes_add (DetourHttpRoutes *self, const char *instance, const DetourHttpRoute *routes,
                        gpointer user, GError **error)
{
  DetourHttpRouteSet *set = g_new0 (DetourHttpRouteSet, 1);
  gboolean ok = TRUE;

  set->instance = g_strdup (instance);
  set->user = user;
  set->held = g_ptr_array_new_with_free_func ((GDestroyNotify) detour_http_exchange_unref);

  g_mutex_lock (&self->lock);
  for (const DetourHttpRoute *route = routes; ok && route->path != NULL; route++)
    ok = http_routes_put_in (self, set, route, error);
  if (ok)
    g_ptr_array_add (self->sets, set);
  else
    http_routes_take_out (self, set);
  g_mutex_unlock (&self->lock);

  if (!ok)
    g_clear_pointer (&set, http_routes_set_free);
  return set;
}

void
detour_http_routes_remove (DetourHttpRoutes *self, DetourHttpRouteSet *set)
{
  g_mutex_lock (&self->lock);
  http_routes_take_out (self, set);
  while (set->n_running > 0)
    g_cond_wait (&self->idle, &self->lock);
  for (guint i = 0; i < set->held->len; i++)
    detour_http_exchange_cancel (set->held->pdata[i], 503, "This service is not running");
  g_ptr_array_remove_fast (self->sets, set);
  g_mutex_unlock (&self->lock);
}

static gboolean
http_routes_is_shown (const RouteEntry *entry, DetourListenerFlags flags)
{
  return (entry->route->flags & DETOUR_HTTP_PAGE) == 0 || (flags & DETOUR_LISTENER_PAGES) != 0;
}

/* Under the lock. @flags: of the listener */
static const RouteEntry *
http_routes_find (const RouteSite *site, const char *path, DetourListenerFlags flags)
{
  const RouteEntry *entry = g_hash_table_lookup (site->exact, path);

  if (entry != NULL && http_routes_is_shown (entry, flags))
    return entry;
  for (guint i = 0; i < site->below->len; i++)
    {
      const RouteEntry *candidate = g_ptr_array_index (site->below, i);

      if (g_str_has_prefix (path, candidate->route->path)
          && http_routes_is_shown (candidate, flags))
        return candidate;
    }
  return NULL;
}

/* Whether it asks for a tunnel. */
static gboolean
http_routes_is_connect (const DetourHttpRequest *request)
{
  return detour_http_request_head (request)->form == DETOUR_HTTP_TARGET_AUTHORITY;
}

/* Under the lock. A tunnel is there where connections are encrypted, as in derper. */
static const RouteEntry *
http_routes_find_for (const RouteSite *site, const DetourHttpRequest *request)
{
  if (!http_routes_is_connect (request))
    return http_routes_find (site, detour_http_request_path (request),
                             detour_http_request_flags (request));
  return detour_http_request_secure (request)
           ? g_hash_table_lookup (site->exact, DETOUR_HTTP_CONNECT)
           : NULL;
}

/* The route for a request, with its set held back from going; NULL: none. */
static const DetourHttpRoute *
http_routes_enter (DetourHttpRoutes *self, const DetourHttpRequest *request,
                   DetourHttpRouteSet **set)
{
  DetourSites bit = detour_listener_site (detour_http_request_flags (request));
  const DetourHttpRoute *route = NULL;
  const RouteEntry *entry;

  g_mutex_lock (&self->lock);
  entry = http_routes_find_for (&self->sites[g_bit_nth_lsf (bit, -1)], request);
  /* Another protocol leads to DERP, so where there is no DERP there is no such route. */
  if (entry != NULL && (entry->route->handle != NULL || detour_http_request_derp (request)))
    {
      route = entry->route;
      *set = entry->set;
      entry->set->n_running++;
    }
  g_mutex_unlock (&self->lock);
  return route;
}

static void
http_routes_leave (DetourHttpRoutes *self, DetourHttpRouteSet *set)
{
  g_mutex_lock (&self->lock);
  if (--set->n_running == 0)
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

/* The answer to HEAD would have to be the one to GET, which is another protocol. */
static gboolean
http_routes_upgrades_method (const DetourHttpRoute *route, const DetourHttpRequest *request)
{
  return http_routes_takes_method (route, request)
      && strcmp (detour_http_request_method (request), "HEAD") != 0;
}

static void
http_routes_refuse_method (const DetourHttpRoute *route, DetourHttpResponse *response)
{
  gboolean get = (route->methods & (DETOUR_HTTP_GET | DETOUR_HTTP_ANY)) != 0;
  gboolean post = (route->methods & DETOUR_HTTP_POST) != 0;

  detour_http_response_set_error (response, 405, "This method is not allowed here");
  if (route->handle == NULL)
    detour_http_response_add_header (response, "Allow", get ? "GET" : "POST");
  else
    detour_http_response_add_header (response, "Allow",
                                     get && post ? "GET, HEAD, POST"
                                     : get       ? "GET, HEAD"
                                                 : "POST");
}

void
detour_http_routes_set_https_port (DetourHttpRoutes *self, guint16 port)
{
  __atomic_store_n (&self->https_port, port, __ATOMIC_RELAXED);
}

/* The length of @host without `:PORT`. */
static gsize
http_routes_host_len (const char *host)
{
  const char *end = host[0] == '[' ? strchr (host, ']') : NULL;

  return end != NULL ? (gsize) (end + 1 - host) : strcspn (host, ":");
}

/* On a listener that sends everything to https. The parser let only bytes pass that may stand in a
 * header. The port in `Host` is that of plain HTTP and leads nowhere. */
static void
http_routes_redirect (DetourHttpRoutes *self, const DetourHttpRequest *request,
                      DetourHttpResponse *response)
{
  const DetourHttpHead *head = detour_http_request_head (request);
  const char *host = detour_http_request_host (request);
  guint16 port = __atomic_load_n (&self->https_port, __ATOMIC_RELAXED);
  char port_text[sizeof ":65535"] = "";
  g_autofree char *name = NULL;
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
  name = g_strndup (host, http_routes_host_len (host));
  if (port != HTTPS_PORT)
    g_snprintf (port_text, sizeof port_text, ":%u", port);
  /* A `?` with nothing behind it is kept too: the query then begins behind it. */
  location = g_strconcat ("https://", name, port_text, detour_http_request_path (request),
                          head->query.start > head->path.start + head->path.len ? "?" : "",
                          detour_http_request_query (request), NULL);
  detour_http_response_set_status (response, 302);
  detour_http_response_add_header (response, "Location", location);
}

/* Remembers the answer that @set owes. */
static void
http_routes_note_held (DetourHttpRoutes *self, DetourHttpRouteSet *set,
                       DetourHttpExchange *exchange)
{
  g_mutex_lock (&self->lock);
  for (guint i = set->held->len; i-- > 0;)
    if (detour_http_exchange_is_gone (set->held->pdata[i]))
      g_ptr_array_remove_index_fast (set->held, i);
  g_ptr_array_add (set->held, detour_http_exchange_ref (exchange));
  g_mutex_unlock (&self->lock);
}

/* Whether the gate of the site lets the request through, or there is none. */
static gboolean
http_routes_pass_gate (DetourHttpRoutes *self, const DetourHttpRequest *request,
                       DetourHttpResponse *response)
{
  const RouteEntry *entry;
  const DetourHttpRoute *route = NULL;
  DetourHttpRouteSet *set = NULL;

  if (detour_listener_site (detour_http_request_flags (request)) != DETOUR_SITE_ADMIN)
    return TRUE;
  g_mutex_lock (&self->lock);
  entry = g_hash_table_lookup (self->sites[g_bit_nth_lsf (DETOUR_SITE_ADMIN, -1)].exact,
                               DETOUR_HTTP_GATE);
  if (entry != NULL)
    {
      route = entry->route;
      set = entry->set;
      set->n_running++;
    }
  g_mutex_unlock (&self->lock);
  if (route == NULL)
    return TRUE;
  route->handle (set->user, request, response);
  http_routes_leave (self, set);
  return detour_http_response_status (response) == 200;
}

static void
http_routes_handle (DetourHttpRoutes *self, const DetourHttpRoute *route, DetourHttpRouteSet *set,
                    DetourHttpRequest *request, DetourHttpResponse *response)
{
  if (route->handle == NULL)
    {
      detour_http_response_set_error (response, 426, "This path requires another protocol");
      return;
    }
  detour_http_response_set_request (response, request);
  route->handle (set->user, request, response);
  if (detour_http_response_held (response) != NULL)
    http_routes_note_held (self, set, detour_http_response_held (response));
}

gsize
detour_http_routes_body_max (DetourHttpRoutes *self, const DetourHttpRequest *request)
{
  DetourHttpRouteSet *set;
  const DetourHttpRoute *route = http_routes_enter (self, request, &set);
  gsize max = 0;

  if (route == NULL)
    return 0;
  if ((route->flags & DETOUR_HTTP_BODY) != 0 && http_routes_takes_method (route, request))
    max = route->body_max != 0 ? route->body_max : DETOUR_HTTP_BODY_MAX;
  http_routes_leave (self, set);
  return max;
}

gboolean
detour_http_routes_upgrade (DetourHttpRoutes *self, const DetourHttpRequest *request,
                            DetourHttpResponse *response, DetourChannel *upper)
{
  const char *protocol = detour_http_request_header (request, "Upgrade");
  DetourHttpRouteSet *set;
  const DetourHttpRoute *route = protocol != NULL ? http_routes_enter (self, request, &set) : NULL;
  gboolean begins;

  *upper = (DetourChannel) { NULL, NULL };
  if (route == NULL)
    return FALSE;
  /* RFC 9110, 7.8: in HTTP/1.0 the header means nothing. */
  begins = route->upgrade != NULL && route->protocol != NULL
        && g_ascii_strcasecmp (protocol, route->protocol) == 0
        && detour_http_request_head (request)->minor > 0;
  if (begins && !http_routes_upgrades_method (route, request))
    http_routes_refuse_method (route, response);
  else if (begins)
    {
      detour_http_response_begin_upgrade (response, route->protocol);
      upper->self = route->upgrade (set->user, request, response, &upper->cls);
      if (upper->self == NULL)
        {
          upper->cls = NULL;
          detour_http_response_refuse_upgrade (response);
        }
    }
  http_routes_leave (self, set);
  return begins;
}

void
detour_http_routes_answer (DetourHttpRoutes *self, DetourHttpRequest *request,
                           DetourHttpResponse *response)
{
  gboolean redirects = (detour_http_request_flags (request) & DETOUR_LISTENER_REDIRECT_HTTPS) != 0;
  const DetourHttpRoute *route;
  DetourHttpRouteSet *set;

  if (!http_routes_pass_gate (self, request, response))
    return;
  route = http_routes_enter (self, request, &set);
  if (route == NULL)
    {
      /* Encrypted listeners are where a proxy would be, so there CONNECT is forbidden, and
       * elsewhere it is unknown. */
      if (http_routes_is_connect (request) && detour_http_request_secure (request))
        detour_http_response_set_error (response, 403, "This is not a proxy");
      else if (redirects && !http_routes_is_connect (request))
        http_routes_redirect (self, request, response);
      else
        detour_http_response_set_error (response, 404, "There is no such page");
      return;
    }
  if (http_routes_takes_method (route, request))
    http_routes_handle (self, route, set, request, response);
  else
    http_routes_refuse_method (route, response);
  http_routes_leave (self, set);
}
