/* detour-net-set.c: networks, to be asked whether an address is in one of them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-net-set.h"

#include <string.h>

/* Halves of an address as numbers. */
typedef struct {
  guint64 high, low;
} Address;

typedef struct {
  Address first, last;
} Range;

struct _DetourNetSet {
  gatomicrefcount refs;
  guint n;
  Range ranges[]; /* sorted; none overlaps another */
};

static Address
net_set_load (const guint8 bytes[16])
{
  guint64 halves[2];

  memcpy (halves, bytes, sizeof halves);
  return (Address) { GUINT64_FROM_BE (halves[0]), GUINT64_FROM_BE (halves[1]) };
}

static gboolean
net_set_is_less (Address a, Address b)
{
  return a.high < b.high || (a.high == b.high && a.low < b.low);
}

static Range
net_set_make_range (const DetourCidr *net)
{
  Range range;
  guint8 last[16];

  memcpy (last, net->bytes, sizeof last);
  for (guint i = net->bits; i < 128; i++)
    last[i / 8] |= (guint8) (0x80 >> i % 8);
  range.first = net_set_load (net->bytes);
  range.last = net_set_load (last);
  return range;
}

/* A network comes before those that lie in it. */
static int
net_set_compare (gconstpointer a, gconstpointer b)
{
  const Range *one = a, *other = b;

  if (net_set_is_less (one->first, other->first))
    return -1;
  if (net_set_is_less (other->first, one->first))
    return 1;
  if (net_set_is_less (other->last, one->last))
    return -1;
  return net_set_is_less (one->last, other->last) ? 1 : 0;
}

DetourNetSet *
detour_net_set_new (const DetourCidr *nets, guint n)
{
  DetourNetSet *self = g_malloc (sizeof *self + n * sizeof (Range));
  guint kept = 0;

  g_atomic_ref_count_init (&self->refs);
  for (guint i = 0; i < n; i++)
    self->ranges[i] = net_set_make_range (&nets[i]);
  qsort (self->ranges, n, sizeof (Range), net_set_compare);
  /* Two networks are apart, or one lies in the other. */
  for (guint i = 0; i < n; i++)
    if (kept == 0 || net_set_is_less (self->ranges[kept - 1].last, self->ranges[i].first))
      self->ranges[kept++] = self->ranges[i];
  self->n = kept;
  return self;
}

DetourNetSet *
detour_net_set_ref (DetourNetSet *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
detour_net_set_unref (DetourNetSet *self)
{
  if (g_atomic_ref_count_dec (&self->refs))
    g_free (self);
}

gboolean
detour_net_set_has_bytes (const DetourNetSet *self, const guint8 bytes[16])
{
  Address address = net_set_load (bytes);
  guint begin = 0, end = self != NULL ? self->n : 0;

  while (begin < end)
    {
      guint middle = begin + (end - begin) / 2;

      if (net_set_is_less (address, self->ranges[middle].first))
        end = middle;
      else if (net_set_is_less (self->ranges[middle].last, address))
        begin = middle + 1;
      else
        return TRUE;
    }
  return FALSE;
}

gboolean
detour_net_set_has (const DetourNetSet *self, const struct sockaddr *address)
{
  guint8 bytes[16];

  return self != NULL && detour_address_bytes (address, bytes)
      && detour_net_set_has_bytes (self, bytes);
}
