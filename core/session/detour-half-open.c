/* detour-half-open.c: the half-open backlog of one listener: which connections may log in now,
 * which wait for a place, and which give their place away.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-half-open-private.h"

/* An address that has many places gives one of them, after this rest, to an address that has at
 * least two fewer. It is a long round trip. A connection that waits for the admission counts too:
 * strangers can make logins without end, and an auth instance may take seconds for each. */
#define FAIR_REST_US G_USEC_PER_SEC

/* Addresses that are looked at for one place that became free. The next tick looks at all. */
#define SEARCH_MAX 64u

static const gint64 rests_us[DETOUR_HALF_OPEN_N_STAGES] = {
  [DETOUR_HALF_OPEN_ANSWERED] = 0,           [DETOUR_HALF_OPEN_SILENT] = G_USEC_PER_SEC / 4,
  [DETOUR_HALF_OPEN_FIRST] = G_USEC_PER_SEC, [DETOUR_HALF_OPEN_LATER] = 5 * G_USEC_PER_SEC,
  [DETOUR_HALF_OPEN_BUSY] = G_MAXINT64,
};

static guint
half_open_sum (const GQueue *stages, DetourHalfOpenStage first, DetourHalfOpenStage last)
{
  guint n = 0;

  for (guint i = first; i <= last; i++)
    n += stages[i].length;
  return n;
}

static guint
half_open_places_of (const GQueue *stages)
{
  return half_open_sum (stages, DETOUR_HALF_OPEN_ANSWERED, DETOUR_HALF_OPEN_BUSY);
}

static guint
half_open_waiting_of (const GQueue *stages)
{
  return half_open_sum (stages, DETOUR_HALF_OPEN_UNHEARD, DETOUR_HALF_OPEN_WAITING);
}

/* Addresses among themselves ------------------------------------------------------------------- */

static int
half_open_compare_holding (gconstpointer a, gconstpointer b, gpointer unused)
{
  const DetourHalfOpenAddress *x = a, *y = b;
  guint n = half_open_places_of (x->stages), m = half_open_places_of (y->stages);

  return n < m ? -1 : n > m;
}

static int
half_open_compare_crowded (gconstpointer a, gconstpointer b, gpointer unused)
{
  const DetourHalfOpenAddress *x = a, *y = b;
  guint n = half_open_waiting_of (x->stages), m = half_open_waiting_of (y->stages);

  return n < m ? -1 : n > m;
}

/* The address with the fewest places is served first, among equals the one that was served longest
 * ago: whoever comes from an address of its own does not stand behind a crowd. */
static int
half_open_compare_wanting (gconstpointer a, gconstpointer b, gpointer unused)
{
  const DetourHalfOpenAddress *x = a, *y = b;
  int order = half_open_compare_holding (x, y, NULL);

  return order != 0 ? order : x->begun < y->begun ? -1 : x->begun > y->begun;
}

static void
half_open_rank (GSequence *sequence, GSequenceIter **iter, DetourHalfOpenAddress *address,
                gboolean belongs, GCompareDataFunc compare)
{
  if (belongs && *iter == NULL)
    *iter = g_sequence_insert_sorted (sequence, address, compare, NULL);
  else if (belongs)
    g_sequence_sort_changed (*iter, compare, NULL);
  else if (*iter != NULL)
    g_sequence_remove (g_steal_pointer (iter));
}

static DetourHalfOpenAddress *
half_open_last (GSequence *sequence)
{
  return g_sequence_is_empty (sequence)
           ? NULL
           : g_sequence_get (g_sequence_iter_prev (g_sequence_get_end_iter (sequence)));
}

static DetourHalfOpenAddress *
half_open_find_address (DetourHalfOpen *self, const DetourAddressKey *key)
{
  DetourHalfOpenAddress *address = g_hash_table_lookup (self->addresses, key);

  if (address == NULL)
    {
      address = g_new0 (DetourHalfOpenAddress, 1);
      address->key = *key;
      g_hash_table_insert (self->addresses, &address->key, address);
    }
  return address;
}

/* The one place where lists change ------------------------------------------------------------- */

static void
half_open_list (GQueue *queue, GList *link, DetourHalfOpenStage stage)
{
  if (stage < DETOUR_HALF_OPEN_ANSWERED)
    g_queue_push_head_link (queue, link);
  else
    g_queue_push_tail_link (queue, link);
}

static void
half_open_move (DetourHalfOpen *self, DetourHalfOpenEntry *entry, DetourHalfOpenStage stage)
{
  DetourHalfOpenAddress *address = entry->address;
  guint n_places = half_open_places_of (address->stages);
  guint n_waiting = half_open_waiting_of (address->stages);
  guint n_spoken = address->stages[DETOUR_HALF_OPEN_WAITING].length;

  if (entry->stage != DETOUR_HALF_OPEN_NONE)
    {
      g_queue_unlink (&self->stages[entry->stage], &entry->link);
      g_queue_unlink (&address->stages[entry->stage], &entry->address_link);
    }
  entry->stage = stage;
  if (stage != DETOUR_HALF_OPEN_NONE)
    {
      half_open_list (&self->stages[stage], &entry->link, stage);
      half_open_list (&address->stages[stage], &entry->address_link, stage);
    }

  if (n_places != half_open_places_of (address->stages))
    half_open_rank (self->holding, &address->holding, address,
                    half_open_places_of (address->stages) > 0, half_open_compare_holding);
  if (n_waiting != half_open_waiting_of (address->stages))
    half_open_rank (self->crowded, &address->crowded, address,
                    half_open_waiting_of (address->stages) > 0, half_open_compare_crowded);
  if (n_places != half_open_places_of (address->stages)
      || n_spoken != address->stages[DETOUR_HALF_OPEN_WAITING].length)
    half_open_rank (self->wanting, &address->wanting, address,
                    address->stages[DETOUR_HALF_OPEN_WAITING].length > 0,
                    half_open_compare_wanting);

  if (stage == DETOUR_HALF_OPEN_NONE)
    {
      entry->address = NULL;
      if (address->holding == NULL && address->crowded == NULL)
        g_hash_table_remove (self->addresses, &address->key);
    }
}

/* Taking places away --------------------------------------------------------------------------- */

static gboolean
half_open_is_full (const DetourHalfOpen *self)
{
  return (self->limits.places > 0 && half_open_places_of (self->stages) >= self->limits.places)
      || (self->funcs->has_room != NULL && !self->funcs->has_room (self->user));
}

static gboolean
half_open_is_full_for (const DetourHalfOpen *self, const DetourHalfOpenAddress *address)
{
  return self->limits.places_per_address > 0 && !detour_address_key_is_none (&address->key)
      && half_open_places_of (address->stages) >= self->limits.places_per_address;
}

/* FALSE: it is the relay that is late; the entry begins to rest anew. */
static gboolean
half_open_evict (DetourHalfOpen *self, DetourHalfOpenEntry *entry, gint64 now_us)
{
  gboolean goes = self->funcs->evict (entry, self->user);

  g_assert (goes || detour_half_open_may_have_unread (entry->stage));
  if (!goes)
    entry->since_us = now_us;
  half_open_move (self, entry, goes ? DETOUR_HALF_OPEN_NONE : entry->stage);
  return goes;
}

/* Evicts the one that rests longest in one of the lists, if it rests for @rest_us or more. */
static gboolean
half_open_take_from (DetourHalfOpen *self, GQueue *list, gint64 rest_us, gint64 now_us)
{
  while (list->head != NULL)
    {
      DetourHalfOpenEntry *entry = list->head->data;

      if (now_us - entry->since_us < rest_us)
        return FALSE;
      /* One that stays has become the last of its list. */
      if (half_open_evict (self, entry, now_us))
        return TRUE;
    }
  return FALSE;
}

static gboolean
half_open_take_resting (DetourHalfOpen *self, GQueue *stages, gint64 now_us)
{
  for (guint stage = DETOUR_HALF_OPEN_ANSWERED; stage < DETOUR_HALF_OPEN_BUSY; stage++)
    if (half_open_take_from (self, &stages[stage], rests_us[stage], now_us))
      return TRUE;
  return FALSE;
}

/* Takes a place of the address that has the most, if @address has far fewer. */
static gboolean
half_open_take_fair (DetourHalfOpen *self, const DetourHalfOpenAddress *address, gint64 now_us)
{
  DetourHalfOpenAddress *richest = half_open_last (self->holding);

  if (richest == NULL
      || half_open_places_of (richest->stages) < half_open_places_of (address->stages) + 2)
    return FALSE;
  return half_open_take_from (self, &richest->stages[DETOUR_HALF_OPEN_LATER], FAIR_REST_US, now_us)
      || half_open_take_from (self, &richest->stages[DETOUR_HALF_OPEN_BUSY], FAIR_REST_US, now_us);
}

/* FALSE: there is no place for @address, and none that can be taken away. */
static gboolean
half_open_make_place (DetourHalfOpen *self, DetourHalfOpenAddress *address, gint64 now_us)
{
  if (half_open_is_full_for (self, address)
      && !half_open_take_resting (self, address->stages, now_us))
    return FALSE;
  return !half_open_is_full (self) || half_open_take_resting (self, self->stages, now_us)
      || half_open_take_fair (self, address, now_us);
}

/* Takes back what is above a limit: from those that lose least, of equals the one that rests
 * longest. One with bytes that were not read stays, since it is the relay that is late; it is
 * served in this moment. */
static void
half_open_take_above (DetourHalfOpen *self, GQueue *stages, guint max, gint64 now_us)
{
  if (max == 0)
    return;
  for (guint stage = DETOUR_HALF_OPEN_ANSWERED; stage <= DETOUR_HALF_OPEN_BUSY; stage++)
    for (guint n = stages[stage].length; n > 0 && half_open_places_of (stages) > max; n--)
      half_open_evict (self, stages[stage].head->data, now_us);
}

static void
half_open_take_back (DetourHalfOpen *self, gint64 now_us)
{
  guint max = self->limits.places_per_address;
  GHashTableIter iter;
  gpointer address;

  half_open_take_above (self, self->stages, self->limits.places, now_us);
  /* No address loses its last place, so the table does not change meanwhile. */
  g_hash_table_iter_init (&iter, self->addresses);
  while (g_hash_table_iter_next (&iter, NULL, &address))
    if (!detour_address_key_is_none (&((DetourHalfOpenAddress *) address)->key))
      half_open_take_above (self, ((DetourHalfOpenAddress *) address)->stages, max, now_us);
}

/* Giving places -------------------------------------------------------------------------------- */

/* The connection of @address that came last goes first: in a crowd that outlasts the patience of
 * its clients somebody is served in time. */
static void
half_open_begin_next (DetourHalfOpen *self, DetourHalfOpenAddress *address, gint64 now_us)
{
  DetourHalfOpenEntry *entry = address->stages[DETOUR_HALF_OPEN_WAITING].head->data;

  address->begun = ++self->begun;
  entry->since_us = now_us;
  half_open_move (self, entry, DETOUR_HALF_OPEN_FIRST);
  self->funcs->begin (entry, self->user);
}

/* Gives places to those that wait and have sent something. */
static void
half_open_serve (DetourHalfOpen *self, guint search_max, gint64 now_us)
{
  GSequenceIter *iter = g_sequence_get_begin_iter (self->wanting);

  for (guint i = 0; i < search_max && !g_sequence_iter_is_end (iter);)
    {
      DetourHalfOpenAddress *address = g_sequence_get (iter);
      gboolean is_full_for = half_open_is_full_for (self, address);

      if (half_open_make_place (self, address, now_us))
        {
          half_open_begin_next (self, address, now_us);
          iter = g_sequence_get_begin_iter (self->wanting);
          continue;
        }
      /* Another address may still be under its own limit, but not where all places are taken. */
      if (!is_full_for)
        return;
      iter = g_sequence_iter_next (iter);
      i++;
    }
}

/* Waiting -------------------------------------------------------------------------------------- */

static DetourHalfOpenEntry *
half_open_longest_waiting (const DetourHalfOpenAddress *address)
{
  GList *unheard, *waiting;

  g_assert (address != NULL);
  unheard = address->stages[DETOUR_HALF_OPEN_UNHEARD].tail;
  waiting = address->stages[DETOUR_HALF_OPEN_WAITING].tail;
  if (unheard == NULL || waiting == NULL)
    return unheard != NULL ? unheard->data : waiting->data;
  return ((DetourHalfOpenEntry *) unheard->data)->since_us
              <= ((DetourHalfOpenEntry *) waiting->data)->since_us
           ? unheard->data
           : waiting->data;
}

static void
half_open_shorten_waiting (DetourHalfOpen *self, gint64 now_us)
{
  while (detour_half_open_n_waiting (self) > self->limits.waiting)
    half_open_evict (self, half_open_longest_waiting (half_open_last (self->crowded)), now_us);
}

/* ---------------------------------------------------------------------------------------------- */

DetourHalfOpen *
detour_half_open_new (const DetourHalfOpenFuncs *funcs, gpointer user)
{
  DetourHalfOpen *self = g_new0 (DetourHalfOpen, 1);

  self->funcs = funcs;
  self->user = user;
  self->addresses = g_hash_table_new_full (detour_address_key_hash, detour_address_key_equal, NULL,
                                           g_free);
  self->holding = g_sequence_new (NULL);
  self->crowded = g_sequence_new (NULL);
  self->wanting = g_sequence_new (NULL);
  return self;
}

void
detour_half_open_free (DetourHalfOpen *self)
{
  g_assert (g_hash_table_size (self->addresses) == 0);

  g_hash_table_unref (self->addresses);
  g_sequence_free (self->holding);
  g_sequence_free (self->crowded);
  g_sequence_free (self->wanting);
  g_free (self);
}

void
detour_half_open_set_limits (DetourHalfOpen *self, const DetourHalfOpenLimits *limits,
                             gint64 now_us)
{
  self->limits = *limits;
  half_open_take_back (self, now_us);
  half_open_serve (self, G_MAXUINT, now_us);
  half_open_shorten_waiting (self, now_us);
}

gboolean
detour_half_open_arrive (DetourHalfOpen *self, DetourHalfOpenEntry *entry,
                         const DetourAddressKey *key, gint64 now_us)
{
  DetourHalfOpenAddress *address = half_open_find_address (self, key);

  g_assert (entry->stage == DETOUR_HALF_OPEN_NONE);
  entry->address = address;
  entry->since_us = now_us;
  entry->link.data = entry;
  entry->address_link.data = entry;
  if (!half_open_is_full (self) && !half_open_is_full_for (self, address))
    {
      half_open_move (self, entry, DETOUR_HALF_OPEN_SILENT);
      return TRUE;
    }
  half_open_move (self, entry, DETOUR_HALF_OPEN_UNHEARD);
  half_open_shorten_waiting (self, now_us);
  return FALSE;
}

void
detour_half_open_advance (DetourHalfOpen *self, DetourHalfOpenEntry *entry,
                          DetourHalfOpenStage stage, gint64 now_us)
{
  if (entry->stage == DETOUR_HALF_OPEN_NONE)
    return;
  if (stage != DETOUR_HALF_OPEN_WAITING)
    {
      g_assert (entry->stage >= DETOUR_HALF_OPEN_ANSWERED && stage >= DETOUR_HALF_OPEN_ANSWERED);
      entry->since_us = now_us;
      half_open_move (self, entry, stage);
      /* It gives way at once when somebody waits. */
      if (stage == DETOUR_HALF_OPEN_ANSWERED)
        half_open_serve (self, SEARCH_MAX, now_us);
      return;
    }
  g_assert (entry->stage == DETOUR_HALF_OPEN_UNHEARD);
  half_open_move (self, entry, DETOUR_HALF_OPEN_WAITING);
  half_open_serve (self, SEARCH_MAX, now_us);
}

gboolean
detour_half_open_rename (DetourHalfOpen *self, DetourHalfOpenEntry *entry,
                         const DetourAddressKey *key, gint64 now_us)
{
  DetourHalfOpenStage stage = entry->stage;
  DetourHalfOpenAddress *address;

  if (stage == DETOUR_HALF_OPEN_NONE || detour_address_key_equal (&entry->address->key, key))
    return TRUE;
  g_assert (stage >= DETOUR_HALF_OPEN_ANSWERED);
  address = g_hash_table_lookup (self->addresses, key);
  if (address != NULL && half_open_is_full_for (self, address)
      && !half_open_take_resting (self, address->stages, now_us))
    return FALSE;
  half_open_move (self, entry, DETOUR_HALF_OPEN_NONE);
  /* Only now, since the last connection of an address takes it along. */
  entry->address = half_open_find_address (self, key);
  entry->since_us = now_us;
  half_open_move (self, entry, stage);
  return TRUE;
}

void
detour_half_open_heard (DetourHalfOpen *self, DetourHalfOpenEntry *entry, gint64 now_us)
{
  if (entry->stage == DETOUR_HALF_OPEN_SILENT)
    detour_half_open_advance (self, entry, DETOUR_HALF_OPEN_FIRST, now_us);
}

void
detour_half_open_told (DetourHalfOpen *self, DetourHalfOpenEntry *entry, gint64 now_us)
{
  if (entry->stage >= DETOUR_HALF_OPEN_SILENT && entry->stage <= DETOUR_HALF_OPEN_LATER)
    detour_half_open_advance (self, entry, DETOUR_HALF_OPEN_LATER, now_us);
}

void
detour_half_open_leave (DetourHalfOpen *self, DetourHalfOpenEntry *entry, gint64 now_us)
{
  gboolean had_place = entry->stage >= DETOUR_HALF_OPEN_ANSWERED;

  if (entry->stage == DETOUR_HALF_OPEN_NONE)
    return;
  half_open_move (self, entry, DETOUR_HALF_OPEN_NONE);
  if (had_place)
    half_open_serve (self, SEARCH_MAX, now_us);
}

void
detour_half_open_tick (DetourHalfOpen *self, gint64 now_us)
{
  half_open_serve (self, G_MAXUINT, now_us);
}

guint
detour_half_open_count (const DetourHalfOpen *self, DetourHalfOpenStage stage)
{
  return self->stages[stage].length;
}

guint
detour_half_open_n_places (const DetourHalfOpen *self)
{
  return half_open_places_of (self->stages);
}

guint
detour_half_open_n_waiting (const DetourHalfOpen *self)
{
  return half_open_waiting_of (self->stages);
}
