/* detour-client-list.h: lists of clients for callers, page by page.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What ListClients(), FindClients(), GetClient(), Why() and DisconnectClient() do, as
 * data/io.github.detourd.Detour1.xml describes them. */
#pragma once

#include <gio/gio.h>

#include "detour-client-key.h"

G_BEGIN_DECLS

typedef struct _DetourClientList DetourClientList; /* main thread */

DetourClientList *detour_client_list_new (DetourServer *server);
/* Callers that wait get an error. Runs the main context until every worker has answered. */
void detour_client_list_free (DetourClientList *self);

/* Each of these answers @call, at once or later. */
void detour_client_list_page (DetourClientList *self, GVariant *options,
                              GDBusMethodInvocation *call);
void detour_client_list_find (DetourClientList *self, GVariant *options,
                              GDBusMethodInvocation *call);
void detour_client_list_get (DetourClientList *self, const char *key, GDBusMethodInvocation *call);
void detour_client_list_why (DetourClientList *self, const char *key, GDBusMethodInvocation *call);
void detour_client_list_disconnect (DetourClientList *self, const char *key,
                                    GDBusMethodInvocation *call);

/* Answers @call. */
typedef void (*DetourClientKeyFunc) (gpointer user, const DetourKey *key,
                                     GDBusMethodInvocation *call);

/* Calls @func with a whole key as it is, and otherwise with the key of the one client whose key
 * begins so; or answers @call with an error. */
void detour_client_list_with_key (DetourClientList *self, const char *key,
                                  GDBusMethodInvocation *call, DetourClientKeyFunc func,
                                  gpointer user);

G_END_DECLS
