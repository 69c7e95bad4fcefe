/* detour-tenant.c: a tenant while the relay runs: where its clients are, and how many.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-tenant.h"

#include "detour-metric-record.h"

#define NAME_MAX_LEN 256u

/* Of a record. */
enum {
  TAG_NAME = 1,
  TAG_COUNTS = 2,
};

/* What is counted is added now and then, by any thread; never for each packet. */
struct _DetourTenant {
  gatomicrefcount refs;
  char *name;
  DetourSpace *space; /* NULL: the common one */
  DetourTenantCounts counts;
};

DetourTenant *
detour_tenant_new (const char *name, DetourSpace *space)
{
  DetourTenant *self = g_new0 (DetourTenant, 1);

  g_atomic_ref_count_init (&self->refs);
  self->name = g_strdup (name);
  self->space = space;
  return self;
}

DetourTenant *
detour_tenant_ref (DetourTenant *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
detour_tenant_unref (DetourTenant *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  if (self->space != NULL)
    detour_registry_close_space (self->space);
  g_free (self->name);
  g_free (self);
}

const char *
detour_tenant_name (const DetourTenant *self)
{
  return self->name;
}

DetourSpace *
detour_tenant_space (const DetourTenant *self)
{
  return self->space;
}

static void
tenant_add (guint64 *count, guint64 n)
{
  if (n > 0)
    __atomic_fetch_add (count, n, __ATOMIC_RELAXED);
}

DetourTenantVisit *
detour_tenant_enter_again (DetourTenant *self, const DetourTenantTraffic *traffic)
{
  DetourTenantVisit *visit = g_new0 (DetourTenantVisit, 1);

  visit->tenant = detour_tenant_ref (self);
  visit->counted = *traffic;
  __atomic_fetch_add (&self->counts.n_clients, 1, __ATOMIC_RELAXED);
  return visit;
}

DetourTenantVisit *
detour_tenant_enter (DetourTenant *self)
{
  tenant_add (&self->counts.joined, 1);
  return detour_tenant_enter_again (self, &(DetourTenantTraffic) { 0 });
}

void
detour_tenant_count (DetourTenantVisit *visit, const DetourTenantTraffic *traffic)
{
  DetourTenantTraffic *all = &visit->tenant->counts.traffic;
  const DetourTenantTraffic *counted = &visit->counted;

  tenant_add (&all->rx_packets, traffic->rx_packets - counted->rx_packets);
  tenant_add (&all->rx_bytes, traffic->rx_bytes - counted->rx_bytes);
  tenant_add (&all->tx_packets, traffic->tx_packets - counted->tx_packets);
  tenant_add (&all->tx_bytes, traffic->tx_bytes - counted->tx_bytes);
  tenant_add (&all->dropped_packets, traffic->dropped_packets - counted->dropped_packets);
  visit->counted = *traffic;
}

void
detour_tenant_leave (DetourTenantVisit *visit)
{
  __atomic_fetch_sub (&visit->tenant->counts.n_clients, 1, __ATOMIC_RELAXED);
  detour_tenant_unref (visit->tenant);
  g_free (visit);
}

void
detour_tenant_note_refusal (DetourTenant *self)
{
  tenant_add (&self->counts.refused, 1);
}

static guint64
tenant_load (const guint64 *count)
{
  return __atomic_load_n (count, __ATOMIC_RELAXED);
}

void
detour_tenant_read (const DetourTenant *self, DetourTenantCounts *out)
{
  const DetourTenantCounts *counts = &self->counts;

  *out = (DetourTenantCounts) {
    .n_clients = __atomic_load_n (&counts->n_clients, __ATOMIC_RELAXED),
    .joined = tenant_load (&counts->joined),
    .refused = tenant_load (&counts->refused),
    .traffic.rx_packets = tenant_load (&counts->traffic.rx_packets),
    .traffic.rx_bytes = tenant_load (&counts->traffic.rx_bytes),
    .traffic.tx_packets = tenant_load (&counts->traffic.tx_packets),
    .traffic.tx_bytes = tenant_load (&counts->traffic.tx_bytes),
    .traffic.dropped_packets = tenant_load (&counts->traffic.dropped_packets),
  };
}

#define COUNT(member, name, unit, help) \
  DETOUR_METRIC_ROW (DetourTenantCounts, member, name, unit, help)

static const DetourMetricRow tenant_metrics[] = {
  COUNT (joined, "tenant_joined", NULL, "clients of the tenant that were let in"),
  COUNT (refused, "tenant_refused", NULL, "clients of the tenant that were refused"),
  COUNT (traffic.rx_packets, "tenant_packets_received", NULL, "packets from clients of the tenant"),
  COUNT (traffic.rx_bytes, "tenant_bytes_received", "bytes",
         "bytes of packets from clients of the tenant"),
  COUNT (traffic.tx_packets, "tenant_packets_sent", NULL, "packets to clients of the tenant"),
  COUNT (traffic.tx_bytes, "tenant_bytes_sent", "bytes",
         "bytes of packets to clients of the tenant"),
  COUNT (traffic.dropped_packets, "tenant_packets_dropped", NULL,
         "packets for clients of the tenant that were dropped"),
  { NULL },
};

void
detour_tenant_each_metric (const DetourTenant *self, DetourMetricFunc func, gpointer user)
{
  DetourMetric clients = { .name = "tenant_connections",
                           .help = "clients of the tenant that are connected",
                           .type = DETOUR_METRIC_GAUGE,
                           .n_labels = 1,
                           .labels = { { "tenant", self->name } } };
  DetourTenantCounts counts;
  gconstpointer structs[] = { &counts };

  detour_tenant_read (self, &counts);
  clients.value = counts.n_clients;
  func (&clients, user);
  for (const DetourMetricRow *row = tenant_metrics; row->name != NULL; row++)
    {
      DetourMetricRow named[] = { *row, { NULL } };

      named[0].fixed = (DetourMetricLabel) { "tenant", self->name };
      detour_metric_each (named, structs, 1, func, user);
    }
}

void
detour_tenant_write (const DetourTenant *self, DetourRecord *out, guint16 tag)
{
  gsize mark = detour_record_begin (out, tag);
  DetourTenantCounts counts;
  gconstpointer structs[] = { &counts };

  detour_tenant_read (self, &counts);
  detour_record_put_text (out, TAG_NAME, self->name);
  detour_metric_record_write (out, TAG_COUNTS, tenant_metrics, structs, 1);
  detour_record_end (out, mark);
}

char *
detour_tenant_read_name (const DetourRecordItem *item)
{
  return detour_record_find_text (item, TAG_NAME, NAME_MAX_LEN);
}

void
detour_tenant_count_on (DetourTenant *self, const DetourRecordItem *item)
{
  DetourRecordReader reader = detour_record_inside (item);
  DetourTenantCounts *counts = &self->counts;
  DetourTenantCounts before = { 0 };
  DetourRecordItem inner;

  while (detour_record_next (&reader, &inner) == DETOUR_RECORD_ITEM)
    if (inner.tag == TAG_COUNTS)
      detour_metric_record_read (&inner, tenant_metrics, &before);
  tenant_add (&counts->joined, before.joined);
  tenant_add (&counts->refused, before.refused);
  tenant_add (&counts->traffic.rx_packets, before.traffic.rx_packets);
  tenant_add (&counts->traffic.rx_bytes, before.traffic.rx_bytes);
  tenant_add (&counts->traffic.tx_packets, before.traffic.tx_packets);
  tenant_add (&counts->traffic.tx_bytes, before.traffic.tx_bytes);
  tenant_add (&counts->traffic.dropped_packets, before.traffic.dropped_packets);
}
