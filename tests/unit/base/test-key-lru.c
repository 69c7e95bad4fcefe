/* test-key-lru.c: each group has its budget; the entry that was used least recently goes first.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-key-lru.h"

typedef struct {
  DetourKeyLruEntry base;
  guint n;
} Entry;

static guint n_freed;

static void
entry_free (gpointer data)
{
  n_freed++;
  g_free (data);
}

static DetourKey
key (guint n)
{
  DetourKey key = { { 0 } };

  memcpy (key.bytes, &n, sizeof n);
  return key;
}

static void
add (DetourKeyLru *lru, guint n, guint group)
{
  Entry *entry = g_new0 (Entry, 1);

  entry->base.key = key (n);
  entry->n = n;
  detour_key_lru_add (lru, entry, group);
}

static gboolean
has (const DetourKeyLru *lru, guint n)
{
  const DetourKey k = key (n);
  const Entry *entry = detour_key_lru_peek (lru, &k);

  g_assert_true (entry == NULL || entry->n == n);
  return entry != NULL;
}

static DetourKeyLru *
lru_new (guint first, guint second)
{
  const guint budgets[] = { first, second };

  n_freed = 0;
  return detour_key_lru_new (budgets, 2, entry_free);
}

static void
test_order (void)
{
  g_autoptr (DetourKeyLru) lru = lru_new (3, 0);
  const DetourKey first = key (1);

  for (guint n = 1; n <= 3; n++)
    add (lru, n, 0);
  /* A look changes nothing, a use does. */
  g_assert_nonnull (detour_key_lru_peek (lru, &first));
  add (lru, 4, 0);
  g_assert_false (has (lru, 1));
  g_assert_nonnull (detour_key_lru_use (lru, &(const DetourKey) { { 2 } }));
  add (lru, 5, 0);
  g_assert_true (has (lru, 2));
  g_assert_false (has (lru, 3));
  g_assert_cmpuint (detour_key_lru_size (lru), ==, 3);
  g_assert_cmpuint (n_freed, ==, 2);
}

static void
test_groups (void)
{
  g_autoptr (DetourKeyLru) lru = lru_new (2, 3);

  add (lru, 1, 0);
  add (lru, 2, 0);
  for (guint n = 100; n < 200; n++)
    add (lru, n, 1);
  g_assert_true (has (lru, 1) && has (lru, 2));
  g_assert_cmpuint (detour_key_lru_size (lru), ==, 5);
  detour_key_lru_clear_group (lru, 1);
  g_assert_true (has (lru, 1) && has (lru, 2));
  g_assert_cmpuint (detour_key_lru_size (lru), ==, 2);
}

/* A key is in one group at a time. */
static void
test_replaced (void)
{
  g_autoptr (DetourKeyLru) lru = lru_new (2, 2);

  add (lru, 1, 0);
  add (lru, 1, 1);
  add (lru, 2, 0);
  add (lru, 3, 0);
  g_assert_cmpuint (detour_key_lru_size (lru), ==, 3);
  g_assert_true (has (lru, 1));
  g_assert_cmpuint (n_freed, ==, 1);
  detour_key_lru_remove (lru, &(const DetourKey) { { 1 } });
  detour_key_lru_remove (lru, &(const DetourKey) { { 1 } });
  g_assert_false (has (lru, 1));
  g_assert_cmpuint (n_freed, ==, 2);
}

static void
test_no_budget (void)
{
  g_autoptr (DetourKeyLru) lru = lru_new (0, 1);

  add (lru, 1, 0);
  g_assert_cmpuint (detour_key_lru_size (lru), ==, 0);
  g_assert_cmpuint (n_freed, ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/key-lru/least-recent-goes-first", test_order);
  g_test_add_func ("/key-lru/groups-have-budgets-of-their-own", test_groups);
  g_test_add_func ("/key-lru/a-key-has-one-entry", test_replaced);
  g_test_add_func ("/key-lru/no-budget-keeps-nothing", test_no_budget);
  return g_test_run ();
}
