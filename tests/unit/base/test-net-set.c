/* test-net-set.c: whether an address is in one of many networks.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-net-set.h"

#include <arpa/inet.h>
#include <string.h>

static DetourNetSet *
make_set (const char *const *texts)
{
  g_autoptr (GArray) nets = g_array_new (FALSE, FALSE, sizeof (DetourCidr));

  for (; *texts != NULL; texts++)
    {
      DetourCidr net;

      g_assert_true (detour_cidr_parse (*texts, &net, NULL));
      g_array_append_val (nets, net);
    }
  return detour_net_set_new ((const DetourCidr *) (gpointer) nets->data, nets->len);
}

static gboolean
has (const DetourNetSet *set, const char *text)
{
  DetourCidr address;

  g_assert_true (detour_cidr_parse (text, &address, NULL));
  return detour_net_set_has_bytes (set, address.bytes);
}

static void
test_edges (void)
{
  static const char *const nets[] = {
    "192.0.2.0/24", "10.0.0.0/8",     "10.1.0.0/16", "10.1.2.3",
    "10.0.0.0/8",   "2001:db8::/33",  "::1",         "255.255.255.255",
    "192.0.4.0/23", "ffff:ffff::/32", NULL
  };
  static const char *const inside[] = {
    "192.0.2.0", "192.0.2.255",     "10.0.0.0",    "10.255.255.255",
    "10.1.2.3",  "::ffff:10.1.2.3", "2001:db8::",  "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff",
    "::1",       "255.255.255.255", "192.0.5.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
  };
  static const char *const outside[] = { "192.0.1.255",
                                         "192.0.3.0",
                                         "9.255.255.255",
                                         "11.0.0.0",
                                         "2001:db8:8000::",
                                         "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
                                         "::2",
                                         "::",
                                         "0.0.0.0",
                                         "::10.1.2.3",
                                         "192.0.6.0" };
  g_autoptr (DetourNetSet) set = make_set (nets);

  for (gsize i = 0; i < G_N_ELEMENTS (inside); i++)
    if (!has (set, inside[i]))
      g_error ("%s is not in it", inside[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (outside); i++)
    if (has (set, outside[i]))
      g_error ("%s is in it", outside[i]);
}

static void
test_all_and_none (void)
{
  static const char *const all[] = { "::/0", "0.0.0.0/0", NULL };
  static const char *const none[] = { NULL };
  g_autoptr (DetourNetSet) everything = make_set (all);
  g_autoptr (DetourNetSet) nothing = make_set (none);
  const struct sockaddr_un path = { .sun_family = AF_UNIX };

  g_assert_true (has (everything, "::"));
  g_assert_true (has (everything, "255.255.255.255"));
  g_assert_true (has (everything, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
  g_assert_false (has (nothing, "::1"));
  g_assert_false (has (NULL, "::1"));
  g_assert_false (detour_net_set_has (everything, (const struct sockaddr *) &path));
  g_assert_false (detour_net_set_has (NULL, (const struct sockaddr *) &path));
}

/* The same answers as one network after the other gives. */
static void
test_agrees_with_a_list (void)
{
  GRand *rand = g_rand_new_with_seed (4711);
  DetourCidr nets[200];
  g_autoptr (DetourNetSet) set = NULL;
  guint n_inside = 0;

  for (guint i = 0; i < G_N_ELEMENTS (nets); i++)
    {
      memset (&nets[i], 0, sizeof nets[i]);
      /* Few different bytes, so that networks lie in each other. */
      for (guint k = 0; k < 16; k++)
        nets[i].bytes[k] = (guint8) g_rand_int_range (rand, 0, 3);
      nets[i].bits = (guint8) g_rand_int_range (rand, 20, 129);
      for (guint k = nets[i].bits; k < 128; k++)
        nets[i].bytes[k / 8] &= (guint8) ~(0x80 >> k % 8);
    }
  set = detour_net_set_new (nets, G_N_ELEMENTS (nets));
  for (guint i = 0; i < 20000; i++)
    {
      DetourCidr address = { .bits = 128 };
      gboolean expected = FALSE;

      for (guint k = 0; k < 16; k++)
        address.bytes[k] = (guint8) g_rand_int_range (rand, 0, 3);
      for (guint k = 0; k < G_N_ELEMENTS (nets) && !expected; k++)
        expected = detour_cidr_covers (&nets[k], &address);
      n_inside += expected ? 1 : 0;
      g_assert_cmpint (detour_net_set_has_bytes (set, address.bytes), ==, expected);
    }
  g_assert_cmpuint (n_inside, >, 100);
  g_assert_cmpuint (n_inside, <, 19900);
  g_rand_free (rand);
}

/* Not asserted: how long a question takes; shown with --verbose. */
static void
test_ten_thousand (void)
{
  g_autofree DetourCidr *nets = g_new0 (DetourCidr, 10000);
  g_autoptr (DetourNetSet) set = NULL;
  guint n_inside = 0;
  gint64 begin_us;

  for (guint i = 0; i < 10000; i++)
    {
      guint32 at = g_htonl (0x0a000000u + i * 512u);

      nets[i].bytes[10] = nets[i].bytes[11] = 0xff;
      memcpy (nets[i].bytes + 12, &at, 4);
      nets[i].bits = 120;
    }
  begin_us = g_get_monotonic_time ();
  set = detour_net_set_new (nets, 10000);
  g_test_message ("made of 10,000 networks in %d us", (int) (g_get_monotonic_time () - begin_us));
  begin_us = g_get_monotonic_time ();
  for (guint i = 0; i < 1000000; i++)
    {
      struct sockaddr_in address = { .sin_family = AF_INET,
                                     .sin_addr.s_addr = g_htonl (0x0a000000u + i * 5u) };

      n_inside += detour_net_set_has (set, (const struct sockaddr *) &address) ? 1 : 0;
    }
  g_test_message ("%d ns a question",
                  (int) ((g_get_monotonic_time () - begin_us) * 1000 / 1000000));
  g_assert_cmpuint (n_inside, >=, 499000);
  g_assert_cmpuint (n_inside, <=, 501000);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/net-set/edges", test_edges);
  g_test_add_func ("/net-set/all-and-none", test_all_and_none);
  g_test_add_func ("/net-set/agrees-with-a-list", test_agrees_with_a_list);
  g_test_add_func ("/net-set/ten-thousand", test_ten_thousand);
  return g_test_run ();
}
