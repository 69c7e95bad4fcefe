/* test-address-counts.c: connections are counted by address, IPv6 ones by their first 64 bits.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-address-counts.h"

#include <arpa/inet.h>
#include <sys/un.h>

static struct sockaddr_storage
address (const char *text)
{
  struct sockaddr_storage storage = { 0 };

  if (strchr (text, ':') != NULL)
    {
      storage.ss_family = AF_INET6;
      g_assert_cmpint (inet_pton (AF_INET6, text, &((struct sockaddr_in6 *) &storage)->sin6_addr),
                       ==, 1);
    }
  else
    {
      storage.ss_family = AF_INET;
      g_assert_cmpint (inet_pton (AF_INET, text, &((struct sockaddr_in *) &storage)->sin_addr), ==,
                       1);
    }
  return storage;
}

static void
test_limit (void)
{
  static const struct {
    const char *first, *second;
    gboolean same;
  } cases[] = {
    { "192.0.2.1", "192.0.2.1", TRUE },
    { "192.0.2.1", "192.0.2.2", FALSE },
    { "192.0.2.1", "::ffff:192.0.2.1", TRUE },
    { "2001:db8::1", "2001:db8::ffff", TRUE },
    { "2001:db8::1", "2001:db8:0:1::1", FALSE },
    { "::1", "::1", TRUE },
    { "0.0.0.0", "0.0.0.0", TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      DetourAddressCounts *counts = detour_address_counts_new ();
      struct sockaddr_storage first = address (cases[i].first), second = address (cases[i].second);
      DetourAddressKey a, b;

      g_assert_true (detour_address_counts_enter (counts, (struct sockaddr *) &first, 1, &a));
      g_assert_cmpint (detour_address_counts_enter (counts, (struct sockaddr *) &second, 1, &b), ==,
                       !cases[i].same);
      g_assert_cmpuint (detour_address_counts_size (counts), ==, cases[i].same ? 1 : 2);
      detour_address_counts_leave (counts, &a);
      detour_address_counts_leave (counts, &a);
      detour_address_counts_leave (counts, &b);
      g_assert_cmpuint (detour_address_counts_size (counts), ==, 0);
      g_assert_true (detour_address_counts_enter (counts, (struct sockaddr *) &second, 1, &b));
      detour_address_counts_leave (counts, &b);
      detour_address_counts_free (counts);
    }
}

static void
test_not_counted (void)
{
  DetourAddressCounts *counts = detour_address_counts_new ();
  struct sockaddr_storage inet = address ("192.0.2.1");
  struct sockaddr_un local = { .sun_family = AF_UNIX };
  DetourAddressKey key;

  for (guint i = 0; i < 10; i++)
    {
      g_assert_true (detour_address_counts_enter (counts, (struct sockaddr *) &inet, 0, &key));
      g_assert_true (detour_address_counts_enter (counts, (struct sockaddr *) &local, 1, &key));
    }
  g_assert_cmpuint (detour_address_counts_size (counts), ==, 0);
  detour_address_counts_leave (counts, &key);
  detour_address_counts_free (counts);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/address-counts/limit", test_limit);
  g_test_add_func ("/address-counts/not-counted", test_not_counted);
  return g_test_run ();
}
