/* detour-client-rates.c: how much clients send and receive now, from two looks at their counters.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-client-rates.h"

#include <stdlib.h>

/* Two looks are at least so far from each other: over less time, a few packets more or less make a
 * great difference. */
#define APART_US G_USEC_PER_SEC
/* A look that is older does not say what a client does now. */
#define OLD_US (15 * G_USEC_PER_SEC)
/* Nobody asks any more. */
#define FORGET_S 30u

typedef struct {
  guint64 number;
  gint64 seen_us;
  guint64 rx_packets, rx_bytes;
  guint64 tx_packets, tx_bytes;
} Sample;

typedef struct {
  GArray *samples; /* of Sample, by number; NULL: there was no look */
  gint64 at_us;
} Look;

struct _DetourClientRates {
  Look last, before;
  guint timer; /* 0: nothing is kept */
};

static void
client_rates_clear_look (Look *look)
{
  g_clear_pointer (&look->samples, g_array_unref);
}

static gboolean
client_rates_on_forget (gpointer data)
{
  DetourClientRates *self = data;

  client_rates_clear_look (&self->last);
  client_rates_clear_look (&self->before);
  self->timer = 0;
  return G_SOURCE_REMOVE;
}

static int
client_rates_compare (gconstpointer a, gconstpointer b)
{
  guint64 one = ((const Sample *) a)->number, other = ((const Sample *) b)->number;

  return one < other ? -1 : one > other;
}

static GArray *
client_rates_sample (GPtrArray *rows)
{
  GArray *samples = g_array_sized_new (FALSE, FALSE, sizeof (Sample), rows->len);

  for (guint i = 0; i < rows->len; i++)
    {
      const DetourScanRow *row = rows->pdata[i];
      const Sample sample = { row->number,   row->seen_us,    row->rx_packets,
                              row->rx_bytes, row->tx_packets, row->tx_bytes };

      g_array_append_val (samples, sample);
    }
  g_array_sort (samples, client_rates_compare);
  return samples;
}

/* (nullable): of a connection that was not there yet. */
static const Sample *
client_rates_find (const Look *look, guint64 number)
{
  const Sample key = { .number = number };

  if (look->samples->len == 0)
    return NULL;
  return bsearch (&key, look->samples->data, look->samples->len, sizeof key, client_rates_compare);
}

static guint64
client_rates_a_second (guint64 n, gint64 span_us)
{
  return (guint64) ((double) n * G_USEC_PER_SEC / (double) span_us + 0.5);
}

static void
client_rates_fill_row (DetourScanRow *row, const Look *base)
{
  const Sample *from = client_rates_find (base, row->number);
  /* A new connection has counted since its login. */
  const Sample zero = { .seen_us = row->login_us };
  gint64 span_us;

  if (from == NULL)
    from = &zero;
  span_us = MAX (row->seen_us - from->seen_us, APART_US);
  row->rx_rate = client_rates_a_second (row->rx_bytes - from->rx_bytes, span_us);
  row->tx_rate = client_rates_a_second (row->tx_bytes - from->tx_bytes, span_us);
  row->rx_packet_rate = client_rates_a_second (row->rx_packets - from->rx_packets, span_us);
  row->tx_packet_rate = client_rates_a_second (row->tx_packets - from->tx_packets, span_us);
}

static gboolean
client_rates_is_usable (const Look *look, gint64 now_us)
{
  return look->samples != NULL && now_us - look->at_us >= APART_US
      && now_us - look->at_us <= OLD_US;
}

/* (nullable): what to compare a look with that is made now. */
static const Look *
client_rates_base (const DetourClientRates *self, gint64 now_us)
{
  if (client_rates_is_usable (&self->last, now_us))
    return &self->last;
  return client_rates_is_usable (&self->before, now_us) ? &self->before : NULL;
}

gint64
detour_client_rates_wait_us (const DetourClientRates *self, gint64 now_us)
{
  if (self->last.samples == NULL || now_us - self->last.at_us >= APART_US
      || client_rates_base (self, now_us) != NULL)
    return 0;
  return self->last.at_us + APART_US - now_us;
}

gboolean
detour_client_rates_fill (DetourClientRates *self, GPtrArray *rows, gint64 now_us)
{
  const Look *base = client_rates_base (self, now_us);

  for (guint i = 0; base != NULL && i < rows->len; i++)
    client_rates_fill_row (rows->pdata[i], base);
  if (self->last.samples == NULL || now_us - self->last.at_us >= APART_US)
    {
      client_rates_clear_look (&self->before);
      self->before = self->last;
      self->last = (Look) { client_rates_sample (rows), now_us };
    }
  if (self->timer != 0)
    g_source_remove (self->timer);
  self->timer = g_timeout_add_seconds (FORGET_S, client_rates_on_forget, self);
  return base != NULL;
}

DetourClientRates *
detour_client_rates_new (void)
{
  return g_new0 (DetourClientRates, 1);
}

void
detour_client_rates_free (DetourClientRates *self)
{
  client_rates_clear_look (&self->last);
  client_rates_clear_look (&self->before);
  g_clear_handle_id (&self->timer, g_source_remove);
  g_free (self);
}
