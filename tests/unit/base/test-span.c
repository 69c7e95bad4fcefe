/* test-span.c: tests that a span is what sendmsg() takes.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-span.h"

#include <stddef.h>
#include <sys/uio.h>
#include <unistd.h>

G_STATIC_ASSERT (sizeof (DetourSpan) == sizeof (struct iovec));
G_STATIC_ASSERT (offsetof (DetourSpan, data) == offsetof (struct iovec, iov_base));
G_STATIC_ASSERT (offsetof (DetourSpan, len) == offsetof (struct iovec, iov_len));
G_STATIC_ASSERT (sizeof (((DetourSpan *) NULL)->data)
                 == sizeof (((struct iovec *) NULL)->iov_base));
G_STATIC_ASSERT (sizeof (((DetourSpan *) NULL)->len) == sizeof (((struct iovec *) NULL)->iov_len));

static void
test_writev (void)
{
  DetourSpan spans[] = { { (guint8 *) "one ", 4 }, { NULL, 0 }, { (guint8 *) "two", 3 } };
  char got[8] = "";
  int fds[2];

  g_assert_cmpint (pipe (fds), ==, 0);
  g_assert_cmpint (writev (fds[1], (const struct iovec *) spans, G_N_ELEMENTS (spans)), ==, 7);
  g_assert_cmpint (read (fds[0], got, sizeof got), ==, 7);
  g_assert_cmpstr (got, ==, "one two");
  close (fds[0]);
  close (fds[1]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/span/array-is-an-iovec", test_writev);
  return g_test_run ();
}
