/* test-sources.c: connections are counted by address, IPv6 ones by their first 64 bits.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-sources.h"

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
      DetourSources *sources = detour_sources_new ();
      struct sockaddr_storage first = address (cases[i].first), second = address (cases[i].second);
      DetourSource a, b;

      g_assert_true (detour_sources_enter (sources, (struct sockaddr *) &first, 1, &a));
      g_assert_cmpint (detour_sources_enter (sources, (struct sockaddr *) &second, 1, &b), ==,
                       !cases[i].same);
      g_assert_cmpuint (detour_sources_size (sources), ==, cases[i].same ? 1 : 2);
      detour_sources_leave (sources, &a);
      detour_sources_leave (sources, &a);
      detour_sources_leave (sources, &b);
      g_assert_cmpuint (detour_sources_size (sources), ==, 0);
      g_assert_true (detour_sources_enter (sources, (struct sockaddr *) &second, 1, &b));
      detour_sources_leave (sources, &b);
      detour_sources_free (sources);
    }
}

static void
test_not_counted (void)
{
  DetourSources *sources = detour_sources_new ();
  struct sockaddr_storage inet = address ("192.0.2.1");
  struct sockaddr_un local = { .sun_family = AF_UNIX };
  DetourSource source;

  for (guint i = 0; i < 10; i++)
    {
      g_assert_true (detour_sources_enter (sources, (struct sockaddr *) &inet, 0, &source));
      g_assert_true (detour_sources_enter (sources, (struct sockaddr *) &local, 1, &source));
    }
  g_assert_cmpuint (detour_sources_size (sources), ==, 0);
  detour_sources_leave (sources, &source);
  detour_sources_free (sources);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/sources/limit", test_limit);
  g_test_add_func ("/sources/not-counted", test_not_counted);
  return g_test_run ();
}
