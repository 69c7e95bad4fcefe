/* detourctl-dial-resolve.c: looks up a name in both families, with a limit.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-dial-resolve.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <netdb.h>

/* A look-up that nobody may wait for any more. GResolver is not used, because it leaves out the
 * families in which this host has no address, and clients have others. */
typedef struct {
  gatomicrefcount refs;
  GMutex lock;
  GCond cond;
  char *host;
  gboolean is_done;
  int code;
  int number; /* errno, for EAI_SYSTEM */
  struct addrinfo *found;
} Lookup;

static void
ctl_dial_resolve_unref (Lookup *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  if (self->found != NULL)
    freeaddrinfo (self->found);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
  g_free (self->host);
  g_free (self);
}

static gpointer
ctl_dial_resolve_run (gpointer data)
{
  Lookup *self = data;
  const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
  struct addrinfo *found = NULL;
  int code = getaddrinfo (self->host, NULL, &hints, &found);
  int number = errno;

  g_mutex_lock (&self->lock);
  self->code = code;
  self->number = number;
  self->found = found;
  self->is_done = TRUE;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
  ctl_dial_resolve_unref (self);
  return NULL;
}

static GPtrArray *
ctl_dial_resolve_collect (const struct addrinfo *found)
{
  GPtrArray *all = g_ptr_array_new_with_free_func (g_object_unref);

  for (; found != NULL; found = found->ai_next)
    {
      g_autoptr (GSocketAddress)
          address = g_socket_address_new_from_native (found->ai_addr, found->ai_addrlen);
      GInetAddress *one = G_IS_INET_SOCKET_ADDRESS (address)
                            ? g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address))
                            : NULL;
      gboolean is_known = one == NULL;

      for (guint i = 0; i < all->len; i++)
        is_known = is_known || g_inet_address_equal (all->pdata[i], one);
      if (!is_known)
        g_ptr_array_add (all, g_object_ref (one));
    }
  return all;
}

static gboolean
ctl_dial_resolve_wait (Lookup *lookup, gint64 end_us)
{
  gboolean is_done = TRUE;

  g_mutex_lock (&lookup->lock);
  while (!lookup->is_done && is_done)
    is_done = g_cond_wait_until (&lookup->cond, &lookup->lock, end_us);
  is_done = lookup->is_done;
  g_mutex_unlock (&lookup->lock);
  return is_done;
}

GPtrArray *
detourctl_dial_resolve (const char *host, gint64 limit_us, GError **error)
{
  GInetAddress *literal = g_inet_address_new_from_string (host);
  GPtrArray *result = NULL;
  Lookup *lookup;

  if (literal != NULL)
    {
      result = g_ptr_array_new_with_free_func (g_object_unref);
      g_ptr_array_add (result, literal);
      return result;
    }
  lookup = g_new0 (Lookup, 1);
  g_atomic_ref_count_init (&lookup->refs);
  g_atomic_ref_count_inc (&lookup->refs);
  g_mutex_init (&lookup->lock);
  g_cond_init (&lookup->cond);
  lookup->host = g_strdup (host);
  g_thread_unref (g_thread_new ("resolver", ctl_dial_resolve_run, lookup));
  if (!ctl_dial_resolve_wait (lookup, g_get_monotonic_time () + limit_us))
    g_set_error (error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_TEMPORARY_FAILURE,
                 _ ("the resolver does not answer"));
  else if (lookup->code == 0)
    result = ctl_dial_resolve_collect (lookup->found);
  else
    g_set_error (error, G_RESOLVER_ERROR,
                 lookup->code == EAI_NONAME || lookup->code == EAI_NODATA
                     ? G_RESOLVER_ERROR_NOT_FOUND
                     : G_RESOLVER_ERROR_TEMPORARY_FAILURE,
                 "%s",
                 lookup->code == EAI_SYSTEM ? g_strerror (lookup->number)
                                            : gai_strerror (lookup->code));
  ctl_dial_resolve_unref (lookup);
  return result;
}
