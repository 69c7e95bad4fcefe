/* test-registry-remote.c: keys behind links: a test for each row of what the mesh says about them,
 * and a twin that is as simple as can be.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-registry.h"

/* Links and connections are written as letters: A is the handle of slot 'A' on worker 0. */
static DetourHandle
handle_of (char letter)
{
  return DETOUR_HANDLE_MAKE (0, letter, 3);
}

static DetourKey
key_of (guint32 n)
{
  DetourKey key = { { 'k' } };

  memcpy (key.bytes + 4, &n, sizeof n);
  return key;
}

static const DetourPresence presence;

typedef struct {
  DetourRegistry *registry;
  GString *told; /* "h1" key 1 has left here, "r1" the region, "hr1" both */
  DetourPeer *here;
} Fixture;

static void
note_gone (const DetourSpace *space, const DetourGone *gone, guint n, guint from, gpointer user)
{
  for (guint i = 0; i < n; i++)
    g_string_append_printf (user, "%s%s%u", (from & DETOUR_GONE_FROM_HERE) != 0 ? "h" : "",
                            (from & DETOUR_GONE_FROM_REGION) != 0 ? "r" : "", gone[i].key.bytes[4]);
}

static void
setup (Fixture *f, gconstpointer data)
{
  DetourRegistryObserver observer = { .gone = note_gone };

  f->told = g_string_new (NULL);
  observer.user = f->told;
  f->registry = detour_registry_new (1, &observer);
  detour_registry_online (f->registry, 0);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  detour_registry_offline (f->registry, 0);
  detour_registry_free (f->registry);
  g_string_free (f->told, TRUE);
}

static void
expect_told (Fixture *f, const char *what)
{
  g_assert_cmpstr (f->told->str, ==, what);
  g_string_truncate (f->told, 0);
}

static bool
add (Fixture *f, guint32 n, char link)
{
  DetourKey key = key_of (n);

  return detour_registry_add_forwarder (f->registry, &key, handle_of (link));
}

static bool
take (Fixture *f, guint32 n, char link)
{
  DetourKey key = key_of (n);

  return detour_registry_remove_forwarder (f->registry, &key, handle_of (link));
}

static void
join (Fixture *f, guint32 n)
{
  DetourKey key = key_of (n);

  f->here = detour_registry_join (detour_registry_common (f->registry), &key, handle_of ('!'),
                                  &presence);
}

static void
leave (Fixture *f)
{
  detour_registry_leave (detour_registry_common (f->registry), f->here, handle_of ('!'));
}

/* The link that gets the packets of a key; '.': none. */
static char
link_of (Fixture *f, guint32 n)
{
  DetourKey key = key_of (n);
  DetourPeer *peer = detour_registry_find_remote (f->registry, &key);

  return peer != NULL ? (char) DETOUR_HANDLE_SLOT (detour_peer_active (peer)) : '.';
}

static guint32
n_links_of (Fixture *f, guint32 n)
{
  DetourKey key = key_of (n);
  DetourPeer *peer = detour_registry_find_remote (f->registry, &key);

  return peer != NULL ? peer->n_conns : 0;
}

static void
expect_totals (Fixture *f, guint64 created, guint64 deleted, guint64 other)
{
  DetourRegistryStats stats;

  detour_registry_stats (f->registry, &stats);
  g_assert_cmpuint (stats.total_multi_created, ==, created);
  g_assert_cmpuint (stats.total_multi_deleted, ==, deleted);
  g_assert_cmpuint (stats.total_other_deleted, ==, other);
}

/* A link that tells of a key ------------------------------------------------------------------- */

static void
test_add_unknown (Fixture *f, gconstpointer data)
{
  g_assert_true (add (f, 1, 'F'));
  g_assert_cmpint (link_of (f, 1), ==, 'F');
  g_assert_cmpint (link_of (f, 2), ==, '.');
  expect_totals (f, 0, 0, 0);
  g_assert_true (take (f, 1, 'F'));
}

static void
test_add_local (Fixture *f, gconstpointer data)
{
  DetourKey key = key_of (1);

  join (f, 1);
  g_assert_true (add (f, 1, 'F'));
  g_assert_cmpint (link_of (f, 1), ==, 'F');
  /* The one that is here goes first, and both have one id. */
  g_assert_true (detour_registry_find_anywhere (detour_registry_common (f->registry), &key)
                 == f->here);
  g_assert_cmpuint (detour_registry_find_remote (f->registry, &key)->id, ==, f->here->id);
  take (f, 1, 'F');
  expect_told (f, "");
  leave (f);
}

static void
test_add_same (Fixture *f, gconstpointer data)
{
  add (f, 1, 'F');
  g_assert_false (add (f, 1, 'F'));
  g_assert_cmpuint (n_links_of (f, 1), ==, 1);
  expect_totals (f, 0, 0, 0);
}

static void
test_add_second (Fixture *f, gconstpointer data)
{
  add (f, 1, 'P');
  g_assert_true (add (f, 1, 'F'));
  g_assert_cmpint (link_of (f, 1), ==, 'P');
  g_assert_cmpuint (n_links_of (f, 1), ==, 2);
  expect_totals (f, 1, 0, 0);
}

static void
test_add_one_of_several (Fixture *f, gconstpointer data)
{
  add (f, 1, 'P');
  add (f, 1, 'F');
  g_assert_false (add (f, 1, 'F'));
  g_assert_false (add (f, 1, 'P'));
  g_assert_cmpuint (n_links_of (f, 1), ==, 2);
  expect_totals (f, 1, 0, 0);
}

static void
test_add_third (Fixture *f, gconstpointer data)
{
  add (f, 1, 'P');
  add (f, 1, 'F');
  g_assert_true (add (f, 1, 'G'));
  g_assert_cmpint (link_of (f, 1), ==, 'P');
  g_assert_cmpuint (n_links_of (f, 1), ==, 3);
  expect_totals (f, 1, 0, 0);
}

/* A link that takes it back -------------------------------------------------------------------- */

static void
test_remove_unknown (Fixture *f, gconstpointer data)
{
  g_assert_false (take (f, 1, 'F'));
  expect_told (f, "");
  expect_totals (f, 0, 0, 0);
}

static void
test_remove_preferred (Fixture *f, gconstpointer data)
{
  for (const char *c = "PFG"; *c != '\0'; c++)
    add (f, 1, *c);
  g_assert_true (take (f, 1, 'P'));
  g_assert_cmpint (link_of (f, 1), ==, 'F'); /* the one that is known longest */
  expect_totals (f, 1, 0, 0);
  g_assert_true (take (f, 1, 'F'));
  g_assert_cmpint (link_of (f, 1), ==, 'G');
  g_assert_cmpuint (n_links_of (f, 1), ==, 1);
  expect_totals (f, 1, 1, 0);
  expect_told (f, "");
}

static void
test_remove_other_of_several (Fixture *f, gconstpointer data)
{
  for (const char *c = "PFG"; *c != '\0'; c++)
    add (f, 1, *c);
  g_assert_true (take (f, 1, 'F'));
  g_assert_cmpint (link_of (f, 1), ==, 'P');
  g_assert_false (take (f, 1, 'F'));
  g_assert_true (take (f, 1, 'G'));
  g_assert_cmpint (link_of (f, 1), ==, 'P');
  expect_totals (f, 1, 1, 0);
  /* It begins anew. */
  add (f, 1, 'G');
  expect_totals (f, 2, 1, 0);
  expect_told (f, "");
}

static void
test_remove_last_of_local (Fixture *f, gconstpointer data)
{
  join (f, 1);
  add (f, 1, 'F');
  g_assert_true (take (f, 1, 'F'));
  g_assert_cmpint (link_of (f, 1), ==, '.');
  expect_told (f, "");
  leave (f);
  expect_told (f, "hr1");
}

static void
test_remove_last (Fixture *f, gconstpointer data)
{
  add (f, 1, 'F');
  g_assert_true (take (f, 1, 'F'));
  g_assert_cmpint (link_of (f, 1), ==, '.');
  expect_told (f, "r1");
}

static void
test_remove_other_value (Fixture *f, gconstpointer data)
{
  add (f, 1, 'F');
  g_assert_false (take (f, 1, 'G'));
  g_assert_cmpint (link_of (f, 1), ==, 'F');
  expect_totals (f, 0, 0, 1);
  join (f, 2);
  g_assert_false (take (f, 2, 'F'));
  expect_totals (f, 0, 0, 2);
  expect_told (f, "");
  leave (f);
}

/* A key that is here as well ------------------------------------------------------------------- */

/* Nobody is told of its leaving but mesh watchers, and the next packet goes over the link. */
static void
test_local_leaves (Fixture *f, gconstpointer data)
{
  DetourKey key = key_of (1);
  guint64 id;

  add (f, 1, 'F');
  join (f, 1);
  id = f->here->id;
  leave (f);
  expect_told (f, "h1");
  g_assert_cmpint (link_of (f, 1), ==, 'F');
  g_assert_cmpuint (detour_registry_find_anywhere (detour_registry_common (f->registry), &key)->id,
                    ==, id);
  take (f, 1, 'F');
  expect_told (f, "r1");
  join (f, 1);
  g_assert_cmpuint (f->here->id, !=, id);
  leave (f);
}

/* A link behind which a key is says nothing to those who are set apart. */
static void
test_isolated_space (Fixture *f, gconstpointer data)
{
  DetourSpace *apart = detour_registry_open_space (f->registry);
  DetourKey key = key_of (1);
  DetourPeer *peer;

  add (f, 1, 'F');
  g_assert_null (detour_registry_find_anywhere (apart, &key));
  peer = detour_registry_join (apart, &key, handle_of ('!'), &presence);
  g_assert_cmpuint (peer->id, !=, detour_registry_find_remote (f->registry, &key)->id);
  detour_registry_leave (apart, peer, handle_of ('!'));
  expect_told (f, "hr1");
  detour_registry_close_space (apart);
  take (f, 1, 'F');
}

static void
count_key (const DetourKey *key, gpointer user)
{
  (*(guint *) user)++;
}

/* With it go all keys that are behind no other link and not here. */
static void
test_link_dies (Fixture *f, gconstpointer data)
{
  guint n = 0;

  for (guint32 i = 1; i <= 3; i++)
    add (f, i, 'F');
  add (f, 2, 'G');
  join (f, 3);
  g_assert_cmpuint (
      detour_registry_drop_forwarder (f->registry, handle_of ('F'), true, count_key, &n), ==, 3);
  g_assert_cmpuint (n, ==, 3);
  expect_told (f, "r1");
  g_assert_cmpint (link_of (f, 2), ==, 'G');
  g_assert_cmpuint (
      detour_registry_drop_forwarder (f->registry, handle_of ('G'), false, NULL, NULL), ==, 1);
  expect_told (f, "");
  leave (f);
  expect_told (f, "hr3");
}

static void
test_prefer (Fixture *f, gconstpointer data)
{
  DetourKey key = key_of (1);

  detour_registry_prefer_forwarder (f->registry, &key, handle_of ('F'));
  for (const char *c = "PFG"; *c != '\0'; c++)
    add (f, 1, *c);
  detour_registry_prefer_forwarder (f->registry, &key, handle_of ('X'));
  g_assert_cmpint (link_of (f, 1), ==, 'P');
  detour_registry_prefer_forwarder (f->registry, &key, handle_of ('G'));
  g_assert_cmpint (link_of (f, 1), ==, 'G');
  g_assert_cmpuint (n_links_of (f, 1), ==, 3);
  take (f, 1, 'G');
  g_assert_cmpint (link_of (f, 1), ==, 'P'); /* the others keep their order */
  take (f, 1, 'P');
  detour_registry_prefer_forwarder (f->registry, &key, handle_of ('F'));
  g_assert_cmpint (link_of (f, 1), ==, 'F');
  take (f, 1, 'F');
  expect_totals (f, 1, 1, 0);
}

typedef struct {
  guint8 told[20000];
  guint n_calls;
} Told;

static void
note_told (const DetourSpace *space, const DetourGone *gone, guint n, guint from, gpointer user)
{
  Told *told = user;

  g_assert_cmpuint (n, >, 0);
  g_assert_cmpuint (n, <=, DETOUR_REGISTRY_GONE_MAX);
  g_assert_true ((from & DETOUR_GONE_FROM_REGION) != 0);
  told->n_calls++;
  for (guint i = 0; i < n; i++)
    {
      guint32 number;

      memcpy (&number, gone[i].key.bytes + 4, sizeof number);
      told->told[number]++;
    }
}

/* A link of many keys ends: each that is behind no other one and not here is told once, many at a
 * time. */
static void
test_many_are_told (Fixture *f, gconstpointer data)
{
  g_autofree Told *told = g_new0 (Told, 1);
  DetourRegistryObserver observer = { .gone = note_told, .user = told };
  DetourRegistry *before = f->registry;

  f->registry = detour_registry_new (1, &observer);
  detour_registry_online (f->registry, 0);
  for (guint32 i = 0; i < 20000; i++)
    {
      add (f, i, 'F');
      if (i % 5 == 0)
        add (f, i, 'G');
    }
  join (f, 1);
  g_assert_cmpuint (detour_registry_drop_forwarder (f->registry, handle_of ('F'), true, NULL, NULL),
                    ==, 20000);
  for (guint32 i = 0; i < 20000; i++)
    g_assert_cmpuint (told->told[i], ==, i % 5 != 0 && i != 1);
  g_assert_cmpuint (told->n_calls, <, 20000 / 100);
  leave (f);
  detour_registry_offline (f->registry, 0);
  detour_registry_free (f->registry);
  f->registry = before;
}

/* Many keys: the table grows, and is replaced while a link goes. */
static void
test_many (Fixture *f, gconstpointer data)
{
  DetourRegistryStats stats;

  for (guint32 i = 0; i < 20000; i++)
    g_assert_true (add (f, i, i % 2 == 0 ? 'F' : 'G'));
  detour_registry_quiescent (f->registry, 0);
  g_assert_cmpuint (
      detour_registry_drop_forwarder (f->registry, handle_of ('F'), false, NULL, NULL), ==, 10000);
  detour_registry_quiescent (f->registry, 0);
  for (guint32 i = 0; i < 20000; i++)
    g_assert_cmpint (link_of (f, i), ==, i % 2 == 0 ? '.' : 'G');
  detour_registry_stats (f->registry, &stats);
  g_assert_cmpuint (stats.n_remote_keys, ==, 10000);
  g_assert_cmpuint (
      detour_registry_drop_forwarder (f->registry, handle_of ('G'), false, NULL, NULL), ==, 10000);
}

/* The twin ------------------------------------------------------------------------------------- */

#define N_KEYS 5u

typedef struct {
  GString *links[N_KEYS]; /* in the order in which they told of the key */
  gboolean here[N_KEYS];
  guint64 created, deleted, other;
} Twin;

static void
twin_add (Twin *self, guint32 n, char link)
{
  GString *links = self->links[n];

  if (strchr (links->str, link) != NULL)
    return;
  g_string_append_c (links, link);
  if (links->len == 2)
    self->created++;
}

static void
twin_take (Twin *self, guint32 n, char link, gboolean is_asked)
{
  GString *links = self->links[n];
  const char *at = strchr (links->str, link);

  if (at == NULL)
    {
      if (is_asked && (links->len == 1 || (links->len == 0 && self->here[n])))
        self->other++;
      return;
    }
  g_string_erase (links, at - links->str, 1);
  if (links->len == 1)
    self->deleted++;
}

static void
expect_remote_only (Fixture *f, const Twin *twin)
{
  DetourRegistryStats stats;
  guint n = 0, n_only = 0;

  for (guint32 i = 0; i < N_KEYS; i++)
    {
      n += twin->links[i]->len > 0;
      n_only += twin->links[i]->len > 0 && !twin->here[i];
    }
  detour_registry_stats (f->registry, &stats);
  g_assert_cmpuint (stats.n_remote_keys, ==, n);
  g_assert_cmpuint (stats.n_remote_only, ==, n_only);
}

static void
test_twin (Fixture *f, gconstpointer data)
{
  static const char letters[] = "FGHI";
  Twin twin = { .created = 0 };
  DetourPeer *here[N_KEYS] = { NULL };
  DetourSpace *space = detour_registry_common (f->registry);
  g_autoptr (GString) expected = g_string_new (NULL);

  for (guint32 i = 0; i < N_KEYS; i++)
    twin.links[i] = g_string_new (NULL);
  for (guint step = 0; step < 50000; step++)
    {
      guint32 n = (guint32) g_test_rand_int_range (0, N_KEYS);
      char link = letters[g_test_rand_int_range (0, 4)];
      DetourKey key = key_of (n);
      gint32 what = g_test_rand_int_range (0, 100);

      g_string_truncate (expected, 0);
      if (what < 40)
        {
          add (f, n, link);
          twin_add (&twin, n, link);
        }
      else if (what < 75)
        {
          gboolean was_known = twin.links[n]->len > 0;

          take (f, n, link);
          twin_take (&twin, n, link, TRUE);
          if (was_known && twin.links[n]->len == 0 && !twin.here[n])
            g_string_append_printf (expected, "r%u", n);
        }
      else if (what < 97)
        {
          if (twin.here[n])
            {
              detour_registry_leave (space, here[n], handle_of ('!'));
              g_string_append_printf (expected, twin.links[n]->len > 0 ? "h%u" : "hr%u", n);
            }
          else
            here[n] = detour_registry_join (space, &key, handle_of ('!'), &presence);
          twin.here[n] = !twin.here[n];
        }
      else
        {
          detour_registry_drop_forwarder (f->registry, handle_of (link), false, NULL, NULL);
          for (guint32 i = 0; i < N_KEYS; i++)
            twin_take (&twin, i, link, FALSE);
        }
      expect_told (f, expected->str);
      for (guint32 i = 0; i < N_KEYS; i++)
        {
          g_assert_cmpuint (n_links_of (f, i), ==, twin.links[i]->len);
          g_assert_cmpint (link_of (f, i), ==,
                           twin.links[i]->len > 0 ? twin.links[i]->str[0] : '.');
        }
      expect_totals (f, twin.created, twin.deleted, twin.other);
      expect_remote_only (f, &twin);
      detour_registry_quiescent (f->registry, 0);
    }
  for (guint32 i = 0; i < N_KEYS; i++)
    {
      if (twin.here[i])
        detour_registry_leave (space, here[i], handle_of ('!'));
      g_string_free (twin.links[i], TRUE);
    }
}

#define TEST(path, func) g_test_add (path, Fixture, NULL, setup, func, teardown)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  TEST ("/registry-remote/add/unknown", test_add_unknown);
  TEST ("/registry-remote/add/here", test_add_local);
  TEST ("/registry-remote/add/same", test_add_same);
  TEST ("/registry-remote/add/second", test_add_second);
  TEST ("/registry-remote/add/one-of-several", test_add_one_of_several);
  TEST ("/registry-remote/add/third", test_add_third);
  TEST ("/registry-remote/remove/unknown", test_remove_unknown);
  TEST ("/registry-remote/remove/preferred", test_remove_preferred);
  TEST ("/registry-remote/remove/other-of-several", test_remove_other_of_several);
  TEST ("/registry-remote/remove/last-of-one-that-is-here", test_remove_last_of_local);
  TEST ("/registry-remote/remove/last", test_remove_last);
  TEST ("/registry-remote/remove/other-value", test_remove_other_value);
  TEST ("/registry-remote/leaves-here", test_local_leaves);
  TEST ("/registry-remote/isolated-space", test_isolated_space);
  TEST ("/registry-remote/link-dies", test_link_dies);
  TEST ("/registry-remote/prefer", test_prefer);
  TEST ("/registry-remote/many", test_many);
  TEST ("/registry-remote/many-are-told", test_many_are_told);
  TEST ("/registry-remote/twin", test_twin);
  return g_test_run ();
}
