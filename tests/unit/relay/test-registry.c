/* test-registry.c: tests who gets the packets of a key, and what is told when connections come and
 * go.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-registry.h"

/* Connections are written as letters: A is handle of slot 'A' on worker 1. */
static DetourHandle
handle_of (char letter)
{
  return DETOUR_HANDLE_MAKE (1, letter, 7);
}

static char
letter_of (DetourHandle handle)
{
  return handle == DETOUR_HANDLE_NONE ? '-' : (char) DETOUR_HANDLE_SLOT (handle);
}

static DetourKey
key_of (guint32 n)
{
  DetourKey key = { 0 };

  memcpy (key.bytes + 4, &n, sizeof n);
  return key;
}

static DetourPresence presences[128];

/* Writes down what the registry tells: "+1A" joined, "-1" gone. */
static void
note_joined (const DetourSpace *space, const DetourPeer *peer, DetourHandle handle,
             const DetourPresence *presence, gpointer user)
{
  g_assert_true (presence == &presences[(guint) letter_of (handle)]);
  g_string_append_printf (user, "+%u%c", peer->key.bytes[4], letter_of (handle));
}

static void
note_gone (const DetourSpace *space, const DetourGone *gone, guint n, guint from, gpointer user)
{
  g_assert_cmpuint (n, ==, 1);
  g_string_append_printf (user, "-%u", gone->key.bytes[4]);
}

typedef struct {
  DetourRegistry *registry;
  DetourSpace *space; /* the common one */
  GString *told;
  DetourPeer *peers[128]; /* of connections, by letter */
} Fixture;

static void
setup (Fixture *f, gconstpointer data)
{
  f->told = g_string_new (NULL);
  f->registry = detour_registry_new (
      2, &(DetourRegistryObserver) { note_joined, note_gone, NULL, f->told });
  f->space = detour_registry_common (f->registry);
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
join (Fixture *f, guint32 n, char letter)
{
  DetourKey key = key_of (n);

  f->peers[(guint) letter] = detour_registry_join (f->space, &key, handle_of (letter),
                                                   &presences[(guint) letter]);
}

static void
leave (Fixture *f, char letter)
{
  detour_registry_leave (f->space, f->peers[(guint) letter], handle_of (letter));
}

static void
speak (Fixture *f, char letter)
{
  detour_registry_note_speech (f->registry, f->peers[(guint) letter], handle_of (letter));
}

static char
active (Fixture *f, guint32 n)
{
  DetourKey key = key_of (n);
  DetourPeer *peer = detour_registry_find (f->space, &key);

  return peer != NULL ? letter_of (detour_peer_active (peer)) : '.';
}

static void
collect (const DetourPeer *peer, DetourHandle handle, const DetourPresence *presence, gpointer user)
{
  g_assert_true (presence == &presences[(guint) letter_of (handle)]);
  g_string_append_c (user, letter_of (handle));
}

/* The connections of a key, those in the history first and in its order, then a `|`. */
static char *
conns (Fixture *f, guint32 n)
{
  DetourKey key = key_of (n);
  GString *all = g_string_new (NULL);
  guint count = detour_registry_each_conn (f->space, &key, collect, all);
  DetourPeer *peer = detour_registry_find (f->space, &key);

  g_assert_cmpuint (count, ==, all->len);
  if (count > 1)
    g_string_insert_c (all, peer->n_history, '|');
  return g_string_free (all, FALSE);
}

static void
assert_stats (Fixture *f, guint keys, guint all, guint dup_keys, guint dup_conns, guint total_dups)
{
  DetourRegistryStats stats;

  detour_registry_stats (f->registry, &stats);
  g_assert_cmpuint (stats.n_keys, ==, keys);
  g_assert_cmpuint (stats.n_conns, ==, all);
  g_assert_cmpuint (stats.n_dup_keys, ==, dup_keys);
  g_assert_cmpuint (stats.n_dup_conns, ==, dup_conns);
  g_assert_cmpuint (stats.total_dups, ==, total_dups);
}

static void
test_join_and_leave (Fixture *f, gconstpointer data)
{
  DetourPeer *first;
  guint64 id;

  g_assert_cmpint (active (f, 1), ==, '.');
  join (f, 1, 'A');
  join (f, 2, 'X');
  g_assert_cmpint (active (f, 1), ==, 'A');
  g_assert_cmpint (active (f, 2), ==, 'X');
  assert_stats (f, 2, 2, 0, 0, 0);
  first = f->peers['A'];
  id = first->id;
  leave (f, 'A');
  g_assert_cmpint (active (f, 1), ==, '.');
  /* Not free yet: this worker might hold it. It reads as one without a connection. */
  g_assert_cmpint (letter_of (detour_peer_active (first)), ==, '-');
  join (f, 1, 'A');
  g_assert_true (f->peers['A'] != first);
  g_assert_cmpuint (f->peers['A']->id, !=, id);
  leave (f, 'A');
  leave (f, 'X');
  assert_stats (f, 0, 0, 0, 0, 0);
  g_assert_cmpstr (f->told->str, ==, "+1A+2X-1+1A-1-2");
}

/* Each step: what happens, then the connections with the history first, and the active one. */
typedef struct {
  const char *name;
  struct {
    const char *event; /* + joins, * speaks, - leaves */
    const char *conns;
    char active;
    guint dup_keys, dup_conns, total_dups;
  } steps[12];
} DupCase;

static const DupCase dup_cases[] = {
  { "last-writer-gets-the-packets",
    { { "+A", "A", 'A', 0, 0, 0 },
      { "+B", "A|B", 'B', 1, 2, 1 },
      { "+C", "AC|B", 'C', 1, 3, 2 },
      { "*B", "ACB|", 'B', 1, 3, 2 },
      { "*A", "CBA|", 'A', 1, 3, 2 },
      { "-A", "CB|", 'B', 1, 2, 2 },
      { "-B", "C", 'C', 0, 0, 2 },
      { "-C", "", '.', 0, 0, 2 } } },
  { "passive-duplicate-leaves",
    { { "+A", "A", 'A', 0, 0, 0 },
      { "+B", "A|B", 'B', 1, 2, 1 },
      { "-A", "B", 'B', 0, 0, 1 },
      { "*B", "B", 'B', 0, 0, 1 },
      { "+C", "B|C", 'C', 1, 2, 2 },
      { "-B", "C", 'C', 0, 0, 2 },
      { "-C", "", '.', 0, 0, 2 } } },
  /* The second one is in no history until it speaks, even though it is active when it does. */
  { "second-is-remembered-when-it-spoke",
    { { "+A", "A", 'A', 0, 0, 0 },
      { "+B", "A|B", 'B', 1, 2, 1 },
      { "*B", "AB|", 'B', 1, 2, 1 },
      { "+C", "ABC|", 'C', 1, 3, 2 },
      { "-C", "AB|", 'B', 1, 2, 2 },
      { "*B", "AB|", 'B', 1, 2, 2 },
      { "-B", "A", 'A', 0, 0, 2 },
      { "-A", "", '.', 0, 0, 2 } } },
  { "second-is-passed-over-when-it-never-spoke",
    { { "+A", "A", 'A', 0, 0, 0 },
      { "+B", "A|B", 'B', 1, 2, 1 },
      { "+C", "AC|B", 'C', 1, 3, 2 },
      { "-C", "A|B", 'A', 1, 2, 2 },
      { "*A", "A|B", 'A', 1, 2, 2 },
      { "-A", "B", 'B', 0, 0, 2 },
      { "-B", "", '.', 0, 0, 2 } } },
  { "many-duplicates",
    { { "+A", "A", 'A', 0, 0, 0 },
      { "+B", "A|B", 'B', 1, 2, 1 },
      { "+C", "AC|B", 'C', 1, 3, 2 },
      { "+D", "ACD|B", 'D', 1, 4, 3 },
      { "+E", "ACDE|B", 'E', 1, 5, 4 },
      { "*C", "ADEC|B", 'C', 1, 5, 4 },
      { "-E", "ADC|B", 'C', 1, 4, 4 },
      { "-B", "ADC|", 'C', 1, 3, 4 },
      { "-C", "AD|", 'D', 1, 2, 4 },
      { "-A", "D", 'D', 0, 0, 4 },
      { "-D", "", '.', 0, 0, 4 } } },
};

static void
note_contested (DetourHandle handle, bool is_contested, gpointer user)
{
  g_string_append_printf (user, "%c%c", is_contested ? '!' : '.', letter_of (handle));
}

/* Only where an older connection speaks again there are two clients; all of them are told so once,
 * and the last one that it is over. */
static void
test_contested (void)
{
  Fixture f = { .told = g_string_new (NULL) };

  f.registry = detour_registry_new (
      2, &(DetourRegistryObserver) { .contested = note_contested, .user = f.told });
  f.space = detour_registry_common (f.registry);
  detour_registry_online (f.registry, 0);

  /* A client that dialled again. */
  join (&f, 1, 'A');
  speak (&f, 'A');
  join (&f, 1, 'B');
  speak (&f, 'B');
  leave (&f, 'A');
  speak (&f, 'B');
  g_assert_cmpstr (f.told->str, ==, "");
  /* Two that speak in turns, a third one that comes later, and an end. */
  join (&f, 1, 'C');
  speak (&f, 'B');
  g_assert_cmpuint (f.told->len, ==, 4);
  g_assert_nonnull (strstr (f.told->str, "!B"));
  g_assert_nonnull (strstr (f.told->str, "!C"));
  g_string_truncate (f.told, 0);
  speak (&f, 'C');
  speak (&f, 'B');
  join (&f, 1, 'D');
  leave (&f, 'B');
  speak (&f, 'C');
  leave (&f, 'D');
  g_assert_cmpstr (f.told->str, ==, "!D.C");
  /* And again from the beginning. */
  join (&f, 1, 'E');
  leave (&f, 'C');
  leave (&f, 'E');
  g_assert_cmpstr (f.told->str, ==, "!D.C");

  detour_registry_offline (f.registry, 0);
  detour_registry_free (f.registry);
  g_string_free (f.told, TRUE);
}

static void
test_duplicates (Fixture *f, gconstpointer data)
{
  const DupCase *c = data;
  guint n = 0;
  g_autoptr (GString) expected = g_string_new (NULL);

  for (gsize i = 0; c->steps[i].event != NULL; i++)
    {
      char letter = c->steps[i].event[1];
      g_autofree char *found = NULL;

      g_test_message ("%s", c->steps[i].event);
      switch (c->steps[i].event[0])
        {
        case '+':
          join (f, 1, letter);
          g_string_append_printf (expected, "+1%c", letter);
          n++;
          break;
        case '*':
          speak (f, letter);
          break;
        default:
          leave (f, letter);
          n--;
          break;
        }
      found = conns (f, 1);
      g_assert_cmpstr (found, ==, c->steps[i].conns);
      g_assert_cmpint (active (f, 1), ==, c->steps[i].active);
      assert_stats (f, n > 0, n, c->steps[i].dup_keys, c->steps[i].dup_conns,
                    c->steps[i].total_dups);
    }
  g_string_append (expected, "-1");
  g_assert_cmpstr (f->told->str, ==, expected->str);
}

static void
test_each_key (Fixture *f, gconstpointer data)
{
  g_autoptr (GString) all = g_string_new (NULL);

  join (f, 1, 'A');
  join (f, 1, 'B');
  join (f, 2, 'X');
  speak (f, 'A');
  detour_registry_each_key (f->space, collect, all);
  g_assert_cmpuint (all->len, ==, 2);
  g_assert_nonnull (strchr (all->str, 'A'));
  g_assert_nonnull (strchr (all->str, 'X'));
  leave (f, 'X');
  leave (f, 'B');
  leave (f, 'A');
}

static void
test_quiet_point (Fixture *f, gconstpointer data)
{
  DetourRegistryStats stats;

#define N_RETIRED (detour_registry_stats (f->registry, &stats), stats.n_retired)
  join (f, 1, 'A');
  leave (f, 'A');
  g_assert_cmpuint (N_RETIRED, ==, 1);
  detour_registry_quiescent (f->registry, 0);
  g_assert_cmpuint (N_RETIRED, ==, 0);

  /* A second worker that was awake before holds it up, one that sleeps does not. */
  detour_registry_online (f->registry, 1);
  join (f, 1, 'A');
  leave (f, 'A');
  detour_registry_quiescent (f->registry, 0);
  g_assert_cmpuint (N_RETIRED, ==, 1);
  detour_registry_offline (f->registry, 1);
  g_assert_cmpuint (N_RETIRED, ==, 0);

  /* One that woke up later cannot have seen it. */
  join (f, 1, 'A');
  leave (f, 'A');
  detour_registry_online (f->registry, 1);
  detour_registry_quiescent (f->registry, 0);
  g_assert_cmpuint (N_RETIRED, ==, 0);
  detour_registry_offline (f->registry, 1);
#undef N_RETIRED
}

/* The same key is in three spaces, and comes and goes in each by itself. */
static void
test_spaces (Fixture *f, gconstpointer data)
{
  DetourSpace *spaces[] = { f->space, detour_registry_open_space (f->registry),
                            detour_registry_open_space (f->registry) };
  DetourKey one = key_of (1), two = key_of (2);
  DetourPeer *peers[3];
  g_autoptr (GString) found = g_string_new (NULL);
  DetourRegistryStats stats;

  for (guint i = 0; i < 3; i++)
    {
      char letter = (char) ('A' + i);

      g_assert_true (detour_registry_is_common (spaces[i]) == (i == 0));
      peers[i] = detour_registry_join (spaces[i], &one, handle_of (letter),
                                       &presences[(guint) letter]);
    }
  g_assert_cmpuint (peers[0]->id, !=, peers[1]->id);
  g_assert_cmpuint (peers[1]->id, !=, peers[2]->id);
  assert_stats (f, 3, 3, 0, 0, 0);
  for (guint i = 0; i < 3; i++)
    g_assert_true (detour_registry_find (spaces[i], &one) == peers[i]);

  /* A duplicate is one in its own space. */
  g_assert_true (detour_registry_join (spaces[1], &one, handle_of ('D'), &presences['D'])
                 == peers[1]);
  assert_stats (f, 3, 4, 1, 2, 1);
  g_assert_cmpint (letter_of (detour_peer_active (peers[0])), ==, 'A');
  g_assert_cmpint (letter_of (detour_peer_active (peers[1])), ==, 'D');
  detour_registry_leave (spaces[1], peers[1], handle_of ('D'));

  detour_registry_each_conn (spaces[2], &one, collect, found);
  g_assert_cmpstr (found->str, ==, "C");
  g_assert_cmpuint (detour_registry_each_conn_of_all (f->registry, &one, collect, found), ==, 3);
  g_assert_cmpuint (found->len, ==, 4);
  g_string_truncate (found, 0);
  detour_registry_each_key (spaces[1], collect, found);
  g_assert_cmpstr (found->str, ==, "B");
  g_string_truncate (found, 0);
  detour_registry_each_key_of_all (f->registry, collect, found);
  g_assert_cmpuint (found->len, ==, 3);

  detour_registry_leave (spaces[0], peers[0], handle_of ('A'));
  g_assert_null (detour_registry_find (spaces[0], &one));
  g_assert_true (detour_registry_find (spaces[1], &one) == peers[1]);
  g_assert_cmpuint (detour_registry_each_conn (spaces[0], &two, collect, found), ==, 0);

  /* One that is closed goes with its last connection, one without any at once. */
  detour_registry_stats (f->registry, &stats);
  g_assert_cmpuint (stats.n_spaces, ==, 3);
  detour_registry_close_space (spaces[1]);
  g_assert_true (detour_registry_find (spaces[1], &one) == peers[1]);
  detour_registry_leave (spaces[1], peers[1], handle_of ('B'));
  detour_registry_stats (f->registry, &stats);
  g_assert_cmpuint (stats.n_spaces, ==, 2);
  detour_registry_leave (spaces[2], peers[2], handle_of ('C'));
  detour_registry_close_space (spaces[2]);
  detour_registry_stats (f->registry, &stats);
  g_assert_cmpuint (stats.n_spaces, ==, 1);
  detour_registry_quiescent (f->registry, 0);
  detour_registry_stats (f->registry, &stats);
  g_assert_cmpuint (stats.n_retired, ==, 0);
}

/* Against a hash table of GLib: the array grows, fills with graves, and shrinks. */
static void
test_many_keys (Fixture *f, gconstpointer data)
{
  g_autoptr (GHashTable) expected = g_hash_table_new (NULL, NULL);
  DetourRegistryStats stats;

  for (guint round = 0; round < 60000; round++)
    {
      guint32 n = (guint32) g_test_rand_int_range (1, round % 20000 < 10000 ? 4000 : 40);
      DetourKey key = key_of (n);
      DetourPeer *peer = detour_registry_find (f->space, &key);

      g_assert_true (peer == g_hash_table_lookup (expected, GUINT_TO_POINTER (n)));
      if (peer == NULL)
        g_hash_table_insert (
            expected, GUINT_TO_POINTER (n),
            detour_registry_join (f->space, &key, handle_of ('A'), &presences['A']));
      else
        {
          g_assert_true (detour_key_equal (&peer->key, &key));
          detour_registry_leave (f->space, peer, handle_of ('A'));
          g_hash_table_remove (expected, GUINT_TO_POINTER (n));
        }
      detour_registry_quiescent (f->registry, 0);
      if (round % 20000 == 19999)
        for (n = 1; n < 4000; n++)
          {
            key = key_of (n);
            peer = detour_registry_find (f->space, &key);
            g_assert_true (peer == g_hash_table_lookup (expected, GUINT_TO_POINTER (n)));
            if (peer != NULL && n % 8 != 0)
              {
                detour_registry_leave (f->space, peer, handle_of ('A'));
                g_hash_table_remove (expected, GUINT_TO_POINTER (n));
              }
          }
    }
  detour_registry_stats (f->registry, &stats);
  g_assert_cmpuint (stats.n_keys, ==, g_hash_table_size (expected));
  for (guint32 n = 1; n < 4000; n++)
    {
      DetourKey key = key_of (n);
      DetourPeer *peer = detour_registry_find (f->space, &key);

      if (peer != NULL)
        detour_registry_leave (f->space, peer, handle_of ('A'));
    }
}

static void
test_handles (void)
{
  DetourHandle handle = DETOUR_HANDLE_MAKE (255, 0xffffff, G_MAXUINT32);

  g_assert_cmpuint (handle, ==, G_MAXUINT64);
  handle = DETOUR_HANDLE_MAKE (3, 0x123456, 0x89abcdef);
  g_assert_cmpuint (DETOUR_HANDLE_WORKER (handle), ==, 3);
  g_assert_cmpuint (DETOUR_HANDLE_SLOT (handle), ==, 0x123456);
  g_assert_cmpuint (DETOUR_HANDLE_GENERATION (handle), ==, 0x89abcdef);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/registry/handle-parts", test_handles);
  g_test_add_func ("/registry/contested", test_contested);
#define ADD(name, data, func) g_test_add ("/registry/" name, Fixture, data, setup, func, teardown)
  ADD ("key-comes-and-goes", NULL, test_join_and_leave);
  for (gsize i = 0; i < G_N_ELEMENTS (dup_cases); i++)
    {
      g_autofree char *name = g_strconcat ("/registry/duplicates/", dup_cases[i].name, NULL);

      g_test_add (name, Fixture, &dup_cases[i], setup, test_duplicates, teardown);
    }
  ADD ("each-key-gives-the-active-connection", NULL, test_each_key);
  ADD ("memory-waits-for-a-quiet-point", NULL, test_quiet_point);
  ADD ("spaces-do-not-know-each-other", NULL, test_spaces);
  ADD ("many-keys-grow-and-shrink-the-table", NULL, test_many_keys);
#undef ADD
  return g_test_run ();
}
