/* http-ace.c: CONNECT to a few hosts, for clients whose network keeps them from reaching their
 * control server.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "ace-address.h"
#include "ace-dial.h"
#include "ace-names.h"

#include "detour-plugin.h"

/* So much of what a client asks for is shown in the log. */
#define TARGET_SHOWN_MAX 300u

typedef struct {
  const char *const *allow;
  guint connections;
  guint connections_per_source;
  gint64 connect_timeout_us;
  gint64 idle_us;
} Options;

typedef struct {
  DetourHost *host;
  Options options;
  GQueue tunnels;      /* of Tunnel: begun, or being connected */
  GHashTable *sources; /* text of ace_address_source() -> number of them */
  GMutex lock;         /* of the next one: handlers run on several threads */
  DetourCounter *refused_names;
  DetourCounter *refused_addresses, *refused_limit, *failed, *connected;
} Ace;

/* Main thread. */
typedef struct {
  Ace *ace; /* NULL: the instance has stopped */
  GList link;
  DetourHttpExchange *exchange; /* NULL: answered */
  char *host;
  guint16 port;
  char *source;
  AceDial *dial;   /* NULL: over */
  GSocket *socket; /* of the server, beside the descriptor that core has; NULL: not connected */
} Tunnel;

/* ---- the end --------------------------------------------------------------------------------- */

static void
http_ace_forget (Tunnel *self)
{
  Ace *ace = self->ace;
  guint n;

  if (ace == NULL)
    return;
  self->ace = NULL;
  g_queue_unlink (&ace->tunnels, &self->link);
  n = GPOINTER_TO_UINT (g_hash_table_lookup (ace->sources, self->source));
  if (n > 1)
    g_hash_table_replace (ace->sources, g_strdup (self->source), GUINT_TO_POINTER (n - 1));
  else
    g_hash_table_remove (ace->sources, self->source);
  detour_host_set_summary (ace->host, "%u tunnels", ace->tunnels.length);
}

static void
http_ace_tunnel_free (Tunnel *self)
{
  http_ace_forget (self);
  g_clear_object (&self->socket);
  g_free (self->host);
  g_free (self->source);
  g_free (self);
}

static gboolean
http_ace_on_ended (gpointer data)
{
  http_ace_tunnel_free (data);
  return G_SOURCE_REMOVE;
}

/* Any thread. The instance may have stopped, so its host has no part in this. */
static void
http_ace_pass_on_ended (gpointer data)
{
  g_idle_add (http_ace_on_ended, data);
}

/* ---- the beginning --------------------------------------------------------------------------- */

static void
http_ace_answer (DetourHttpExchange *exchange, guint status, const char *text)
{
  DetourHttpResponse *response = detour_http_exchange_response (exchange);

  detour_http_response_set_status (response, status);
  /* Nobody knows when a tunnel ends; who asks again so seldom costs little. */
  if (status == 429 || status == 503)
    detour_http_response_add_header (response, "Retry-After", "10");
  detour_http_response_set_body (response, "text/plain; charset=utf-8", text, -1);
  detour_http_exchange_send (exchange);
}

/* Any thread. The target is the client's word. */
static void
http_ace_log_refusal (Ace *self, const DetourHttpRequest *request, const char *reason,
                      const char *text)
{
  g_autofree char *cut = g_strndup (detour_http_request_path (request), TARGET_SHOWN_MAX);
  g_autofree char *target = g_strescape (cut, NULL);
  g_autofree char *address = ace_address_text (detour_http_request_peer (request));

  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_INFO, DETOUR_LOG_EVENT, "tunnel-refused",
                    DETOUR_LOG_ADDRESS, address, DETOUR_LOG_INSTANCE,
                    detour_host_instance (self->host), DETOUR_LOG_REASON, reason, "MESSAGE",
                    "%s: no tunnel to %s: %s", address, target, text);
}

static void
http_ace_refuse (Tunnel *self, guint status, const char *text)
{
  http_ace_answer (g_steal_pointer (&self->exchange), status, text);
  http_ace_tunnel_free (self);
}

/* Core has one descriptor, and this plugin another one, by which it ends the tunnel when it stops.
 */
static void
http_ace_begin (Tunnel *self, GSocket *socket)
{
  DetourHttpExchange *exchange = g_steal_pointer (&self->exchange);
  const int on = 1;
  DetourHttpTunnel tunnel = {
    .fd = fcntl (g_socket_get_fd (socket), F_DUPFD_CLOEXEC, 0),
    .idle_us = self->ace->options.idle_us,
    .ended = http_ace_pass_on_ended,
    .user = self,
  };

  self->socket = socket;
  if (tunnel.fd < 0)
    {
      self->exchange = exchange;
      http_ace_refuse (self, 503, "There are too many connections\n");
      return;
    }
  if (setsockopt (tunnel.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
    g_debug ("no TCP_NODELAY");
  detour_counter_add (self->ace->connected, 1);
  detour_http_response_begin_tunnel (detour_http_exchange_response (exchange), &tunnel);
  detour_http_exchange_send (exchange);
}

static void
http_ace_on_dialled (AceDialResult result, GSocket *socket, const char *address, gpointer user)
{
  Tunnel *self = user;
  Ace *ace = self->ace;
  const DetourHttpRequest *request = detour_http_exchange_request (self->exchange);
  g_autofree char *text = NULL;

  self->dial = NULL;
  switch (result)
    {
    case ACE_DIAL_DONE:
      http_ace_begin (self, socket);
      return;
    case ACE_DIAL_REFUSED:
      text = g_strdup_printf ("%s is not an address of the public Internet", address);
      detour_counter_add (ace->refused_addresses, 1);
      http_ace_log_refusal (ace, request, "address", text);
      http_ace_refuse (self, 403, "That host is not one of the public Internet\n");
      return;
    case ACE_DIAL_FAILED:
      text = g_strdup_printf ("no connection%s%s", *address != '\0' ? ", last tried " : "",
                              address);
      detour_counter_add (ace->failed, 1);
      http_ace_log_refusal (ace, request, "unreachable", text);
      http_ace_refuse (self, 502, "That host cannot be reached\n");
      return;
    }
}

/* An exchange on its way to the main thread. */
typedef struct {
  Ace *ace;
  DetourHttpExchange *exchange;
  char *host;
  guint16 port;
} Wish;

static void
http_ace_wish_free (Wish *self)
{
  g_free (self->host);
  g_free (self);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Wish, http_ace_wish_free)

static void
http_ace_drop_wish (gpointer data)
{
  g_autoptr (Wish) wish = data;

  http_ace_answer (wish->exchange, 503, "This service is not running\n");
}

/* Core asks for the client's true address. FALSE: there are as many tunnels as there may be. */
static gboolean
http_ace_has_room (const Ace *self, const char *source)
{
  return self->tunnels.length < self->options.connections
      && GPOINTER_TO_UINT (g_hash_table_lookup (self->sources, source))
             < self->options.connections_per_source;
}

static void
http_ace_on_wish (gpointer data)
{
  g_autoptr (Wish) wish = data;
  Ace *ace = wish->ace;
  const DetourHttpRequest *request = detour_http_exchange_request (wish->exchange);
  g_autofree char *source = ace_address_source (detour_http_request_peer (request));
  Tunnel *self;
  guint n;

  if (!http_ace_has_room (ace, source))
    {
      detour_counter_add (ace->refused_limit, 1);
      http_ace_log_refusal (ace, request, "limit", "there are too many");
      http_ace_answer (wish->exchange, 429, "There are too many tunnels\n");
      return;
    }
  self = g_new0 (Tunnel, 1);
  self->ace = ace;
  self->link.data = self;
  self->exchange = wish->exchange;
  self->host = g_steal_pointer (&wish->host);
  self->port = wish->port;
  g_queue_push_tail_link (&ace->tunnels, &self->link);
  n = GPOINTER_TO_UINT (g_hash_table_lookup (ace->sources, source));
  g_hash_table_replace (ace->sources, g_strdup (source), GUINT_TO_POINTER (n + 1));
  self->source = g_steal_pointer (&source);
  detour_host_set_summary (ace->host, "%u tunnels", ace->tunnels.length);
  self->dial = ace_dial_new (self->host, self->port, ace->options.connect_timeout_us,
                             http_ace_on_dialled, self);
}

/* Threads of the handshake pool. */
static void
http_ace_handle (gpointer data, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  Ace *self = data;
  Wish *wish;
  char *host;
  guint16 port;

  if (!ace_names_match (self->options.allow, detour_http_request_path (request), &host, &port))
    {
      g_mutex_lock (&self->lock);
      detour_counter_add (self->refused_names, 1);
      g_mutex_unlock (&self->lock);
      http_ace_log_refusal (self, request, "name", "that host or port is not allowed");
      detour_http_response_set_status (response, 403);
      detour_http_response_set_body (response, "text/plain; charset=utf-8",
                                     "No tunnel leads there\n", -1);
      return;
    }
  wish = g_new (Wish, 1);
  *wish = (Wish) { self, detour_http_response_hold (response), host, port };
  detour_host_post (self->host, http_ace_on_wish, wish, http_ace_drop_wish);
}

/* ---- the instance ---------------------------------------------------------------------------- */

static gboolean
http_ace_check (const DetourSettings *settings, GError **error)
{
  const char *const *allow = detour_settings_list (settings, "allow");

  if (*allow == NULL)
    {
      detour_settings_error (settings, "allow", error,
                             "nothing is allowed; name hosts, such as *.tailscale.com, or leave "
                             "the group out");
      return FALSE;
    }
  for (; *allow != NULL; allow++)
    if (!ace_names_is_entry (*allow))
      {
        g_autofree char *escaped = g_strescape (*allow, NULL);

        detour_settings_error (settings, "allow", error,
                               "\"%s\" is not a host name; write controlplane.tailscale.com, or "
                               "*.tailscale.com for all names below it",
                               escaped);
        return FALSE;
      }
  return TRUE;
}

/* Tunnels end with the instance that let them in. */
static void
http_ace_stop (gpointer data)
{
  Ace *self = data;

  while (self->tunnels.head != NULL)
    {
      Tunnel *tunnel = self->tunnels.head->data;

      http_ace_forget (tunnel);
      if (tunnel->socket != NULL)
        {
          /* Core tells of the end. */
          g_socket_shutdown (tunnel->socket, TRUE, TRUE, NULL);
          continue;
        }
      if (tunnel->dial != NULL)
        ace_dial_cancel (g_steal_pointer (&tunnel->dial));
      http_ace_refuse (tunnel, 503, "This service is not running\n");
    }
  g_hash_table_unref (self->sources);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static gpointer
http_ace_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  Ace *self = g_new0 (Ace, 1);

  self->host = host;
  detour_settings_fill (settings, &self->options);
  self->sources = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_mutex_init (&self->lock);
  self->connected = detour_host_counter (host, "connected", "tunnels whose host was connected to");
  self->failed = detour_host_counter (host, "failed", "requests whose host could not be reached");
  self->refused_names = detour_host_counter (host, "refused_names",
                                             "requests for hosts or ports that are not allowed");
  self->refused_addresses = detour_host_counter (
      host, "refused_addresses", "requests for allowed names without an address of the Internet");
  self->refused_limit = detour_host_counter (host, "refused_limit",
                                             "requests refused because there were too many");
  return self;
}

#define FIELD(member) DETOUR_CONFIG_FIELD (Options, member)
static const DetourConfigKey ace_config[] = {
  { "allow", DETOUR_CONFIG_STRING, "*.tailscale.com",
    .summary = "hosts to which tunnels may lead; `*.` stands for all names below, but for none "
               "with "
               "\"derp\" in it",
    .flags = DETOUR_CONFIG_LIST, FIELD (allow) },
  { "connections", DETOUR_CONFIG_UINT, "256", 1, 100000, "tunnels at a time", FIELD (connections) },
  { "connections-per-source", DETOUR_CONFIG_UINT, "8", 1, 100000,
    "of these, for one address, or one /64 of IPv6", FIELD (connections_per_source) },
  { "connect-timeout", DETOUR_CONFIG_DURATION, "15s", 100, 25 * 1000,
    "how long looking up a name and connecting may take", FIELD (connect_timeout_us) },
  { "idle", DETOUR_CONFIG_DURATION, "10m", 1000, 7 * 24 * 3600 * 1000,
    "tunnels are closed when nothing moves for so long", FIELD (idle_us) },
  { NULL },
};

static const DetourHttpRoute ace_routes[] = {
  { DETOUR_HTTP_CONNECT, DETOUR_HTTP_ANY, DETOUR_SITE_CLIENTS, http_ace_handle },
  { NULL },
};

static const DetourHttpFuncs ace_funcs = { .routes = ace_routes };

DETOUR_PLUGIN_DEFINE (.name = "http-ace", .kind = DETOUR_KIND_HTTP,
                      .summary = "lets clients reach their control server through this relay",
                      .config = ace_config, .check = http_ace_check, .start = http_ace_start,
                      .stop = http_ace_stop, .funcs.http = &ace_funcs);
