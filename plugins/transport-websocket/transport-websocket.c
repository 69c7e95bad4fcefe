/* transport-websocket.c: DERP in a WebSocket, for browsers and for clients that were told to.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include "websocket-channel.h"
#include "websocket-upgrade.h"

/* The longest packet in its frame: a client may write it as one message. */
#define MAX_MESSAGE_LEAST (5u + 32u + 65536u)

typedef struct {
  guint64 max_message;
  GMutex lock; /* requests are handled by several threads, a counter has one writer */
  DetourCounter *accepts;
  DetourCounter *refused;
} Websocket;

static const DetourConfigKey websocket_config[] = {
  { "max-message", DETOUR_CONFIG_SIZE, "1M", MAX_MESSAGE_LEAST, G_MAXINT64,
    .summary = "longest message that is taken, all its fragments together",
    .flags = DETOUR_CONFIG_LIMIT, DETOUR_CONFIG_FIELD (Websocket, max_message) },
  { NULL },
};

static void
transport_websocket_count (Websocket *self, DetourCounter *counter)
{
  g_mutex_lock (&self->lock);
  detour_counter_add (counter, 1);
  g_mutex_unlock (&self->lock);
}

static gpointer
transport_websocket_upgrade (gpointer data, const DetourHttpRequest *request,
                             DetourHttpResponse *response, const DetourChannelClass **cls)
{
  Websocket *self = data;

  if (!websocket_upgrade_answer (request, response))
    {
      transport_websocket_count (self, self->refused);
      return NULL;
    }
  transport_websocket_count (self, self->accepts);
  *cls = &websocket_channel_class;
  return websocket_channel_new (self->max_message);
}

static const DetourHttpRoute websocket_routes[] = {
  { "/derp", DETOUR_HTTP_GET, DETOUR_SITE_CLIENTS | DETOUR_SITE_PLAIN, .protocol = "websocket",
    .upgrade = transport_websocket_upgrade },
  { NULL },
};

static void
transport_websocket_stop (gpointer data)
{
  Websocket *self = data;

  g_mutex_clear (&self->lock);
  g_free (self);
}

static gpointer
transport_websocket_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  Websocket *self = g_new0 (Websocket, 1);

  g_mutex_init (&self->lock);
  detour_settings_fill (settings, self);
  self->accepts = detour_host_counter (host, "accepts", "connections that became WebSockets");
  self->refused = detour_host_counter (host, "refused",
                                       "requests for a WebSocket that were refused");
  if (!detour_host_add_channel (host, &websocket_channel_class))
    g_warning ("%s: connections of another process cannot be taken over: another plugin has a "
               "channel with the name \"%s\"",
               detour_host_instance (host), websocket_channel_class.name);
  if (detour_host_add_routes (host, websocket_routes, self, error))
    return self;
  transport_websocket_stop (self);
  return NULL;
}

DETOUR_PLUGIN_DEFINE (.name = "transport-websocket", .kind = DETOUR_KIND_TRANSPORT,
                      .summary = "carries DERP in a WebSocket, for browsers",
                      .config = websocket_config, .start = transport_websocket_start,
                      .stop = transport_websocket_stop);
