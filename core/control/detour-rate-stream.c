/* detour-rate-stream.c: who moves how much now, every second, for callers that subscribed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-rate-stream.h"

#include "detour-client-options.h"
#include "detour-client-rates.h"
#include "detour-client-row.h"
#include "detour-subscribers.h"

#define EVERY_MS 1000u

struct _DetourRateStream {
  DetourServer *server;
  DetourSubscribers *subscribers; /* with DetourClientOptions */
  DetourClientRates *rates;
  gboolean is_asking; /* the workers have not answered */
};

static void
rate_stream_tell (DetourRateStream *self, guint i, GPtrArray *rows)
{
  const DetourClientOptions *options = detour_subscribers_data (self->subscribers, i);
  guint n = MIN (options->limit, rows->len);
  GVariantBuilder out;

  detour_client_sort (rows, options->sort, options->reverse);
  g_variant_builder_init (&out, G_VARIANT_TYPE ("aa{sv}"));
  for (guint k = 0; k < n; k++)
    g_variant_builder_add_value (&out, detour_client_row_new (rows->pdata[k], TRUE));
  detour_subscribers_tell (self->subscribers, i,
                           g_variant_new ("(aa{sv}t)", &out, (guint64) rows->len));
}

static void
rate_stream_on_looked (DetourScan *scan, gpointer user)
{
  DetourRateStream *self = user;
  GPtrArray *rows = detour_scan_rows (scan);

  self->is_asking = FALSE;
  if (detour_client_rates_fill (self->rates, rows, g_get_monotonic_time ()))
    for (guint i = 0; i < detour_subscribers_n (self->subscribers); i++)
      rate_stream_tell (self, i, rows);
  detour_scan_free (scan);
}

static void
rate_stream_look (gpointer user)
{
  static const DetourScanFilter filter = { .wants_idle = TRUE };
  DetourRateStream *self = user;

  if (self->is_asking || detour_client_rates_wait_us (self->rates, g_get_monotonic_time ()) != 0)
    return;
  self->is_asking = TRUE;
  detour_scan_all (self->server, &filter, rate_stream_on_looked, self);
}

static void
rate_stream_free_options (gpointer data)
{
  detour_client_options_clear (data);
  g_free (data);
}

void
detour_rate_stream_add (DetourRateStream *self, GVariant *options, GDBusMethodInvocation *call)
{
  DetourClientOptions *wanted = g_new0 (DetourClientOptions, 1);
  g_autoptr (GVariant) sort = g_variant_lookup_value (options, "sort", NULL);
  g_autoptr (GError) error = NULL;

  if (!detour_client_options_read (wanted, options, FALSE, &error))
    {
      g_dbus_method_invocation_return_gerror (call, error);
      rate_stream_free_options (wanted);
      return;
    }
  if (sort == NULL)
    wanted->sort = DETOUR_CLIENT_SORT_RATE;
  detour_subscribers_add (self->subscribers, call, wanted, rate_stream_free_options);
}

void
detour_rate_stream_remove (DetourRateStream *self, GDBusMethodInvocation *call)
{
  detour_subscribers_remove (self->subscribers, call);
}

DetourRateStream *
detour_rate_stream_new (const char *path, DetourServer *server)
{
  static const DetourSubscribersFuncs funcs = { "Rates", EVERY_MS, rate_stream_look,
                                                rate_stream_look };
  DetourRateStream *self = g_new0 (DetourRateStream, 1);

  self->server = server;
  self->subscribers = detour_subscribers_new (path, &funcs, self);
  self->rates = detour_client_rates_new ();
  return self;
}

void
detour_rate_stream_free (DetourRateStream *self)
{
  while (self->is_asking)
    g_main_context_iteration (NULL, TRUE);
  detour_subscribers_free (self->subscribers);
  detour_client_rates_free (self->rates);
  g_free (self);
}
