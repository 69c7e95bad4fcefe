/* detour-session.c: all that a logged-in connection is made of, on its way from one thread to
 * another.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-session.h"

#include <unistd.h>

void
detour_session_free (DetourSession *self)
{
  if (self->fd >= 0)
    close (self->fd);
  detour_channel_clear (&self->channel);
  g_clear_pointer (&self->verdict, detour_verdict_unref);
  if (self->terms != NULL)
    detour_terms_leave (self->terms);
  if (self->visit != NULL)
    detour_tenant_leave (self->visit);
  g_clear_pointer (&self->terms, detour_terms_unref);
  if (self->link != NULL)
    detour_link_tie_end (self->link, DETOUR_LINK_FAULT_ENDED_HERE, "no worker could take it");
  g_clear_pointer (&self->link, detour_link_tie_unref);
  g_clear_pointer (&self->keys, g_array_unref);
  g_clear_pointer (&self->preferred, g_array_unref);
  detour_client_state_clear (&self->client);
  g_clear_pointer (&self->sealed, g_byte_array_unref);
  g_clear_pointer (&self->input, g_byte_array_unref);
  g_free (self);
}
