/* test-client-list.c: tests of keys as callers write them, and of the orders of lists.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-client-list.h"
#include "detour-client-sort.h"
#include "detour-control-error.h"

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void
test_keys (void)
{
  static const struct {
    const char *text;
    guint n_digits; /* 0: refused */
  } keys[] = {
    { "nodekey:" DIGITS, 64 },
    { DIGITS, 64 },
    { "nodekey:0123", 4 },
    { "0123", 4 },
    { "ABCDEF", 6 },
    { "01234", 5 },
    { "nodekey:" DIGITS "0", 0 },
    { "", 0 },
    { "nodekey:", 0 },
    { "012", 0 },
    { "0123x", 0 },
    { "nodekey: 0123", 0 },
    { "mkey:0123", 0 },
    { "0123 ", 0 },
    { "\xff\xff\xff\xff", 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      DetourScanFilter filter;
      g_autoptr (GError) error = NULL;
      gboolean good = detour_client_key_parse (keys[i].text, &filter, &error);

      g_assert_cmpint (good, ==, keys[i].n_digits > 0);
      if (good)
        g_assert_cmpuint (filter.n_digits, ==, keys[i].n_digits);
      else
        g_assert_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT);
    }
}

static void
test_digits_become_bytes (void)
{
  DetourScanFilter filter;

  g_assert_true (detour_client_key_parse ("aBc12", &filter, NULL));
  g_assert_cmpuint (filter.key.bytes[0], ==, 0xab);
  g_assert_cmpuint (filter.key.bytes[1], ==, 0xc1);
  g_assert_cmpuint (filter.key.bytes[2], ==, 0x20);
  g_assert_cmpuint (filter.key.bytes[3], ==, 0);
}

/* Three rows whose order differs by each measure. */
static const DetourScanRow rows[] = {
  { .number = 1,
    .login_us = 30,
    .rx_bytes = 5,
    .tx_bytes = 100,
    .dropped_packets = 2,
    .waiting_bytes = 7,
    .rx_rate = 3,
    .tx_packet_rate = 7,
    .idle_us = -1,
    .key = { { 9 } },
    .label = "b",
    .presence = { .ip = { 1 } } },
  { .number = 2,
    .login_us = 10,
    .rx_bytes = 50,
    .tx_bytes = 10,
    .dropped_packets = 3,
    .waiting_bytes = 7,
    .tx_rate = 5,
    .rx_packet_rate = 2,
    .tx_packet_rate = 4,
    .idle_us = 3,
    .key = { { 1 } },
    .label = NULL,
    .presence = { .ip = { 1 }, .port = 2 } },
  { .number = 3,
    .login_us = 20,
    .rx_bytes = 40,
    .tx_bytes = 30,
    .dropped_packets = 2,
    .waiting_bytes = 9,
    .rx_rate = 2,
    .tx_rate = 2,
    .rx_packet_rate = 8,
    .idle_us = 0,
    .key = { { 5 } },
    .label = "a",
    .presence = { .ip = { 0, 1 } } },
};

static void
test_orders (void)
{
  static const struct {
    const char *name, *order;
  } orders[] = {
    { "connection", "123" }, { "traffic", "132" }, { "received", "231" }, { "sent", "132" },
    { "dropped", "213" },    { "waiting", "312" }, { "since", "231" },    { "key", "231" },
    { "address", "312" },    { "label", "312" },   { "rate", "231" },     { "packets", "312" },
    { "idle", "321" },
  };

  g_assert_cmpuint (G_N_ELEMENTS (orders), ==, DETOUR_N_CLIENT_SORTS);
  for (guint i = 0; i < G_N_ELEMENTS (orders); i++)
    for (guint reverse = 0; reverse < 2; reverse++)
      {
        g_autoptr (GPtrArray) list = g_ptr_array_new ();
        g_autoptr (GString) order = g_string_new (NULL);
        g_autofree char *expected = reverse ? g_utf8_strreverse (orders[i].order, -1)
                                            : g_strdup (orders[i].order);
        DetourClientSort sort;

        g_assert_true (detour_client_sort_from_name (orders[i].name, &sort, NULL));
        for (guint k = 0; k < G_N_ELEMENTS (rows); k++)
          g_ptr_array_add (list, (gpointer) &rows[k]);
        detour_client_sort (list, sort, (gboolean) reverse);
        for (guint k = 0; k < list->len; k++)
          g_string_append_printf (order, "%u",
                                  (guint) ((const DetourScanRow *) list->pdata[k])->number);
        g_assert_cmpstr (order->str, ==, expected);
      }
}

static void
test_no_such_order (void)
{
  DetourClientSort sort;
  g_autoptr (GError) error = NULL;

  g_assert_false (detour_client_sort_from_name ("beauty", &sort, &error));
  g_assert_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "traffic"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/client-list/keys", test_keys);
  g_test_add_func ("/client-list/digits-become-bytes", test_digits_become_bytes);
  g_test_add_func ("/client-sort/orders", test_orders);
  g_test_add_func ("/client-sort/no-such-order", test_no_such_order);
  return g_test_run ();
}
