/* detour-link-join.c: the connection of a link goes to a worker, and its end is heard of here.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-link-private.h"

#include <sodium.h>

#include "detour-channel-table.h"
#include "detour-frame.h"

gboolean
detour_link_begin_joining (DetourLink *self)
{
  if (detour_key_equal (&self->login.server, self->start.own))
    {
      detour_link_fail (self, DETOUR_LINK_FAULT_SELF, "it is this relay itself");
      return FALSE;
    }
  /* What cannot be written down could not come along in an upgrade either. */
  if (!detour_channel_is_saved (&self->channel))
    {
      detour_link_fail (self, DETOUR_LINK_FAULT_OTHER,
                        "its record layer is no TLS 1.3 that a worker could take");
      return FALSE;
    }
  self->state = DETOUR_LINK_JOINING;
  return FALSE;
}

void
detour_link_join (DetourLink *self)
{
  DetourSession *session = g_new0 (DetourSession, 1);
  guint8 watch[DETOUR_FRAME_HEADER_SIZE];

  detour_loop_remove (self->loop, &self->io);
  session->fd = self->io.fd;
  session->channel = self->channel;
  session->listener = g_intern_static_string ("link");
  session->sealed = g_steal_pointer (&self->out);
  session->input = g_steal_pointer (&self->plain);
  session->key = self->login.server;
  session->presence.flags = DETOUR_FRAME_PRESENT_MESH;
  session->is_mesh = TRUE;
  detour_frame_put_header (watch, DETOUR_FRAME_WATCH_CONNS, 0);
  session->client.output = g_byte_array_append (g_byte_array_new (), watch, sizeof watch);
  self->io.fd = -1;
  self->channel = (DetourChannel) { NULL };
  detour_dial_login_clear (&self->login);
  sodium_memzero (self->mesh_key, sizeof self->mesh_key);

  self->state = DETOUR_LINK_JOINED;
  self->tie->relay.peer.key = session->key;
  session->link = detour_link_tie_ref (self->tie);
  self->start.funcs->up (self->start.user, self, session->key.bytes);
  self->start.join (self->start.join_user, session);
}

typedef struct {
  DetourLinkTie *tie;
  DetourLinkFault fault;
  const char *reason;
} OverMessage;

static void
link_join_on_over (DetourLoop *loop, gpointer data)
{
  g_autofree OverMessage *message = data;
  g_autoptr (DetourLinkTie) tie = message->tie;
  DetourLink *self;

  g_mutex_lock (&tie->lock);
  self = g_steal_pointer (&tie->link);
  g_mutex_unlock (&tie->lock);
  if (self != NULL)
    detour_link_fail (self, message->fault, message->reason);
}

void
detour_link_tell_over (DetourLinkTie *tie, DetourLinkFault fault, const char *reason)
{
  OverMessage *message = g_new (OverMessage, 1);

  *message = (OverMessage) { detour_link_tie_ref (tie), fault, reason };
  detour_loop_post (tie->loop, link_join_on_over, message);
}

void
detour_link_read_stats (const DetourLink *self, DetourLinkStats *stats)
{
  if (self->tie != NULL)
    detour_link_tie_read (self->tie, stats);
}

DetourLink *
detour_link_new_joined (DetourLoop *loop, DetourLinkTie *tie, const DetourLinkFuncs *funcs,
                        gpointer user)
{
  DetourLink *self = g_new0 (DetourLink, 1);

  self->io.fd = -1;
  self->loop = loop;
  self->state = DETOUR_LINK_JOINED;
  self->start.funcs = funcs;
  self->start.user = user;
  self->tie = detour_link_tie_ref (tie);
  if (detour_link_tie_set_link (tie, loop, self))
    return self;
  detour_link_release (loop, self);
  return NULL;
}
