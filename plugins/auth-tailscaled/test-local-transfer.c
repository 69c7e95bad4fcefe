/* test-local-transfer.c: a libcurl without sockets of Unix, as routers may have it, is told from
 * others.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "local-transfer.h"

static curl_version_info_data info;

/* In the place of the library's. */
curl_version_info_data *
curl_version_info (CURLversion age)
{
  return &info;
}

static void
possible (void)
{
  info.features = CURL_VERSION_IPV6;
  g_assert_false (local_transfer_is_possible ());
  info.features |= CURL_VERSION_UNIX_SOCKETS;
  g_assert_true (local_transfer_is_possible ());
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/local-transfer/possible", possible);
  return g_test_run ();
}
