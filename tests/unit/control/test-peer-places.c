/* test-peer-places.c: tests of who may be on the control socket, and who gives way.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-peer-places.h"

#define QUIET  (DETOUR_PEER_GIVES_WAY_US)
#define NOW_US (100 * G_USEC_PER_SEC)

typedef struct {
  DetourPeerPlace places[DETOUR_PEERS_MAX];
  guint n;
} Crowd;

static void
test_add (Crowd *self, guint number, uid_t uid, gint64 quiet_us)
{
  while (number-- > 0)
    self->places[self->n++] = (DetourPeerPlace) { uid, uid == 0, NOW_US - quiet_us };
}

static DetourPlaceResult
test_find (const Crowd *self, uid_t uid, guint *leaving)
{
  return detour_peer_places_find (self->places, self->n, uid, uid == 0, NOW_US, leaving);
}

static void
test_share_of_a_user (void)
{
  Crowd crowd = { 0 };
  guint leaving;

  test_add (&crowd, DETOUR_PEERS_MAX_FOR_USER - 1, 1000, 0);
  g_assert_cmpint (test_find (&crowd, 1000, &leaving), ==, DETOUR_PLACE_FREE);
  test_add (&crowd, 1, 1000, 0);
  g_assert_cmpint (test_find (&crowd, 1000, &leaving), ==, DETOUR_PLACE_NONE);
  g_assert_cmpint (test_find (&crowd, 1001, &leaving), ==, DETOUR_PLACE_FREE);
  g_assert_cmpint (test_find (&crowd, 0, &leaving), ==, DETOUR_PLACE_FREE);
}

static void
test_own_quiet_ones_give_way (void)
{
  Crowd crowd = { 0 };
  guint leaving;

  test_add (&crowd, 1, 1001, 50 * QUIET);
  test_add (&crowd, DETOUR_PEERS_MAX_FOR_USER - 2, 1000, QUIET);
  test_add (&crowd, 1, 1000, 9 * QUIET);
  test_add (&crowd, 1, 1000, 8 * QUIET);
  g_assert_cmpint (test_find (&crowd, 1000, &leaving), ==, DETOUR_PLACE_TAKE);
  g_assert_cmpuint (leaving, ==, crowd.n - 2);
}

static void
test_places_kept_for_root (void)
{
  Crowd crowd = { 0 };
  guint leaving;

  for (uid_t uid = 1000; crowd.n < DETOUR_PEERS_MAX - DETOUR_PEERS_KEPT; uid++)
    test_add (&crowd, DETOUR_PEERS_MAX_FOR_USER, uid, 0);
  g_assert_cmpint (test_find (&crowd, 2000, &leaving), ==, DETOUR_PLACE_NONE);
  for (guint i = 0; i < DETOUR_PEERS_KEPT; i++)
    {
      g_assert_cmpint (test_find (&crowd, 0, &leaving), ==, DETOUR_PLACE_FREE);
      test_add (&crowd, 1, 0, 0);
    }
  g_assert_cmpint (test_find (&crowd, 0, &leaving), ==, DETOUR_PLACE_NONE);
}

static void
test_others_do_not_displace_root (void)
{
  Crowd crowd = { 0 };
  guint leaving;

  test_add (&crowd, DETOUR_PEERS_MAX, 0, 9 * QUIET);
  g_assert_cmpint (test_find (&crowd, 1000, &leaving), ==, DETOUR_PLACE_NONE);
  g_assert_cmpint (test_find (&crowd, 0, &leaving), ==, DETOUR_PLACE_TAKE);
}

static void
test_quiet_for_less_than_the_time (void)
{
  Crowd crowd = { 0 };
  guint leaving;

  test_add (&crowd, DETOUR_PEERS_MAX, 0, QUIET - 1);
  g_assert_cmpint (test_find (&crowd, 0, &leaving), ==, DETOUR_PLACE_NONE);
  crowd.places[5].active_us--;
  g_assert_cmpint (test_find (&crowd, 0, &leaving), ==, DETOUR_PLACE_TAKE);
  g_assert_cmpuint (leaving, ==, 5);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/peer-places/share-of-a-user", test_share_of_a_user);
  g_test_add_func ("/peer-places/own-quiet-ones-give-way", test_own_quiet_ones_give_way);
  g_test_add_func ("/peer-places/kept-for-root", test_places_kept_for_root);
  g_test_add_func ("/peer-places/others-do-not-displace-root", test_others_do_not_displace_root);
  g_test_add_func ("/peer-places/quiet-for-less-than-the-time", test_quiet_for_less_than_the_time);
  return g_test_run ();
}
