/* mesh-lookup.c: addresses of a host, both families, found without waiting.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "mesh-lookup.h"

#include <gio/gio.h>

/* That are dialled in one attempt. */
#define ADDRESSES_MAX 4u

struct _MeshLookup {
  GCancellable *cancellable;
  guint timer; /* 0: it is over */
  gboolean is_late;
  guint port;
  MeshLookupDone done; /* NULL: nobody wants to know any more */
  gpointer user;
};

static char *
mesh_lookup_write (GInetAddress *address, guint port)
{
  g_autofree char *text = g_inet_address_to_string (address);

  return g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV6
           ? g_strdup_printf ("[%s]:%u", text, port)
           : g_strdup_printf ("%s:%u", text, port);
}

/* The first one of @found of @family, or of any other if @other is set; taken out. */
static GInetAddress *
mesh_lookup_take (GList **found, GSocketFamily family, gboolean other)
{
  for (GList *link = *found; link != NULL; link = link->next)
    if ((g_inet_address_get_family (link->data) == family) != other)
      {
        GInetAddress *address = link->data;

        *found = g_list_delete_link (*found, link);
        return address;
      }
  return NULL;
}

/* In turns, so that a family that leads nowhere does not take up the whole attempt. */
static GStrv
mesh_lookup_order (GList *found, guint port)
{
  g_autoptr (GStrvBuilder) out = g_strv_builder_new ();
  GSocketFamily first = found != NULL ? g_inet_address_get_family (found->data)
                                      : G_SOCKET_FAMILY_INVALID;

  for (guint i = 0; found != NULL && i < ADDRESSES_MAX; i++)
    {
      GInetAddress *address = mesh_lookup_take (&found, first, i % 2 == 1);
      g_autofree char *text = NULL;

      if (address == NULL)
        address = mesh_lookup_take (&found, first, i % 2 == 0);
      text = mesh_lookup_write (address, port);
      g_strv_builder_add (out, text);
      g_object_unref (address);
    }
  g_resolver_free_addresses (found);
  return g_strv_builder_end (out);
}

static void
mesh_lookup_on_found (GObject *source, GAsyncResult *result, gpointer data)
{
  MeshLookup *self = data;
  g_autoptr (GError) error = NULL;
  GList *found = g_resolver_lookup_by_name_finish (G_RESOLVER (source), result, &error);
  g_auto (GStrv) addresses = mesh_lookup_order (found, self->port);

  g_clear_handle_id (&self->timer, g_source_remove);
  if (self->done != NULL)
    self->done ((const char *const *) addresses,
                self->is_late          ? "the resolver does not answer in time"
                : error != NULL        ? error->message
                : addresses[0] == NULL ? "it has no address"
                                       : NULL,
                self->user);
  g_object_unref (self->cancellable);
  g_free (self);
}

static gboolean
mesh_lookup_on_time (gpointer data)
{
  MeshLookup *self = data;

  self->timer = 0;
  self->is_late = TRUE;
  g_cancellable_cancel (self->cancellable);
  return G_SOURCE_REMOVE;
}

MeshLookup *
mesh_lookup_new (const char *host, guint port, guint timeout_ms, MeshLookupDone done, gpointer user)
{
  MeshLookup *self = g_new0 (MeshLookup, 1);
  g_autoptr (GResolver) resolver = g_resolver_get_default ();

  self->done = done;
  self->user = user;
  self->port = port;
  self->cancellable = g_cancellable_new ();
  self->timer = g_timeout_add (timeout_ms, mesh_lookup_on_time, self);
  g_resolver_lookup_by_name_async (resolver, host, self->cancellable, mesh_lookup_on_found, self);
  return self;
}

void
mesh_lookup_cancel (MeshLookup *self)
{
  self->done = NULL;
  g_cancellable_cancel (self->cancellable);
}
