/* detour-holdings.c: what an instance of a plugin was given by core, which takes it back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-holdings.h"

typedef struct {
  DetourHoldMode mode;
  DetourHoldingFunc release;
  gpointer owner;
  gpointer thing;
} Entry;

void
detour_holdings_init (DetourHoldings *self)
{
  self->entries = g_array_new (FALSE, FALSE, sizeof (Entry));
}

void
detour_holdings_clear (DetourHoldings *self)
{
  g_assert (self->entries->len == 0);
  g_clear_pointer (&self->entries, g_array_unref);
}

gboolean
detour_holdings_forget (DetourHoldings *self, DetourHoldingFunc release, gpointer owner,
                        gpointer thing)
{
  for (guint i = self->entries->len; i-- > 0;)
    {
      const Entry *entry = &g_array_index (self->entries, Entry, i);

      if (entry->release == release && entry->owner == owner && entry->thing == thing)
        {
          g_array_remove_index (self->entries, i);
          return TRUE;
        }
    }
  return FALSE;
}

void
detour_holdings_add (DetourHoldings *self, DetourHoldMode mode, DetourHoldingFunc release,
                     gpointer owner, gpointer thing)
{
  const Entry entry = { mode, release, owner, thing };

  detour_holdings_forget (self, release, owner, thing);
  g_array_append_val (self->entries, entry);
}

gboolean
detour_holdings_release (DetourHoldings *self, DetourHoldingFunc release, gpointer owner,
                         gpointer thing)
{
  if (!detour_holdings_forget (self, release, owner, thing))
    return FALSE;
  release (owner, thing);
  return TRUE;
}

/* The newest that has to go, which is no longer held then. */
static gboolean
holdings_take_newest (DetourHoldings *self, gboolean is_restart, Entry *out)
{
  for (guint i = self->entries->len; i-- > 0;)
    {
      *out = g_array_index (self->entries, Entry, i);
      if (is_restart && out->mode == DETOUR_HOLD_OVER_RESTART)
        continue;
      g_array_remove_index (self->entries, i);
      return TRUE;
    }
  return FALSE;
}

void
detour_holdings_release_all (DetourHoldings *self, gboolean is_restart)
{
  Entry entry;

  while (holdings_take_newest (self, is_restart, &entry))
    entry.release (entry.owner, entry.thing);
}
