/* ace-dial.c: looks up a name once, and connects to one of the addresses that came.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "ace-dial.h"

#include "ace-address.h"

/* So many addresses of a name are tried. */
#define TRIES_MAX 6u
/* One that does not answer leaves time for the next one. */
#define TRY_S 5u

struct _AceDial {
  AceDialFunc done; /* NULL: it was called, or nobody wants to know */
  gpointer user;
  guint16 port;
  GCancellable *cancellable;
  guint timer;      /* 0: none */
  GList *addresses; /* of GSocketAddress: global ones that were not tried yet */
  char *last;       /* text of the address that was tried or refused last */
  gboolean was_refused;
};

static void
ace_dial_free (AceDial *self)
{
  g_clear_handle_id (&self->timer, g_source_remove);
  g_list_free_full (self->addresses, g_object_unref);
  g_object_unref (self->cancellable);
  g_free (self->last);
  g_free (self);
}

/* Nothing of GLib is under way any more. */
static void
ace_dial_end (AceDial *self, AceDialResult result, GSocket *socket)
{
  AceDialFunc done = g_steal_pointer (&self->done);

  if (done != NULL)
    done (result, socket, self->last != NULL ? self->last : "", self->user);
  else
    g_clear_object (&socket);
  ace_dial_free (self);
}

static void ace_dial_try (AceDial *self);

static void
ace_dial_on_connected (GObject *source, GAsyncResult *result, gpointer data)
{
  AceDial *self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketConnection)
      connection = g_socket_client_connect_finish (G_SOCKET_CLIENT (source), result, &error);

  if (connection != NULL)
    {
      ace_dial_end (self, ACE_DIAL_DONE,
                    g_object_ref (g_socket_connection_get_socket (connection)));
      return;
    }
  g_debug ("%s: %s", self->last, error->message);
  ace_dial_try (self);
}

static char *
ace_dial_text_of (GSocketAddress *address)
{
  return g_inet_address_to_string (
      g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address)));
}

static void
ace_dial_try (AceDial *self)
{
  GList *first = self->addresses;
  g_autoptr (GSocketAddress) address = first != NULL ? first->data : NULL;
  g_autoptr (GSocketClient) client = NULL;

  if (address == NULL || g_cancellable_is_cancelled (self->cancellable))
    {
      g_steal_pointer (&address);
      ace_dial_end (self, ACE_DIAL_FAILED, NULL);
      return;
    }
  self->addresses = g_list_delete_link (self->addresses, first);
  g_free (self->last);
  self->last = ace_dial_text_of (address);
  client = g_socket_client_new ();
  /* The address itself, whatever the environment says of proxies. */
  g_socket_client_set_enable_proxy (client, FALSE);
  g_socket_client_set_timeout (client, TRY_S);
  g_socket_client_connect_async (client, G_SOCKET_CONNECTABLE (address), self->cancellable,
                                 ace_dial_on_connected, self);
}

/* Keeps an address that may be connected to. */
static void
ace_dial_take (AceDial *self, GInetAddress *inet)
{
  GSocketAddress *address = g_inet_socket_address_new (inet, self->port);
  struct sockaddr_storage native = { 0 };

  if (g_socket_address_to_native (address, &native, sizeof native, NULL)
      && ace_address_is_global ((const struct sockaddr *) &native))
    {
      self->addresses = g_list_append (self->addresses, address);
      return;
    }
  self->was_refused = TRUE;
  g_free (self->last);
  self->last = ace_dial_text_of (address);
  g_object_unref (address);
}

static void
ace_dial_on_found (GObject *source, GAsyncResult *result, gpointer data)
{
  AceDial *self = data;
  g_autoptr (GError) error = NULL;
  GList *found = g_resolver_lookup_by_name_finish (G_RESOLVER (source), result, &error);
  guint n = 0;

  if (found == NULL)
    g_debug ("no address: %s", error->message);
  for (GList *link = found; link != NULL && n < TRIES_MAX; link = link->next, n++)
    ace_dial_take (self, link->data);
  g_resolver_free_addresses (found);
  if (self->addresses == NULL && self->was_refused)
    ace_dial_end (self, ACE_DIAL_REFUSED, NULL);
  else
    ace_dial_try (self);
}

static gboolean
ace_dial_on_time (gpointer data)
{
  AceDial *self = data;

  self->timer = 0;
  g_cancellable_cancel (self->cancellable);
  return G_SOURCE_REMOVE;
}

AceDial *
ace_dial_new (const char *host, guint16 port, gint64 timeout_us, AceDialFunc done, gpointer user)
{
  AceDial *self = g_new0 (AceDial, 1);
  g_autoptr (GResolver) resolver = g_resolver_get_default ();

  self->done = done;
  self->user = user;
  self->port = port;
  self->cancellable = g_cancellable_new ();
  self->timer = g_timeout_add ((guint) (timeout_us / 1000), ace_dial_on_time, self);
  g_resolver_lookup_by_name_async (resolver, host, self->cancellable, ace_dial_on_found, self);
  return self;
}

void
ace_dial_cancel (AceDial *self)
{
  self->done = NULL;
  g_cancellable_cancel (self->cancellable);
}
