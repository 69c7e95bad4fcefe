/* test-scan.c: who is connected, a few at a time, as the admission would ask about them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-scan.h"

#include <unistd.h>

#include "worker-bench.h"

#define CLIENTS 6u

typedef struct {
  WorkerBench *bench;
  int fds[CLIENTS];

  GString *seen; /* "letter address app-name listener prober;" each */
  guint32 next;
  guint n_done;
} Fixture;

/* Clients 'a' and on; the third is a mesh connection, the others have an address that ends with
 * their number. */
static void
join (Fixture *f, guint number)
{
  DetourSession *session = worker_bench_session ((guint8) ('a' + number), number == 2,
                                                 &f->fds[number]);

  if (number == 3)
    session->presence.flags = DETOUR_FRAME_PRESENT_PROBER;
  if (number == 1)
    memcpy (session->presence.ip, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
  else if (number != 4)
    memcpy (session->presence.ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16);
  if (number == 3)
    {
      session->presence.name_len = 5;
      memcpy (session->presence.name, "probe", 5);
    }
  worker_bench_adopt (f->bench, 0, session, f->fds[number]);
}

static Fixture *
start (guint n)
{
  Fixture *f = g_new0 (Fixture, 1);

  f->bench = worker_bench_new (1, NULL);
  f->seen = g_string_new (NULL);
  for (guint i = 0; i < CLIENTS; i++)
    f->fds[i] = -1;
  for (guint i = 0; i < n; i++)
    join (f, i);
  return f;
}

static void
stop (Fixture *f)
{
  worker_bench_free (f->bench);
  for (guint i = 0; i < CLIENTS; i++)
    if (f->fds[i] >= 0)
      close (f->fds[i]);
  g_string_free (f->seen, TRUE);
  g_free (f);
}

static void
on_scan (const DetourScanRow *clients, guint n, guint32 next, gpointer data)
{
  Fixture *f = data;

  for (guint i = 0; i < n; i++)
    {
      const DetourAuthRequest *request = clients[i].request;

      g_string_append_printf (f->seen, "%c %s %s %s %s;", request->key[0],
                              request->address[0] != '\0' ? request->address : "-",
                              request->app_name[0] != '\0' ? request->app_name : "-",
                              request->listener, request->prober ? "prober" : "-");
      g_assert_cmpuint (DETOUR_HANDLE_WORKER (clients[i].handle), ==, 0);
      g_assert_cmpuint (DETOUR_HANDLE_SLOT (clients[i].handle), ==,
                        (guint) (request->key[0] - 'a'));
    }
  f->next = next;
  f->n_done++;
}

static void
scan (Fixture *f, guint32 first, guint max, const char *seen)
{
  guint n_done = f->n_done;

  g_string_truncate (f->seen, 0);
  detour_scan_page (f->bench->workers[0], first, max, on_scan, f);
  while (f->n_done == n_done)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (f->seen->str, ==, seen);
}

static void
test_requests (void)
{
  Fixture *f = start (CLIENTS);

  scan (f, 0, 100,
        "a 192.0.2.1 - transport/test -;b 2001:db8::1 - transport/test -;d 192.0.2.1 probe "
        "transport/test prober;"
        "e - - transport/test -;f 192.0.2.1 - transport/test -;");
  g_assert_cmpuint (f->next, ==, DETOUR_SCAN_END);
  stop (f);
}

static void
test_pages (void)
{
  Fixture *f = start (CLIENTS);

  scan (f, 0, 1, "a 192.0.2.1 - transport/test -;");
  g_assert_cmpuint (f->next, ==, 1);
  scan (f, f->next, 2, "b 2001:db8::1 - transport/test -;d 192.0.2.1 probe transport/test prober;");
  g_assert_cmpuint (f->next, ==, 4);
  scan (f, f->next, 2, "e - - transport/test -;f 192.0.2.1 - transport/test -;");
  g_assert_cmpuint (f->next, ==, DETOUR_SCAN_END);
  scan (f, 100, 2, "");
  g_assert_cmpuint (f->next, ==, DETOUR_SCAN_END);
  stop (f);
}

static void
test_nobody (void)
{
  Fixture *f = start (0);

  scan (f, 0, 10, "");
  g_assert_cmpuint (f->next, ==, DETOUR_SCAN_END);
  stop (f);
}

static void
test_cancelled (void)
{
  Fixture *f = start (1);

  detour_scan_cancel (detour_scan_page (f->bench->workers[0], 0, 10, on_scan, f));
  scan (f, 0, 10, "a 192.0.2.1 - transport/test -;");
  g_assert_cmpuint (f->n_done, ==, 1);
  stop (f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scan/requests-are-those-of-the-login", test_requests);
  g_test_add_func ("/scan/a-few-at-a-time", test_pages);
  g_test_add_func ("/scan/nobody-is-there", test_nobody);
  g_test_add_func ("/scan/cancelled", test_cancelled);
  return g_test_run ();
}
