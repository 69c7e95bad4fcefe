/* detour-client-sort.c: the orders in which clients are listed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-client-sort.h"

#include <string.h>

#include "detour-control-error.h"

static const char *const names[DETOUR_N_CLIENT_SORTS + 1] = {
  [DETOUR_CLIENT_SORT_CONNECTION] = "connection",
  [DETOUR_CLIENT_SORT_TRAFFIC] = "traffic",
  [DETOUR_CLIENT_SORT_RECEIVED] = "received",
  [DETOUR_CLIENT_SORT_SENT] = "sent",
  [DETOUR_CLIENT_SORT_DROPPED] = "dropped",
  [DETOUR_CLIENT_SORT_WAITING] = "waiting",
  [DETOUR_CLIENT_SORT_SINCE] = "since",
  [DETOUR_CLIENT_SORT_KEY] = "key",
  [DETOUR_CLIENT_SORT_ADDRESS] = "address",
  [DETOUR_CLIENT_SORT_LABEL] = "label",
  [DETOUR_CLIENT_SORT_RATE] = "rate",
  [DETOUR_CLIENT_SORT_PACKET_RATE] = "packets",
  [DETOUR_CLIENT_SORT_IDLE] = "idle",
};

typedef struct {
  DetourClientSort sort;
  gboolean reverse;
} Order;

gboolean
detour_client_sort_from_name (const char *name, DetourClientSort *out, GError **error)
{
  g_autofree char *all = NULL;

  for (guint i = 0; i < DETOUR_N_CLIENT_SORTS; i++)
    if (strcmp (names[i], name) == 0)
      {
        *out = (DetourClientSort) i;
        return TRUE;
      }
  all = g_strjoinv (", ", (char **) names);
  g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
               "\"%s\" is no order for clients; there are %s", name, all);
  return FALSE;
}

gboolean
detour_client_sort_needs_rates (DetourClientSort sort)
{
  return sort == DETOUR_CLIENT_SORT_RATE || sort == DETOUR_CLIENT_SORT_PACKET_RATE
      || sort == DETOUR_CLIENT_SORT_IDLE;
}

static int
client_sort_compare_numbers (guint64 a, guint64 b)
{
  return a < b ? -1 : a > b;
}

static int
client_sort_compare_labels (const char *a, const char *b)
{
  if (a == NULL || b == NULL)
    return (a == NULL) - (b == NULL);
  return strcmp (a, b);
}

static int
client_sort_compare_by (const DetourScanRow *a, const DetourScanRow *b, DetourClientSort sort)
{
  switch (sort)
    {
    case DETOUR_CLIENT_SORT_TRAFFIC:
      return client_sort_compare_numbers (b->rx_bytes + b->tx_bytes, a->rx_bytes + a->tx_bytes);
    case DETOUR_CLIENT_SORT_RECEIVED:
      return client_sort_compare_numbers (b->rx_bytes, a->rx_bytes);
    case DETOUR_CLIENT_SORT_SENT:
      return client_sort_compare_numbers (b->tx_bytes, a->tx_bytes);
    case DETOUR_CLIENT_SORT_DROPPED:
      return client_sort_compare_numbers (b->dropped_packets, a->dropped_packets);
    case DETOUR_CLIENT_SORT_WAITING:
      return client_sort_compare_numbers (b->waiting_bytes, a->waiting_bytes);
    case DETOUR_CLIENT_SORT_RATE:
      return client_sort_compare_numbers (b->rx_rate + b->tx_rate, a->rx_rate + a->tx_rate);
    case DETOUR_CLIENT_SORT_PACKET_RATE:
      return client_sort_compare_numbers (b->rx_packet_rate + b->tx_packet_rate,
                                          a->rx_packet_rate + a->tx_packet_rate);
    case DETOUR_CLIENT_SORT_IDLE:
      /* One that is not known comes last. */
      return client_sort_compare_numbers ((guint64) a->idle_us, (guint64) b->idle_us);
    case DETOUR_CLIENT_SORT_SINCE:
      return client_sort_compare_numbers ((guint64) a->login_us, (guint64) b->login_us);
    case DETOUR_CLIENT_SORT_KEY:
      return memcmp (a->key.bytes, b->key.bytes, sizeof a->key.bytes);
      case DETOUR_CLIENT_SORT_ADDRESS: {
        int order = memcmp (a->presence.ip, b->presence.ip, sizeof a->presence.ip);

        return order != 0 ? order
                          : client_sort_compare_numbers (a->presence.port, b->presence.port);
      }
    case DETOUR_CLIENT_SORT_LABEL:
      return client_sort_compare_labels (a->label, b->label);
    default:
      return 0;
    }
}

static int
client_sort_compare (gconstpointer a, gconstpointer b, gpointer user)
{
  const DetourScanRow *one = *(const DetourScanRow *const *) a;
  const DetourScanRow *other = *(const DetourScanRow *const *) b;
  const Order *order = user;
  int result = client_sort_compare_by (one, other, order->sort);

  if (result == 0)
    result = client_sort_compare_numbers (one->number, other->number);
  return order->reverse ? -result : result;
}

void
detour_client_sort (GPtrArray *rows, DetourClientSort sort, gboolean reverse)
{
  Order order = { sort, reverse };

  g_ptr_array_sort_with_data (rows, client_sort_compare, &order);
}
