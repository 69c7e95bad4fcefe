/* detour-listener.h: bound sockets of one transport instance, and what their connections are
 * given.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-forward-table.h"
#include "detour-inherited.h"
#include "detour-plugin.h"
#include "detour-socket.h"

G_BEGIN_DECLS

/* Reference-counted: connections that came in keep it, so that its channel factory lives.
 * Immutable, any thread. */
typedef struct {
  gatomicrefcount refs;
  char *instance; /* "transport/https" */
  char *protocol; /* "tls" */
  DetourListenerFlags flags;
  const DetourChannelClass *channel; /* NULL: plain */
  gpointer (*accept) (gpointer user, const DetourAccepted *accepted);
  gpointer user;
  GDestroyNotify release;
  DetourProxyMode proxy_protocol;
  DetourCidr *trusted; /* proxies that may say whose connection they hand on */
  guint n_trusted;
  char *real_ip_header;        /* in which they write the client's address; NULL: none */
  DetourForwardTable *forward; /* connections for others; NULL: none */
  guint forward_version;       /* of the PROXY header that goes before them; 0: none */
  gint64 forward_idle_us;
  guint forward_most;
  gboolean is_passed;    /* the sockets belong to the service manager */
  GArray *fds;           /* of int; closed by detour_listener_close() */
  GArray *files;         /* of DetourSocketFileId, one for each of them */
  GArray *bound;         /* of struct sockaddr_storage, likewise */
  GArray *taken;         /* of gboolean: another program has the address, and it does not listen */
  DetourSocketFile file; /* how Unix sockets were made */
  gboolean is_paused;    /* main thread */
  GPtrArray *addresses;  /* of char *, as bound: with the port the system chose */
  GStrv asked;           /* as configured, one for each of them; NULL: they were passed */
} DetourListener;

/**
 * detour_listener_new:
 * @instance: "transport/https"
 * @settings: for the place of an error
 * @inherited: (nullable): sockets of before
 *
 * Binds every address of @spec, or takes over the descriptors that the service manager passed under
 * the name it gives. Takes @spec->user only on success. Main thread.
 */
DetourListener *detour_listener_new (const char *instance, const DetourSettings *settings,
                                     const DetourListenerSpec *spec,
                                     const DetourSocketOptions *options, DetourInherited *inherited,
                                     GError **error);
DetourListener *detour_listener_ref (DetourListener *self);
void detour_listener_unref (DetourListener *self);

/* Whether @peer may say whose connection it hands on, and the listener would listen. Any thread. */
static inline gboolean
detour_listener_trusts (const DetourListener *self, const struct sockaddr *peer)
{
  if (self->proxy_protocol == DETOUR_PROXY_OFF && self->real_ip_header == NULL)
    return FALSE;
  return peer->sa_family == AF_UNIX
      || detour_cidr_list_contains (self->trusted, self->n_trusted, peer);
}

/* Closes the sockets; nobody accepts from them any more. Main thread. */
void detour_listener_close (DetourListener *self);

/**
 * detour_listener_pause:
 *
 * Connections are refused from now on, and whoever looks for the relay goes elsewhere. Nobody
 * accepts from it any more. A Unix socket of the service manager cannot refuse and take up again:
 * connections wait there. Main thread.
 */
void detour_listener_pause (DetourListener *self);
/* Listens again; FALSE: not everywhere, see @error for the first place. What another program has
 * taken meanwhile stays in the listener as taken. Main thread. */
gboolean detour_listener_resume (DetourListener *self, const DetourSocketOptions *options,
                                 GError **error);

/* Tries what is taken once more; TRUE: it listens at one more address at least, and has to be given
 * to those who accept again. Main thread. */
gboolean detour_listener_try_taken (DetourListener *self, const DetourSocketOptions *options);
gboolean detour_listener_has_taken (const DetourListener *self);

static inline gboolean
detour_listener_is_unix (const DetourListener *self, guint index)
{
  return g_array_index (self->bound, struct sockaddr_storage, index).ss_family == AF_UNIX;
}

/* Nobody accepts from such a socket. Main thread, or while it waits. */
static inline gboolean
detour_listener_is_taken (const DetourListener *self, guint index)
{
  return index < self->taken->len && g_array_index (self->taken, gboolean, index);
}

/* The addresses of @self that nobody reaches now: this host does not have them, or another program
 * has taken the port while the relay was out of service. Main thread. */
GStrv detour_listener_absent_addresses (const DetourListener *self);

/* What an address of the configuration is called among inherited sockets. */
char *detour_listener_dup_name (const char *instance, const char *asked);

/* For people, without those that are taken: "192.0.2.1:443 [2001:db8::1]:443". */
char *detour_listener_dup_addresses (const DetourListener *self);

G_END_DECLS
