/* test-tenant.c: tests of the totals of a tenant, written down for another program.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-tenant.h"

#define TAG 7u

static const DetourTenantTraffic traffic = { 1, 20, 3, 40, 5 };

/* Two have come, one is there still; one was refused. */
static void
write_one (DetourRecord *record)
{
  g_autoptr (DetourTenant) tenant = detour_tenant_new ("red", NULL);
  DetourTenantVisit *gone = detour_tenant_enter (tenant), *here = detour_tenant_enter (tenant);

  detour_tenant_count (gone, &traffic);
  detour_tenant_leave (gone);
  detour_tenant_note_refusal (tenant);
  detour_tenant_write (tenant, record, TAG);
  detour_tenant_leave (here);
}

static DetourRecordItem
item_of (const DetourRecord *record)
{
  DetourRecordReader reader = { record->data, record->len };
  DetourRecordItem item;

  g_assert_cmpint (detour_record_next (&reader, &item), ==, DETOUR_RECORD_ITEM);
  g_assert_cmpuint (item.tag, ==, TAG);
  return item;
}

/* A client that is taken over counts itself, and is not counted twice. */
static void
test_totals_go_on (void)
{
  g_autoptr (DetourTenant) tenant = detour_tenant_new ("red", NULL);
  g_auto (DetourRecord) record = { NULL };
  g_autofree char *name = NULL;
  DetourTenantVisit *visit;
  DetourTenantCounts counts;
  DetourRecordItem item;

  write_one (&record);
  item = item_of (&record);
  name = detour_tenant_read_name (&item);
  g_assert_cmpstr (name, ==, "red");
  visit = detour_tenant_enter_again (tenant, &traffic);
  detour_tenant_count_on (tenant, &item);
  detour_tenant_count (visit, &traffic);
  detour_tenant_read (tenant, &counts);
  g_assert_cmpuint (counts.n_clients, ==, 1);
  g_assert_cmpuint (counts.joined, ==, 2);
  g_assert_cmpuint (counts.refused, ==, 1);
  g_assert_cmpmem (&counts.traffic, sizeof counts.traffic, &traffic, sizeof traffic);
  detour_tenant_leave (visit);
}

/* Wherever it is cut or changed, there are other numbers at worst. */
static void
test_damaged (void)
{
  g_auto (DetourRecord) record = { NULL };
  DetourRecordItem item;

  write_one (&record);
  item = item_of (&record);
  for (gsize i = 0; i < item.len * 9; i++)
    {
      g_autoptr (DetourTenant) tenant = detour_tenant_new ("red", NULL);
      gsize len = i < item.len ? i : item.len;
      g_autofree guint8 *copy = g_memdup2 (item.data, len);
      const DetourRecordItem damaged = { TAG, copy, len };
      g_autofree char *name = NULL;
      DetourTenantCounts counts;

      if (i >= item.len)
        copy[(i - item.len) / 8] ^= (guint8) (1u << (i - item.len) % 8);
      name = detour_tenant_read_name (&damaged);
      detour_tenant_count_on (tenant, &damaged);
      detour_tenant_read (tenant, &counts);
      g_assert_cmpuint (counts.n_clients, ==, 0);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tenant/totals-go-on", test_totals_go_on);
  g_test_add_func ("/tenant/damaged", test_damaged);
  return g_test_run ();
}
