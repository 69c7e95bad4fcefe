/* detour-worker-health.c: what a worker's clients are told of the relay, asked for by other
 * threads.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-worker-private.h"

typedef struct {
  DetourHandle handle;
  DetourHealth reason;
  gboolean holds;
} HealthMessage;

static void
worker_health_on_set (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  g_autofree HealthMessage *message = data;
  DetourClient *client = detour_relay_find (self->shared.relay, message->handle);

  if (client != NULL)
    detour_relay_set_health (self->shared.relay, client, message->reason, message->holds);
}

void
detour_worker_set_health (DetourWorker *self, DetourHandle handle, DetourHealth reason,
                          gboolean holds)
{
  HealthMessage *message = g_new (HealthMessage, 1);

  *message = (HealthMessage) { handle, reason, holds };
  detour_loop_post (self->shared.loop, worker_health_on_set, message);
}

static void
worker_health_on_announce (DetourLoop *loop, gpointer data)
{
  DetourWorker *self = detour_loop_user (loop);
  g_autofree char *text = data;

  detour_relay_announce (self->shared.relay, text);
}

void
detour_worker_announce (DetourWorker *self, const char *text)
{
  detour_loop_post (self->shared.loop, worker_health_on_announce, g_strdup (text));
}
