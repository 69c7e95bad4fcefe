/* test-contacts.c: tests that everyone who received from a peer hears that it is gone, once.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-contacts.h"

static void
note_slot (guint32 slot, gpointer user)
{
  g_array_append_val ((GArray *) user, slot);
}

static gint
compare_slots (gconstpointer a, gconstpointer b)
{
  return *(const gint *) a - *(const gint *) b;
}

/* "1 5 7": the receivers told, in order. */
static char *
gone (DetourContacts *contacts, guint64 sender)
{
  g_autoptr (GArray) slots = g_array_new (FALSE, FALSE, sizeof (guint32));
  GString *text = g_string_new (NULL);

  detour_contacts_sender_gone (contacts, sender, note_slot, slots);
  g_array_sort (slots, compare_slots);
  for (guint i = 0; i < slots->len; i++)
    g_string_append_printf (text, "%s%u", i > 0 ? " " : "", g_array_index (slots, guint32, i));
  return g_string_free (text, FALSE);
}

#define ASSERT_GONE(sender, expected)                \
  G_STMT_START                                       \
  {                                                  \
    g_autofree char *told = gone (contacts, sender); \
                                                     \
    g_assert_cmpstr (told, ==, expected);            \
  }                                                  \
  G_STMT_END

static void
test_told_once (void)
{
  DetourContacts *contacts = detour_contacts_new ();

  ASSERT_GONE (1, "");
  g_assert_true (detour_contacts_add (contacts, 1, 5));
  g_assert_false (detour_contacts_add (contacts, 1, 5));
  g_assert_true (detour_contacts_add (contacts, 1, 0));
  g_assert_true (detour_contacts_add (contacts, 1, 7));
  g_assert_true (detour_contacts_add (contacts, 2, 5));
  g_assert_cmpuint (detour_contacts_size (contacts), ==, 4);
  ASSERT_GONE (1, "0 5 7");
  ASSERT_GONE (1, "");
  g_assert_cmpuint (detour_contacts_size (contacts), ==, 1);
  /* Anew after a notice. */
  g_assert_true (detour_contacts_add (contacts, 1, 5));
  ASSERT_GONE (1, "5");
  ASSERT_GONE (2, "5");
  g_assert_cmpuint (detour_contacts_size (contacts), ==, 0);
  detour_contacts_free (contacts);
}

static void
test_receiver_left (void)
{
  DetourContacts *contacts = detour_contacts_new ();

  detour_contacts_add (contacts, 1, 5);
  detour_contacts_add (contacts, 1, 6);
  detour_contacts_add (contacts, 2, 5);
  detour_contacts_receiver_left (contacts, 5);
  detour_contacts_receiver_left (contacts, 5);
  detour_contacts_receiver_left (contacts, 99);
  g_assert_cmpuint (detour_contacts_size (contacts), ==, 1);
  /* The slot belongs to another connection now. */
  g_assert_true (detour_contacts_add (contacts, 2, 5));
  ASSERT_GONE (1, "6");
  ASSERT_GONE (2, "5");
  detour_contacts_free (contacts);
}

static void
test_remove (void)
{
  DetourContacts *contacts = detour_contacts_new ();

  detour_contacts_add (contacts, 1, 5);
  detour_contacts_add (contacts, 1, 6);
  detour_contacts_remove (contacts, 1, 5);
  detour_contacts_remove (contacts, 1, 5);
  detour_contacts_remove (contacts, 3, 5);
  ASSERT_GONE (1, "6");
  detour_contacts_free (contacts);
}

static void
test_extreme_names (void)
{
  DetourContacts *contacts = detour_contacts_new ();

  detour_contacts_add (contacts, DETOUR_CONTACTS_SENDER_MAX, DETOUR_CONTACTS_SLOT_MAX);
  detour_contacts_add (contacts, DETOUR_CONTACTS_SENDER_MAX, 0);
  detour_contacts_add (contacts, 1, DETOUR_CONTACTS_SLOT_MAX);
  detour_contacts_receiver_left (contacts, 0);
  ASSERT_GONE (DETOUR_CONTACTS_SENDER_MAX, "16777214");
  ASSERT_GONE (1, "16777214");
  g_assert_cmpuint (detour_contacts_size (contacts), ==, 0);
  detour_contacts_free (contacts);
}

static void
forget_slot (guint32 slot, gpointer user)
{
  guint64 **key = user;

  g_assert_true (g_hash_table_remove (((gpointer *) user)[1], &(guint64) { *key[0] << 24 | slot }));
}

static gboolean
has_slot (gpointer key, gpointer value, gpointer user)
{
  return (*(guint64 *) key & 0xffffff) == GPOINTER_TO_UINT (user);
}

/* Against a set of GLib, with few names so that everything happens. */
static void
test_random (void)
{
  DetourContacts *contacts = detour_contacts_new ();
  g_autoptr (GHashTable)
      expected = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);

  for (guint i = 0; i < 60000; i++)
    {
      guint range = i % 20000 < 12000 ? 70 : 5;
      guint64 sender = (guint64) g_test_rand_int_range (1, (gint) range);
      guint32 slot = (guint32) g_test_rand_int_range (0, (gint) range);
      guint64 key = sender << 24 | slot;
      gpointer gone_data[] = { &sender, expected };

      switch (g_test_rand_int_range (0, range))
        {
        case 0:
          detour_contacts_sender_gone (contacts, sender, forget_slot, gone_data);
          for (slot = 0; slot < 70; slot++)
            {
              key = sender << 24 | slot;
              g_assert_false (g_hash_table_contains (expected, &key));
            }
          break;
        case 1:
          detour_contacts_receiver_left (contacts, slot);
          g_hash_table_foreach_remove (expected, has_slot, GUINT_TO_POINTER (slot));
          break;
        case 2:
          detour_contacts_remove (contacts, sender, slot);
          g_hash_table_remove (expected, &key);
          break;
        default:
          g_assert_cmpint (detour_contacts_add (contacts, sender, slot), ==,
                           !g_hash_table_contains (expected, &key));
          g_hash_table_add (expected, g_memdup2 (&key, sizeof key));
          break;
        }
      g_assert_cmpuint (detour_contacts_size (contacts), ==, g_hash_table_size (expected));
    }
  detour_contacts_free (contacts);
}

static void
test_memory (void)
{
  DetourContacts *contacts = detour_contacts_new ();
  gsize empty = detour_contacts_memory (contacts), full;

  g_assert_cmpuint (empty, <, 4096);
  /* 49 receivers of each of 1000 senders, and 1049 heads. */
  for (guint sender = 1; sender <= 1000; sender++)
    for (guint slot = 0; slot < 49; slot++)
      detour_contacts_add (contacts, sender, slot * 1000);
  full = detour_contacts_memory (contacts);
  g_assert_cmpuint (full / 49000, <=, 45);
  g_assert_cmpuint (full, >, 1000000);
  for (guint sender = 1; sender <= 1000; sender++)
    g_free (gone (contacts, sender));
  g_assert_cmpuint (detour_contacts_memory (contacts), <=, empty);
  detour_contacts_free (contacts);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/contacts/each-receiver-told-once", test_told_once);
  g_test_add_func ("/contacts/receiver-that-left-is-forgotten", test_receiver_left);
  g_test_add_func ("/contacts/one-relation-removed", test_remove);
  g_test_add_func ("/contacts/extreme-names", test_extreme_names);
  g_test_add_func ("/contacts/random-use", test_random);
  g_test_add_func ("/contacts/memory-comes-and-goes", test_memory);
  return g_test_run ();
}
