/* detour-control-listener.c: the interface io.github.detourd.Detour1.Listener.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

#include <string.h>

#include "detour-bus-interfaces.h"

/* A listener of a transport, or the addresses of a service. */
typedef struct {
  char *instance;
  char *protocol;
  GStrv addresses;
  GStrv absent; /* addresses of them that this host does not have */
  DetourListenerFlags flags;
  char *certificate; /* "cert/main"; NULL: any fits, or none is needed */
} View;

static void
control_listener_view_free (gpointer data)
{
  View *view = data;

  g_free (view->instance);
  g_free (view->protocol);
  g_strfreev (view->addresses);
  g_strfreev (view->absent);
  g_free (view->certificate);
  g_free (view);
}

static GVariant *
control_listener_get_instance (gpointer data)
{
  return g_variant_new_string (((View *) data)->instance);
}

static GVariant *
control_listener_get_protocol (gpointer data)
{
  return g_variant_new_string (((View *) data)->protocol);
}

static GVariant *
control_listener_get_addresses (gpointer data)
{
  return g_variant_new_strv ((const char *const *) ((View *) data)->addresses, -1);
}

static GVariant *
control_listener_get_absent (gpointer data)
{
  static const char *const none[] = { NULL };
  const View *view = data;

  return g_variant_new_strv (view->absent != NULL ? (const char *const *) view->absent : none, -1);
}

static GVariant *
control_listener_get_derp (gpointer data)
{
  return g_variant_new_boolean ((((View *) data)->flags & DETOUR_LISTENER_DERP) != 0);
}

static GVariant *
control_listener_get_secure (gpointer data)
{
  return g_variant_new_boolean ((((View *) data)->flags & DETOUR_LISTENER_SECURE) != 0);
}

static GVariant *
control_listener_get_certificate (gpointer data)
{
  const View *view = data;

  return g_variant_new_string (view->certificate != NULL ? view->certificate : "");
}

static const DetourTreeProperty properties[] = {
  { "Instance", control_listener_get_instance },
  { "Protocol", control_listener_get_protocol },
  { "Addresses", control_listener_get_addresses },
  { "AbsentAddresses", control_listener_get_absent },
  { "Derp", control_listener_get_derp },
  { "Secure", control_listener_get_secure },
  { "Certificate", control_listener_get_certificate },
  { NULL },
};

static const DetourTreeInterface interface = { &detour_bus_listener_interface, properties, NULL };

/* The value of the key that names a certificate, of whatever plugin. */
static char *
control_listener_certificate_of (DetourControl *self, const char *id)
{
  const DetourInstance *instance = detour_roster_find (self->parts.roster, id);
  const DetourSettings *settings = instance != NULL ? detour_instance_settings (instance) : NULL;
  const DetourConfigKey *key = settings != NULL ? detour_settings_table (settings) : NULL;

  for (; key != NULL && key->key != NULL; key++)
    if ((key->flags & DETOUR_CONFIG_CERT) != 0 && detour_settings_has (settings, key->key))
      return g_strconcat ("cert/", detour_settings_string (settings, key->key), NULL);
  return NULL;
}

static void
control_listener_add_transports (DetourControl *self, GPtrArray *nodes)
{
  const GPtrArray *listeners = detour_server_listeners (self->parts.server);

  for (guint i = 0; i < listeners->len; i++)
    {
      const DetourListener *listener = listeners->pdata[i];
      View *view = g_new0 (View, 1);
      guint n = 0;

      for (guint k = 0; k < i; k++)
        if (strcmp (((const DetourListener *) listeners->pdata[k])->instance, listener->instance)
            == 0)
          n++;
      view->instance = g_strdup (listener->instance);
      view->protocol = g_strdup (listener->protocol);
      view->addresses = g_new0 (char *, listener->addresses->len + 1);
      for (guint k = 0; k < listener->addresses->len; k++)
        view->addresses[k] = g_strdup (listener->addresses->pdata[k]);
      view->absent = detour_listener_absent_addresses (listener);
      view->flags = listener->flags;
      view->certificate = control_listener_certificate_of (self, listener->instance);
      detour_tree_add (nodes, detour_tree_node_name ("listener", listener->instance, n), &interface,
                       view, control_listener_view_free);
    }
}

/* An instance may open sockets itself. */
static void
control_listener_add_own (DetourInstance *instance, GPtrArray *nodes)
{
  const char *protocol;
  const char *const *addresses = detour_instance_sockets (instance, &protocol);
  View *view;

  if (addresses[0] == NULL)
    return;
  view = g_new0 (View, 1);
  view->instance = g_strdup (detour_instance_id (instance));
  view->protocol = g_strdup (protocol);
  view->addresses = g_strdupv ((GStrv) addresses);
  detour_tree_add (nodes, detour_tree_node_name ("listener", view->instance, 0), &interface, view,
                   control_listener_view_free);
}

void
detour_control_list_listeners (DetourControl *self, GPtrArray *nodes)
{
  control_listener_add_transports (self, nodes);
  for (guint i = 0; i < detour_roster_count (self->parts.roster); i++)
    control_listener_add_own (detour_roster_nth (self->parts.roster, i), nodes);
}
