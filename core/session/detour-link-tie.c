/* detour-link-tie.c: what a link is known by while a worker has it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-link-tie.h"

#include "detour-link.h"
#include "detour-worker.h"

DetourLinkTie *
detour_link_tie_new (const DetourKey *key, const char *name)
{
  DetourLinkTie *self = g_new0 (DetourLinkTie, 1);

  self->relay.peer.key = *key;
  self->n_refs = 1;
  self->name = g_strdup (name);
  g_mutex_init (&self->lock);
  return self;
}

DetourLinkTie *
detour_link_tie_ref (DetourLinkTie *self)
{
  g_atomic_int_inc (&self->n_refs);
  return self;
}

void
detour_link_tie_unref (DetourLinkTie *self)
{
  if (!g_atomic_int_dec_and_test (&self->n_refs))
    return;
  g_mutex_clear (&self->lock);
  g_free (self->name);
  g_free (self);
}

gboolean
detour_link_tie_set_link (DetourLinkTie *self, DetourLoop *loop, DetourLink *link)
{
  gboolean is_over;

  g_mutex_lock (&self->lock);
  is_over = self->is_over;
  if (!is_over)
    {
      self->loop = loop;
      self->link = link;
    }
  g_mutex_unlock (&self->lock);
  return !is_over;
}

gboolean
detour_link_tie_set_worker (DetourLinkTie *self, gpointer worker)
{
  gboolean is_wanted;

  g_mutex_lock (&self->lock);
  is_wanted = !self->is_unwanted;
  self->worker = is_wanted ? worker : NULL;
  g_atomic_int_set (&self->is_joined, self->worker != NULL);
  g_mutex_unlock (&self->lock);
  return is_wanted;
}

void
detour_link_tie_end (DetourLinkTie *self, DetourLinkFault fault, const char *reason)
{
  g_mutex_lock (&self->lock);
  self->is_over = TRUE;
  self->worker = NULL;
  g_atomic_int_set (&self->is_joined, FALSE);
  if (self->link != NULL)
    detour_link_tell_over (self, fault, reason);
  g_mutex_unlock (&self->lock);
}

void
detour_link_tie_hang_up (DetourLinkTie *self)
{
  g_mutex_lock (&self->lock);
  self->link = NULL;
  self->is_unwanted = TRUE;
  if (self->worker != NULL)
    detour_worker_end_link (self->worker, detour_link_tie_ref (self));
  g_mutex_unlock (&self->lock);
}

void
detour_link_tie_read (const DetourLinkTie *self, DetourLinkStats *stats)
{
  const DetourRelayLinkCounters *counters = &self->relay.counters;

  *stats = (DetourLinkStats) {
    .is_joined = g_atomic_int_get (&self->is_joined),
    .is_accepted = detour_counter_get (&counters->told) > 0,
    .keys = detour_counter_get (&counters->keys),
    .packets = detour_counter_get (&counters->packets),
    .bytes = detour_counter_get (&counters->bytes),
    .dropped_queue = detour_counter_get (&counters->packets_dropped[DETOUR_DROP_QUEUE_HEAD])
                   + detour_counter_get (&counters->packets_dropped[DETOUR_DROP_QUEUE_TAIL]),
    .dropped_gone = detour_counter_get (&counters->packets_dropped[DETOUR_DROP_GONE]),
    .dropped_write = detour_counter_get (&counters->packets_dropped[DETOUR_DROP_WRITE_ERROR]),
  };
}
