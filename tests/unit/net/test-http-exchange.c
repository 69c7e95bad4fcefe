/* test-http-exchange.c: an answer that comes later comes once, whoever is gone first.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-http-exchange.h"

#include <string.h>

static guint n_told; /* atomic */

static void
told (DetourHttpExchange *exchange, gpointer user)
{
  g_assert_true (user == &n_told);
  g_atomic_int_inc (&n_told);
}

/* A response that was held, as a handler leaves it; both references are there. */
static DetourHttpExchange *
hold (void)
{
  static const char text[] = "GET /later HTTP/1.1\r\nHost: x\r\n\r\n";
  const struct sockaddr_storage peer = { 0 };
  DetourHttpResponse *response = detour_http_response_new ();
  DetourHttpRequest *request;
  DetourHttpExchange *exchange;
  DetourHttpHead head;

  n_told = 0;
  detour_http_head_init (&head);
  g_assert_cmpint (detour_http_head_parse (&head, (const guint8 *) text, strlen (text)), ==,
                   DETOUR_HTTP_HEAD_OK);
  request = detour_http_request_new (&head, &peer, 0);
  detour_http_response_set_request (response, request);
  g_assert_null (detour_http_response_held (response));
  exchange = detour_http_response_hold (response);
  g_assert_true (detour_http_response_held (response) == exchange);
  g_assert_true (detour_http_exchange_request (exchange) == request);
  g_assert_true (detour_http_exchange_response (exchange) == response);
  return exchange;
}

/* The plugin's part outlives the connection, and even who counts. */
static void
counted_until_both_are_gone (void)
{
  DetourHttpHoldings *holdings = detour_http_holdings_new ();
  DetourHttpExchange *first = hold (), *second = hold ();
  guint64 n;

  detour_http_request_set_body ((DetourHttpRequest *) detour_http_exchange_request (first),
                                (const guint8 *) "body", 4);
  detour_http_exchange_count (first, holdings);
  n = holdings->n;
  g_assert_cmpuint (n, >, 4);
  detour_http_exchange_count (second, holdings);
  g_assert_cmpuint (holdings->n, ==, 2 * n - 4);
  detour_http_exchange_leave (first);
  detour_http_exchange_unref (first);
  g_assert_cmpuint (holdings->n, ==, 2 * n - 4);
  detour_http_exchange_send (first);
  g_assert_cmpuint (holdings->n, ==, n - 4);
  detour_http_holdings_unref (holdings);
  detour_http_exchange_leave (second);
  detour_http_exchange_unref (second);
  detour_http_exchange_send (second);
}

static void
answered_later (void)
{
  DetourHttpExchange *exchange = hold ();

  g_assert_true (detour_http_exchange_wait (exchange, told, &n_told));
  g_assert_false (detour_http_exchange_is_gone (exchange));
  detour_http_response_set_status (detour_http_exchange_response (exchange), 204);
  detour_http_exchange_send (exchange);
  g_assert_cmpuint (n_told, ==, 1);
  g_assert_true (detour_http_exchange_user (exchange) == &n_told);
  g_assert_cmpuint (detour_http_response_status (detour_http_exchange_answer (exchange)), ==, 204);
  detour_http_exchange_leave (exchange);
  g_assert_null (detour_http_exchange_user (exchange));
  detour_http_exchange_unref (exchange);
}

static void
answered_before_anybody_waits (void)
{
  DetourHttpExchange *exchange = hold ();

  detour_http_exchange_send (exchange);
  g_assert_false (detour_http_exchange_wait (exchange, told, &n_told));
  g_assert_cmpuint (n_told, ==, 0);
  detour_http_exchange_unref (exchange);
}

static void
nobody_waits_any_more (void)
{
  DetourHttpExchange *exchange = hold ();

  g_assert_true (detour_http_exchange_wait (exchange, told, &n_told));
  detour_http_exchange_leave (exchange);
  g_assert_true (detour_http_exchange_is_gone (exchange));
  detour_http_exchange_unref (exchange);
  /* The plugin still has its own. */
  detour_http_response_set_status (detour_http_exchange_response (exchange), 204);
  detour_http_exchange_send (exchange);
  g_assert_cmpuint (n_told, ==, 0);
}

/* The instance stops, or it takes too long: core answers, and the plugin's answer is dropped. */
static void
cancelled (void)
{
  DetourHttpExchange *exchange = hold ();
  g_autoptr (GByteArray) bytes = NULL;

  g_assert_true (detour_http_exchange_wait (exchange, told, &n_told));
  detour_http_exchange_cancel (exchange, 503, "gone");
  detour_http_exchange_cancel (exchange, 504, "too late");
  g_assert_cmpuint (n_told, ==, 1);
  g_assert_true (detour_http_exchange_is_gone (exchange));
  detour_http_response_set_status (detour_http_exchange_response (exchange), 204);
  detour_http_exchange_send (detour_http_exchange_ref (exchange));
  g_assert_cmpuint (n_told, ==, 1);
  g_assert_cmpuint (detour_http_response_status (detour_http_exchange_answer (exchange)), ==, 503);
  bytes = detour_http_response_to_bytes (detour_http_exchange_answer (exchange), NULL, 0);
  g_assert_nonnull (
      g_strstr_len ((const char *) bytes->data, (gssize) bytes->len, "\r\nRetry-After: 1\r\n"));
  detour_http_exchange_unref (exchange);
  detour_http_exchange_unref (exchange);
}

static void
cancelled_too_late (void)
{
  DetourHttpExchange *exchange = detour_http_exchange_ref (hold ());

  detour_http_exchange_send (exchange);
  detour_http_exchange_cancel (exchange, 503, "gone");
  g_assert_cmpuint (detour_http_response_status (detour_http_exchange_answer (exchange)), ==, 200);
  detour_http_exchange_unref (exchange);
  detour_http_exchange_unref (exchange);
}

static gpointer
send_on_thread (gpointer exchange)
{
  detour_http_exchange_send (exchange);
  return NULL;
}

static gpointer
cancel_on_thread (gpointer exchange)
{
  detour_http_exchange_cancel (exchange, 503, "gone");
  detour_http_exchange_unref (exchange);
  return NULL;
}

/* Plugin, instance and connection end it at the same time: one answer at most, nothing leaks. */
static void
all_at_once (void)
{
  for (guint i = 0; i < 500; i++)
    {
      DetourHttpExchange *exchange = hold ();
      GThread *canceller = g_thread_new ("cancel", cancel_on_thread,
                                         detour_http_exchange_ref (exchange));
      GThread *sender = g_thread_new ("send", send_on_thread, exchange);
      gboolean waits = detour_http_exchange_wait (exchange, told, &n_told);

      if (i % 2 == 0)
        detour_http_exchange_leave (exchange);
      g_thread_join (sender);
      g_thread_join (canceller);
      g_assert_cmpuint (n_told, <=, waits ? 1 : 0);
      if (i % 2 != 0)
        g_assert_cmpuint (n_told, ==, waits ? 1 : 0);
      g_assert_true (detour_http_exchange_is_answered (exchange));
      detour_http_exchange_unref (exchange);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http-exchange/answered-later", answered_later);
  g_test_add_func ("/http-exchange/counted-until-both-are-gone", counted_until_both_are_gone);
  g_test_add_func ("/http-exchange/answered-before-anybody-waits", answered_before_anybody_waits);
  g_test_add_func ("/http-exchange/nobody-waits-any-more", nobody_waits_any_more);
  g_test_add_func ("/http-exchange/cancelled", cancelled);
  g_test_add_func ("/http-exchange/cancelled-too-late", cancelled_too_late);
  g_test_add_func ("/http-exchange/all-at-once", all_at_once);
  return g_test_run ();
}
