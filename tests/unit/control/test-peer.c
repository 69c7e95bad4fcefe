/* test-peer.c: tests of the end of a peer of the control socket.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-peer.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "detour-bus-framing.h"
#include "detour-bus-interfaces.h"

#define ROOT "/test/root"

typedef struct {
  DetourTree *tree;
  DetourPeerTurns *turns;
  DetourPeer *peer;
  int fd; /* the other end */
  guint32 serial;
  gboolean is_ending;
  guint n_tried;  /* calls that were sent while the peer was ended */
  gssize n_bytes; /* that came instead of the end */
} Fixture;

static void
test_send_call (Fixture *self)
{
  g_autoptr (GDBusMessage) call = g_dbus_message_new_method_call (
      NULL, ROOT, "org.freedesktop.DBus.Introspectable", "Introspect");
  g_autofree guint8 *blob = NULL;
  gsize size;
  gssize n;

  g_dbus_message_set_serial (call, ++self->serial);
  blob = g_dbus_message_to_blob (call, &size, G_DBUS_CAPABILITY_FLAGS_NONE, NULL);
  n = send (self->fd, blob, size, MSG_NOSIGNAL);
  g_assert_true (n == (gssize) size || (n < 0 && errno == EPIPE));
}

/* The tree drops what it knew of the objects right after it has taken them from the connection. */
static void
test_on_forgotten (gpointer data)
{
  Fixture *self = data;
  guint8 bytes[500];

  if (!self->is_ending)
    return;
  self->n_tried++;
  test_send_call (self);
  self->n_bytes = recv (self->fd, bytes, sizeof bytes, 0);
}

static GVariant *
test_get_ready (gpointer data)
{
  static const guint8 yes = 1;

  return g_variant_new_from_data (G_VARIANT_TYPE_BOOLEAN, &yes, sizeof yes, TRUE, test_on_forgotten,
                                  data);
}

static const DetourTreeProperty root_properties[] = { { "Ready", test_get_ready }, { NULL } };

static const DetourTreeInterface root_interface = { &detour_bus_manager_interface, root_properties,
                                                    NULL };

static void
test_list (gpointer user, GPtrArray *nodes)
{
}

static void
test_read (gpointer user)
{
}

static void
test_on_gone (DetourPeer *peer, const char *fault, gpointer user)
{
  g_assert_not_reached ();
}

static void
test_set_up (Fixture *self, gconstpointer data)
{
  static const char *const folders[] = { NULL };
  static const DetourTreeFuncs funcs = { test_list, test_read };
  int fds[2];

  self->tree = detour_tree_new (ROOT, &root_interface, folders, &funcs, self);
  self->turns = detour_peer_turns_new ();
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  self->fd = fds[1];
  self->peer = detour_peer_new_inside (fds[0], self->turns, self->tree, test_on_gone, self, NULL);
  g_assert_nonnull (self->peer);
}

static void
test_tear_down (Fixture *self, gconstpointer data)
{
  close (self->fd);
  detour_tree_free (self->tree);
  detour_peer_turns_unref (self->turns);
}

static void
test_no_call_misses_its_object (Fixture *self, gconstpointer data)
{
  guint8 head[DETOUR_BUS_HEAD_SIZE];
  g_autofree guint8 *answer = NULL;
  gssize size;

  test_send_call (self);
  while (recv (self->fd, head, sizeof head, MSG_PEEK | MSG_DONTWAIT) < (gssize) sizeof head)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (head[DETOUR_BUS_AT_TYPE], ==, DETOUR_BUS_RETURN);
  size = g_dbus_message_bytes_needed (head, sizeof head, NULL);
  answer = g_malloc ((gsize) size);
  g_assert_cmpint (recv (self->fd, answer, (gsize) size, MSG_WAITALL), ==, size);
  self->is_ending = TRUE;
  detour_peer_free (self->peer);
  g_assert_cmpuint (self->n_tried, ==, 1);
  g_assert_cmpint (self->n_bytes, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/peer/no-call-misses-its-object", Fixture, NULL, test_set_up,
              test_no_call_misses_its_object, test_tear_down);
  return g_test_run ();
}
