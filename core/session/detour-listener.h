/* detour-listener.h: bound sockets of one transport instance, and what their connections are
 * given.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

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
  gboolean is_passed;   /* the sockets belong to the service manager */
  GArray *fds;          /* of int; closed by detour_listener_close() */
  GPtrArray *addresses; /* of char *, as bound: with the port the system chose */
} DetourListener;

/**
 * detour_listener_new:
 * @instance: "transport/https"
 * @settings: for the place of an error
 *
 * Binds every address of @spec, or takes over the descriptors that the service manager passed under
 * the name it gives. Takes @spec->user only on success. Main thread.
 */
DetourListener *detour_listener_new (const char *instance, const DetourSettings *settings,
                                     const DetourListenerSpec *spec,
                                     const DetourSocketOptions *options, GError **error);
DetourListener *detour_listener_ref (DetourListener *self);
void detour_listener_unref (DetourListener *self);

/* Closes the sockets; nobody accepts from them any more. Main thread. */
void detour_listener_close (DetourListener *self);

/* The addresses of @self that this host does not have now, so that nobody reaches them. Main
 * thread.
 */
GStrv detour_listener_absent_addresses (const DetourListener *self);

/* For people: "192.0.2.1:443 [2001:db8::1]:443". */
char *detour_listener_dup_addresses (const DetourListener *self);

G_END_DECLS
