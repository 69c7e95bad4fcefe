/* detour-inner-peers.c: connections to the objects of the daemon from within it, for plugins that
 * show them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-inner-peers.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "detour-control-error.h"
#include "detour-descriptors.h"
#include "detour-peer.h"

/* GLib ends the process when it cannot open the descriptors that a connection and its thread need,
 * so nothing is begun when there are nearly none. */
#define DESCRIPTORS_MIN 16u

struct _DetourInnerPeers {
  DetourTree *tree;
  DetourPeerTurns *turns; /* their own: peers of the socket do not wait for them */
  GPtrArray *peers;       /* of DetourPeer */
  guint timer;            /* checks them; 0: there are none */
};

DetourInnerPeers *
detour_inner_peers_new (DetourTree *tree)
{
  DetourInnerPeers *self = g_new0 (DetourInnerPeers, 1);

  self->tree = tree;
  self->turns = detour_peer_turns_new ();
  self->peers = g_ptr_array_new_with_free_func ((GDestroyNotify) detour_peer_free);
  return self;
}

void
detour_inner_peers_free (DetourInnerPeers *self)
{
  g_clear_handle_id (&self->timer, g_source_remove);
  g_ptr_array_unref (self->peers);
  detour_peer_turns_unref (self->turns);
  g_free (self);
}

static void
inner_peers_on_gone (DetourPeer *peer, const char *fault, gpointer data)
{
  g_ptr_array_remove_fast (((DetourInnerPeers *) data)->peers, peer);
}

static gboolean
inner_peers_on_check (gpointer data)
{
  DetourInnerPeers *self = data;
  gint64 now_us = g_get_monotonic_time ();

  for (guint i = self->peers->len; i-- > 0;)
    if (detour_peer_check (self->peers->pdata[i], now_us) != NULL)
      g_ptr_array_remove_index_fast (self->peers, i);
  if (self->peers->len > 0)
    return G_SOURCE_CONTINUE;
  self->timer = 0;
  return G_SOURCE_REMOVE;
}

int
detour_inner_peers_open (DetourInnerPeers *self, GError **error)
{
  int fds[2];
  DetourPeer *peer;

  if (self->peers->len >= DETOUR_INNER_PEERS_MAX)
    {
      g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BUSY,
                   "there are %u connections already", self->peers->len);
      return -1;
    }
  if (detour_descriptors_left () < DESCRIPTORS_MIN)
    {
      g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NOT_AVAILABLE,
                   "the process has nearly no descriptors left");
      return -1;
    }
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
    {
      g_set_error_literal (error, G_FILE_ERROR, g_file_error_from_errno (errno),
                           g_strerror (errno));
      return -1;
    }
  peer = detour_peer_new_inside (fds[0], self->turns, self->tree, inner_peers_on_gone, self, error);
  if (peer == NULL)
    {
      close (fds[1]);
      return -1;
    }
  g_ptr_array_add (self->peers, peer);
  if (self->timer == 0)
    self->timer = g_timeout_add_seconds (1, inner_peers_on_check, self);
  return fds[1];
}
