/* test-handshake-pool.c: the threads of the handshake pool share places, and take them from each
 * other.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-pool.h"
#include "fake-auth.h"
#include "worker-bench.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#define REQUEST "GET /derp/probe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

typedef struct {
  WorkerBench *bench;
  FakeAuth *auth;
  DetourAdmission *admission;
  DetourHttpRoutes *routes;
  DetourTenantTable *tenants;
  DetourListener *listener;
  DetourHandshakePool *pool;
  guint16 port;
  GMutex lock;
  GCond cond;
  gboolean is_blocked, has_left;
} Fixture;

static Fixture *
fixture_new (guint n_threads, guint half_open)
{
  static const char *const addresses[] = { "127.0.0.1:0", NULL };
  const DetourListenerSpec spec = { .protocol = "http", .addresses = addresses };
  const DetourSocketOptions options = { 0 };
  const DetourHandshakePoolLimits limits = {
    .half_open = half_open,
    .handshake_timeout_us = G_TIME_SPAN_HOUR,
    .login_timeout_us = G_TIME_SPAN_HOUR,
  };
  static const guint8 secret[32] = { 1 };
  g_autoptr (GError) error = NULL;
  Fixture *f = g_new0 (Fixture, 1);
  DetourHandshakePoolParts parts;

  f->bench = worker_bench_new (1, NULL);
  f->auth = fake_auth_new ();
  f->admission = detour_admission_new (&fake_auth_port, f->auth);
  f->routes = detour_http_routes_new ();
  f->tenants = detour_tenant_table_new ();
  parts = (DetourHandshakePoolParts) {
    .routes = f->routes,
    .admission = f->admission,
    .addresses = f->bench->addresses,
    .terms = f->bench->terms,
    .tenants = f->tenants,
    .workers = f->bench->workers,
    .n_workers = f->bench->n,
    .server_secret = secret,
  };
  f->pool = detour_handshake_pool_new (n_threads, &parts, &limits, &error);
  g_assert_no_error (error);
  f->listener = detour_listener_new ("transport/http", NULL, &spec, &options, NULL, &error);
  g_assert_no_error (error);
  f->port = (guint16) g_ascii_strtoull (
      strrchr (g_ptr_array_index (f->listener->addresses, 0), ':') + 1, NULL, 10);
  detour_handshake_pool_add_listener (f->pool, f->listener);
  g_mutex_init (&f->lock);
  g_cond_init (&f->cond);
  return f;
}

static void
fixture_free (Fixture *f)
{
  detour_handshake_pool_remove_listener (f->pool, f->listener);
  detour_listener_close (f->listener);
  detour_listener_unref (f->listener);
  detour_handshake_pool_free (f->pool);
  detour_admission_free (f->admission);
  detour_http_routes_free (f->routes);
  detour_tenant_table_free (f->tenants);
  worker_bench_free (f->bench);
  fake_auth_free (f->auth);
  g_mutex_clear (&f->lock);
  g_cond_clear (&f->cond);
  g_free (f);
}

static void
on_block (DetourLoop *loop, gpointer data)
{
  Fixture *f = data;

  g_mutex_lock (&f->lock);
  f->is_blocked = TRUE;
  f->has_left = FALSE;
  g_cond_broadcast (&f->cond);
  while (f->is_blocked)
    g_cond_wait (&f->cond, &f->lock);
  f->has_left = TRUE;
  g_cond_broadcast (&f->cond);
  g_mutex_unlock (&f->lock);
}

/* Returns when the thread does nothing any more. */
static void
block (Fixture *f, guint thread)
{
  detour_loop_post (detour_handshake_pool_loop (f->pool, thread), on_block, f);
  g_mutex_lock (&f->lock);
  while (!f->is_blocked)
    g_cond_wait (&f->cond, &f->lock);
  g_mutex_unlock (&f->lock);
}

/* Returns when the thread goes on: another one that is blocked at once would hold this one, too. */
static void
unblock (Fixture *f)
{
  g_mutex_lock (&f->lock);
  f->is_blocked = FALSE;
  g_cond_broadcast (&f->cond);
  while (!f->has_left)
    g_cond_wait (&f->cond, &f->lock);
  g_mutex_unlock (&f->lock);
}

static int
dial (const Fixture *f, const char *text)
{
  const struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = g_htons (f->port),
                                       .sin_addr.s_addr = g_htonl (INADDR_LOOPBACK) };
  const struct timeval patience = { .tv_sec = WORKER_BENCH_PATIENCE_MS / 1000 };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_assert_cmpint (setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), ==, 0);
  g_assert_cmpint (connect (fd, (const struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_cmpint (send (fd, text, strlen (text), MSG_NOSIGNAL), ==, (gssize) strlen (text));
  return fd;
}

/* The whole answer to REQUEST, and the end of the connection. */
static void
expect_answer (int fd)
{
  char buffer[1024];
  gsize n = 0;
  gssize got;

  while ((got = recv (fd, buffer + n, sizeof buffer - n, 0)) > 0)
    n += (gsize) got;
  g_assert_cmpint (got, ==, 0);
  g_assert_cmpuint (n, >, 20);
  g_assert_cmpint (strncmp (buffer, "HTTP/1.1 200 OK\r\n", 17), ==, 0);
  close (fd);
}

/* How many were accepted so far, whatever became of them: one that sends nothing gives its place
 * away after a quarter of a second, so on a slow machine not all of them are there at a time. */
static void
wait_accepted (Fixture *f, guint n)
{
  gint64 until_us = g_get_monotonic_time () + WORKER_BENCH_PATIENCE_MS * 1000;
  guint64 accepted = 0;

  while (accepted != n)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, until_us);
      g_usleep (1000);
      accepted = 0;
      for (guint i = 0; i < detour_handshake_pool_n_threads (f->pool); i++)
        accepted += detour_counter_get (&detour_handshake_pool_counters (f->pool, i)->accepted);
    }
}

/* Those that are none hold no memory. */
static void
wait_for (Fixture *f, guint n_connections)
{
  gint64 until_us = g_get_monotonic_time () + WORKER_BENCH_PATIENCE_MS * 1000;

  while (detour_handshake_pool_n_connections (f->pool) != n_connections
         || (n_connections == 0 && detour_handshake_pool_n_bytes (f->pool) != 0))
    {
      g_assert_cmpint (g_get_monotonic_time (), <, until_us);
      g_usleep (1000);
    }
}

/* Connections that rest on one thread give their places to those of the other one, even while their
 * own thread does something else. */
static void
test_places_go_from_thread_to_thread (void)
{
  Fixture *f = fixture_new (2, 3);
  int resting[3], busy[10];
  char byte;

  for (guint thread = 0; thread < 2; thread++)
    {
      block (f, thread);
      for (guint i = 0; i < G_N_ELEMENTS (resting); i++)
        resting[i] = dial (f, "GET ");
      wait_for (f, 3);
      unblock (f);

      block (f, 1 - thread);
      for (guint i = 0; i < G_N_ELEMENTS (busy); i++)
        busy[i] = dial (f, REQUEST);
      for (guint i = 0; i < G_N_ELEMENTS (busy); i++)
        expect_answer (busy[i]);
      g_assert_cmpuint (detour_handshake_pool_n_half_open (f->pool), <=, 3);
      g_assert_cmpuint (
          detour_counter_get (&detour_handshake_pool_counters (f->pool, thread)->requests), ==,
          G_N_ELEMENTS (busy));
      unblock (f);

      /* One of them at least had to go, and its thread hears of it. */
      g_assert_cmpint (recv (resting[0], &byte, 1, 0), <=, 0);
      for (guint i = 0; i < G_N_ELEMENTS (resting); i++)
        close (resting[i]);
      wait_for (f, 0);
    }
  g_assert_cmpuint (detour_handshake_pool_n_waiting (f->pool), ==, 0);
  fixture_free (f);
}

/* Those that wait on one thread begin when a place is left on the other one. */
static void
test_a_place_that_is_left_serves_the_other_thread (void)
{
  Fixture *f = fixture_new (2, 1);
  int first, second;

  block (f, 0);
  first = dial (f, "GET ");
  wait_for (f, 1);
  unblock (f);
  block (f, 1);
  second = dial (f, REQUEST);
  wait_accepted (f, 2);
  unblock (f);
  close (first);
  expect_answer (second);
  wait_for (f, 0);
  fixture_free (f);
}

static void
test_the_pool_ends_with_all_that_is_open (void)
{
  Fixture *f = fixture_new (2, 5);
  int fds[40];
  char byte;

  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    fds[i] = dial (f, i % 2 ? "GET " : "");
  wait_accepted (f, G_N_ELEMENTS (fds));
  fixture_free (f);
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    {
      g_assert_cmpint (recv (fds[i], &byte, 1, 0), <=, 0);
      close (fds[i]);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/handshake-pool/places-go-from-thread-to-thread",
                   test_places_go_from_thread_to_thread);
  g_test_add_func ("/handshake-pool/a-place-that-is-left-serves-the-other-thread",
                   test_a_place_that_is_left_serves_the_other_thread);
  g_test_add_func ("/handshake-pool/the-pool-ends-with-all-that-is-open",
                   test_the_pool_ends_with_all_that_is_open);
  return g_test_run ();
}
