/* detour-handshake-awaiting.c: handshakes that wait for the first certificate.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-private.h"

static void
handshake_awaiting_go_on (DetourHandshake *self)
{
  if (self->state != DETOUR_HANDSHAKE_AWAITING)
    return;
  detour_handshake_enter (self, DETOUR_HANDSHAKE_RECORD);
  detour_handshake_take_kept (self);
}

static void
handshake_awaiting_certs_changed (DetourLoop *loop, gpointer data)
{
  DetourHandshakeThread *thread = detour_loop_user (loop);
  GList *link = thread->handshakes.head;

  while (link != NULL)
    {
      DetourHandshake *handshake = link->data;

      link = link->next;
      handshake_awaiting_go_on (handshake);
    }
}

void
detour_handshake_pool_certs_changed (DetourHandshakePool *self)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_loop_post (self->threads[i].loop, handshake_awaiting_certs_changed, NULL);
}
