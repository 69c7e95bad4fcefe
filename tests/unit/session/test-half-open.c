/* test-half-open.c: who may be half open, who waits, and who gives way.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-half-open-private.h"

#define MS        G_GINT64_CONSTANT (1000)
#define N_ENTRIES 48u
#define N_ADDRS   6u
#define HISTORIES 1000u
#define STEPS     150u

typedef struct {
  DetourHalfOpenEntry place;
  guint address;
  gboolean has_unread; /* so it will not be evicted, once */
  guint begun, evicted;
} Conn;

typedef struct {
  DetourHalfOpen *backlog;
  Conn conns[N_ENTRIES];
  gboolean is_short_of_room;
  gint64 now_us;
} Fixture;

static void
on_begin (DetourHalfOpenEntry *entry, gpointer user)
{
  g_assert_cmpint (entry->stage, ==, DETOUR_HALF_OPEN_FIRST);
  ((Conn *) entry)->begun++;
}

static gboolean
on_evict (DetourHalfOpenEntry *entry, gpointer user)
{
  Conn *conn = (Conn *) entry;

  g_assert_cmpint (entry->stage, !=, DETOUR_HALF_OPEN_NONE);
  if (conn->has_unread && detour_half_open_may_have_unread (entry->stage))
    {
      conn->has_unread = FALSE;
      return FALSE;
    }
  conn->evicted++;
  return TRUE;
}

static gboolean
on_has_room (gpointer user)
{
  return !((Fixture *) user)->is_short_of_room;
}

static const DetourHalfOpenFuncs funcs = { on_begin, on_evict, on_has_room };

static Fixture *
fixture_new (guint places, guint per_address, guint waiting)
{
  Fixture *f = g_new0 (Fixture, 1);

  f->now_us = 1000 * G_USEC_PER_SEC;
  f->backlog = detour_half_open_new (&funcs, f);
  detour_half_open_set_limits (f->backlog, &(DetourHalfOpenLimits) { places, per_address, waiting },
                               f->now_us);
  return f;
}

static void
fixture_free (Fixture *f)
{
  for (guint i = 0; i < N_ENTRIES; i++)
    detour_half_open_leave (f->backlog, &f->conns[i].place, f->now_us);
  detour_half_open_free (f->backlog);
  g_free (f);
}

static DetourAddressKey
key_of (guint address)
{
  return (DetourAddressKey) { address, 0 }; /* number 0 is no address */
}

static gboolean
arrive (Fixture *f, guint i, guint address)
{
  DetourAddressKey key = key_of (address);

  f->conns[i].address = address;
  return detour_half_open_arrive (f->backlog, &f->conns[i].place, &key, f->now_us);
}

static void
advance (Fixture *f, guint i, DetourHalfOpenStage stage)
{
  detour_half_open_advance (f->backlog, &f->conns[i].place, stage, f->now_us);
}

/* Sends its first bytes, with a place or without. */
static void
speak (Fixture *f, guint i)
{
  if (f->conns[i].place.stage == DETOUR_HALF_OPEN_UNHEARD)
    advance (f, i, DETOUR_HALF_OPEN_WAITING);
  else
    detour_half_open_heard (f->backlog, &f->conns[i].place, f->now_us);
}

static void
rest (Fixture *f, gint64 us)
{
  f->now_us += us;
  detour_half_open_tick (f->backlog, f->now_us);
}

static DetourHalfOpenStage
stage_of (const Fixture *f, guint i)
{
  return f->conns[i].place.stage;
}

/* Every list against the connections that should be on it -------------------------------------- */

static void
check_list (const GQueue *list, DetourHalfOpenStage stage, const DetourHalfOpenAddress *address)
{
  gint64 last_us = stage < DETOUR_HALF_OPEN_ANSWERED ? G_MAXINT64 : 0;
  guint n = 0;

  for (const GList *link = list->head; link != NULL; link = link->next, n++)
    {
      const DetourHalfOpenEntry *entry = link->data;

      g_assert_cmpint (entry->stage, ==, stage);
      if (address != NULL)
        g_assert_true (entry->address == address);
      /* The one that came last first, or the one that rests longest first. */
      if (stage == DETOUR_HALF_OPEN_UNHEARD)
        g_assert_cmpint (entry->since_us, <=, last_us);
      if (stage >= DETOUR_HALF_OPEN_ANSWERED)
        g_assert_cmpint (entry->since_us, >=, last_us);
      last_us = entry->since_us;
    }
  g_assert_cmpuint (n, ==, list->length);
}

static guint
sum (const GQueue *stages, guint first, guint last)
{
  guint n = 0;

  for (guint i = first; i <= last; i++)
    n += stages[i].length;
  return n;
}

static void
check_sequence (GSequence *sequence, guint n, guint first, guint last)
{
  guint before = 0, seen = 0;

  for (GSequenceIter *iter = g_sequence_get_begin_iter (sequence); !g_sequence_iter_is_end (iter);
       iter = g_sequence_iter_next (iter), seen++)
    {
      const DetourHalfOpenAddress *address = g_sequence_get (iter);

      g_assert_cmpuint (sum (address->stages, first, last), >=, before);
      before = sum (address->stages, first, last);
    }
  g_assert_cmpuint (seen, ==, n);
}

static void
check (Fixture *f)
{
  guint in_stage[DETOUR_HALF_OPEN_N_STAGES] = { 0 };
  guint n_addresses = 0, n_holding = 0, n_crowded = 0, n_wanting = 0;

  for (guint i = 0; i < N_ENTRIES; i++)
    in_stage[stage_of (f, i)]++;
  for (guint stage = DETOUR_HALF_OPEN_UNHEARD; stage < DETOUR_HALF_OPEN_N_STAGES; stage++)
    {
      g_assert_cmpuint (detour_half_open_count (f->backlog, stage), ==, in_stage[stage]);
      check_list (&f->backlog->stages[stage], stage, NULL);
    }
  g_assert_cmpuint (detour_half_open_n_waiting (f->backlog), ==,
                    in_stage[DETOUR_HALF_OPEN_UNHEARD] + in_stage[DETOUR_HALF_OPEN_WAITING]);

  for (guint a = 0; a < N_ADDRS; a++)
    {
      DetourAddressKey key = key_of (a);
      DetourHalfOpenAddress *address = g_hash_table_lookup (f->backlog->addresses, &key);
      guint of_address[DETOUR_HALF_OPEN_N_STAGES] = { 0 };
      guint n = 0;

      for (guint i = 0; i < N_ENTRIES; i++)
        if (stage_of (f, i) != DETOUR_HALF_OPEN_NONE && f->conns[i].address == a)
          {
            of_address[stage_of (f, i)]++;
            n++;
          }
      g_assert_true ((address != NULL) == (n > 0));
      if (address == NULL)
        continue;
      n_addresses++;
      for (guint stage = DETOUR_HALF_OPEN_UNHEARD; stage < DETOUR_HALF_OPEN_N_STAGES; stage++)
        {
          g_assert_cmpuint (address->stages[stage].length, ==, of_address[stage]);
          check_list (&address->stages[stage], stage, address);
        }
      n_holding += sum (address->stages, DETOUR_HALF_OPEN_ANSWERED, DETOUR_HALF_OPEN_BUSY) > 0;
      n_crowded += sum (address->stages, DETOUR_HALF_OPEN_UNHEARD, DETOUR_HALF_OPEN_WAITING) > 0;
      n_wanting += of_address[DETOUR_HALF_OPEN_WAITING] > 0;
    }
  g_assert_cmpuint (g_hash_table_size (f->backlog->addresses), ==, n_addresses);
  check_sequence (f->backlog->holding, n_holding, DETOUR_HALF_OPEN_ANSWERED, DETOUR_HALF_OPEN_BUSY);
  check_sequence (f->backlog->crowded, n_crowded, DETOUR_HALF_OPEN_UNHEARD,
                  DETOUR_HALF_OPEN_WAITING);
  check_sequence (f->backlog->wanting, n_wanting, DETOUR_HALF_OPEN_ANSWERED, DETOUR_HALF_OPEN_BUSY);
}

/* Nobody who has spoken waits beside a free place. */
static void
check_nobody_waits_in_vain (Fixture *f)
{
  const DetourHalfOpenLimits *limits = &f->backlog->limits;

  if (f->is_short_of_room
      || (limits->places > 0 && detour_half_open_n_places (f->backlog) >= limits->places))
    return;
  for (guint i = 0; i < N_ENTRIES; i++)
    if (stage_of (f, i) == DETOUR_HALF_OPEN_WAITING)
      {
        g_assert_cmpuint (limits->places_per_address, >, 0);
        g_assert_cmpuint (f->conns[i].address, !=, 0);
        g_assert_cmpuint (sum (f->conns[i].place.address->stages, DETOUR_HALF_OPEN_ANSWERED,
                               DETOUR_HALF_OPEN_BUSY),
                          >=, limits->places_per_address);
      }
}

static void
step (Fixture *f)
{
  guint i = (guint) g_test_rand_int_range (0, N_ENTRIES);
  gboolean has_place = stage_of (f, i) >= DETOUR_HALF_OPEN_ANSWERED;

  f->conns[i].has_unread = g_test_rand_int_range (0, 4) == 0;
  switch (g_test_rand_int_range (0, 12))
    {
    case 0:
      rest (f, g_test_rand_int_range (0, 400) * MS);
      check_nobody_waits_in_vain (f);
      break;
    case 1:
      rest (f, g_test_rand_int_range (0, 6000) * MS);
      check_nobody_waits_in_vain (f);
      break;
    case 2:
      detour_half_open_leave (f->backlog, &f->conns[i].place, f->now_us);
      break;
    case 3:
      f->is_short_of_room = g_test_rand_int_range (0, 4) == 0;
      break;
    case 4:
      if (g_test_rand_int_range (0, 4) == 0)
        detour_half_open_set_limits (
            f->backlog,
            &(DetourHalfOpenLimits) { (guint) g_test_rand_int_range (0, 12),
                                      (guint) g_test_rand_int_range (0, 5),
                                      (guint) g_test_rand_int_range (0, 20) },
            f->now_us);
      break;
    case 5:
      detour_half_open_told (f->backlog, &f->conns[i].place, f->now_us);
      break;
    case 6:
      if (has_place)
        advance (f, i,
                 (DetourHalfOpenStage) g_test_rand_int_range (DETOUR_HALF_OPEN_ANSWERED,
                                                              DETOUR_HALF_OPEN_N_STAGES));
      break;
    case 7:
    case 8:
      if (stage_of (f, i) != DETOUR_HALF_OPEN_WAITING)
        speak (f, i);
      break;
    default:
      if (stage_of (f, i) == DETOUR_HALF_OPEN_NONE)
        arrive (f, i, (guint) g_test_rand_int_range (0, N_ADDRS));
      break;
    }
}

static void
test_random_histories (void)
{
  guint most_places = 0, most_waiting = 0, n_begun = 0, n_evicted = 0;

  for (guint h = 0; h < HISTORIES; h++)
    {
      Fixture *f = fixture_new ((guint) g_test_rand_int_range (0, 12),
                                (guint) g_test_rand_int_range (0, 5),
                                (guint) g_test_rand_int_range (0, 20));

      for (guint s = 0; s < STEPS; s++)
        {
          guint n_before = detour_half_open_n_places (f->backlog);

          step (f);
          check (f);
          if (f->backlog->limits.places > 0)
            g_assert_cmpuint (detour_half_open_n_places (f->backlog), <=,
                              MAX (n_before, f->backlog->limits.places));
          g_assert_cmpuint (detour_half_open_n_waiting (f->backlog), <=,
                            f->backlog->limits.waiting);
          most_places = MAX (most_places, detour_half_open_n_places (f->backlog));
          most_waiting = MAX (most_waiting, detour_half_open_n_waiting (f->backlog));
        }
      for (guint i = 0; i < N_ENTRIES; i++)
        {
          n_begun += f->conns[i].begun;
          n_evicted += f->conns[i].evicted;
        }
      fixture_free (f);
    }
  /* The histories went where it is tight. */
  g_assert_cmpuint (most_places, >=, 12);
  g_assert_cmpuint (most_waiting, >=, 15);
  g_assert_cmpuint (n_begun, >, HISTORIES);
  g_assert_cmpuint (n_evicted, >, HISTORIES);
}

/* The rules ------------------------------------------------------------------------------------ */

static void
test_patience (void)
{
  static const struct {
    DetourHalfOpenStage stage;
    gint64 rest_us; /* after which it gives way; -1: never */
  } cases[] = {
    { DETOUR_HALF_OPEN_ANSWERED, 0 },      { DETOUR_HALF_OPEN_SILENT, 250 * MS },
    { DETOUR_HALF_OPEN_FIRST, 1000 * MS }, { DETOUR_HALF_OPEN_LATER, 5000 * MS },
    { DETOUR_HALF_OPEN_BUSY, -1 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint per_address = 0; per_address < 2; per_address++)
      {
        Fixture *f = per_address ? fixture_new (0, 1, 9) : fixture_new (1, 0, 9);

        g_assert_true (arrive (f, 0, 1));
        advance (f, 0, cases[i].stage);
        g_assert_false (arrive (f, 1, per_address ? 1 : 2));
        g_assert_cmpint (stage_of (f, 1), ==, DETOUR_HALF_OPEN_UNHEARD);
        if (cases[i].rest_us > 0)
          rest (f, cases[i].rest_us - 1);
        speak (f, 1);
        if (cases[i].rest_us != 0)
          {
            g_assert_cmpint (stage_of (f, 0), ==, cases[i].stage);
            g_assert_cmpint (stage_of (f, 1), ==, DETOUR_HALF_OPEN_WAITING);
            rest (f, cases[i].rest_us < 0 ? G_GINT64_CONSTANT (3600000000) : 1);
          }
        if (cases[i].rest_us < 0)
          g_assert_cmpint (stage_of (f, 0), ==, DETOUR_HALF_OPEN_BUSY);
        else
          {
            g_assert_cmpint (stage_of (f, 0), ==, DETOUR_HALF_OPEN_NONE);
            g_assert_cmpint (stage_of (f, 1), ==, DETOUR_HALF_OPEN_FIRST);
            g_assert_cmpuint (f->conns[1].begun, ==, 1);
          }
        fixture_free (f);
      }
}

/* Whoever only opens connections displaces nobody. */
static void
test_silence_takes_no_place (void)
{
  Fixture *f = fixture_new (1, 0, 9);

  g_assert_true (arrive (f, 0, 1));
  g_assert_false (arrive (f, 1, 2));
  rest (f, 60 * G_USEC_PER_SEC);
  g_assert_cmpint (stage_of (f, 0), ==, DETOUR_HALF_OPEN_SILENT);
  g_assert_cmpint (stage_of (f, 1), ==, DETOUR_HALF_OPEN_UNHEARD);
  fixture_free (f);
}

/* A byte now and then is no progress. */
static void
test_dripping_is_resting (void)
{
  Fixture *f = fixture_new (1, 0, 9);

  arrive (f, 0, 1);
  speak (f, 0);
  arrive (f, 1, 2);
  speak (f, 1);
  for (guint i = 0; i < 9; i++)
    {
      rest (f, 100 * MS);
      speak (f, 0);
    }
  g_assert_cmpint (stage_of (f, 0), ==, DETOUR_HALF_OPEN_FIRST);
  rest (f, 100 * MS);
  g_assert_cmpint (stage_of (f, 0), ==, DETOUR_HALF_OPEN_NONE);
  g_assert_cmpint (stage_of (f, 1), ==, DETOUR_HALF_OPEN_FIRST);
  fixture_free (f);
}

static void
test_unread_bytes_are_no_rest (void)
{
  Fixture *f = fixture_new (1, 0, 9);

  arrive (f, 0, 1);
  speak (f, 0);
  arrive (f, 1, 2);
  speak (f, 1);
  f->conns[0].has_unread = TRUE;
  rest (f, 1500 * MS);
  g_assert_cmpint (stage_of (f, 0), ==, DETOUR_HALF_OPEN_FIRST);
  rest (f, 1500 * MS);
  g_assert_cmpint (stage_of (f, 0), ==, DETOUR_HALF_OPEN_NONE);
  fixture_free (f);
}

/* Of one address the last goes first, and an address with fewer places before one with more. */
static void
test_order_of_service (void)
{
  Fixture *f = fixture_new (3, 0, 20);

  for (guint i = 0; i < 3; i++)
    {
      arrive (f, i, 1);
      advance (f, i, DETOUR_HALF_OPEN_BUSY);
    }
  for (guint i = 3; i < 7; i++)
    {
      arrive (f, i, i == 4 ? 2 : 1);
      speak (f, i);
    }
  detour_half_open_leave (f->backlog, &f->conns[0].place, f->now_us);
  g_assert_cmpint (stage_of (f, 4), ==, DETOUR_HALF_OPEN_FIRST);
  detour_half_open_leave (f->backlog, &f->conns[1].place, f->now_us);
  g_assert_cmpint (stage_of (f, 6), ==, DETOUR_HALF_OPEN_FIRST);
  detour_half_open_leave (f->backlog, &f->conns[2].place, f->now_us);
  g_assert_cmpint (stage_of (f, 5), ==, DETOUR_HALF_OPEN_FIRST);
  g_assert_cmpint (stage_of (f, 3), ==, DETOUR_HALF_OPEN_WAITING);
  fixture_free (f);
}

/* An address that has many more places than another gives one after a second of rest. */
static void
test_fair_shares (void)
{
  Fixture *f = fixture_new (3, 0, 20);

  for (guint i = 0; i < 3; i++)
    {
      arrive (f, i, i == 2 ? 2 : 1);
      advance (f, i, DETOUR_HALF_OPEN_LATER);
    }
  arrive (f, 3, 3);
  speak (f, 3);
  arrive (f, 4, 2);
  speak (f, 4);
  rest (f, 999 * MS);
  g_assert_cmpint (stage_of (f, 3), ==, DETOUR_HALF_OPEN_WAITING);
  rest (f, 1 * MS);
  g_assert_cmpint (stage_of (f, 0), ==, DETOUR_HALF_OPEN_NONE);
  g_assert_cmpint (stage_of (f, 3), ==, DETOUR_HALF_OPEN_FIRST);
  /* Now all have one. */
  g_assert_cmpint (stage_of (f, 4), ==, DETOUR_HALF_OPEN_WAITING);
  fixture_free (f);
}

/* So does one whose logins wait for the admission, but no address loses its only place. */
static void
test_fair_shares_of_busy_ones (void)
{
  Fixture *f = fixture_new (4, 0, 20);

  for (guint i = 0; i < 4; i++)
    {
      arrive (f, i, i == 3 ? 2 : 1);
      advance (f, i, DETOUR_HALF_OPEN_BUSY);
    }
  for (guint i = 4; i < 7; i++)
    {
      arrive (f, i, i - 1);
      speak (f, i);
    }
  rest (f, 999 * MS);
  g_assert_cmpuint (detour_half_open_n_waiting (f->backlog), ==, 3);
  rest (f, 1 * MS);
  g_assert_cmpuint (detour_half_open_n_waiting (f->backlog), ==, 1);
  g_assert_cmpint (stage_of (f, 2), ==, DETOUR_HALF_OPEN_BUSY);
  g_assert_cmpint (stage_of (f, 3), ==, DETOUR_HALF_OPEN_BUSY);
  fixture_free (f);
}

/* When too many wait, the longest of the address with the most of them goes. */
static void
test_waiting_room (void)
{
  Fixture *f = fixture_new (1, 0, 4);

  arrive (f, 0, 1);
  advance (f, 0, DETOUR_HALF_OPEN_BUSY);
  arrive (f, 1, 2);
  for (guint i = 2; i < 5; i++)
    {
      f->now_us += 10 * MS;
      arrive (f, i, 3);
      if (i == 3)
        speak (f, i);
    }
  for (guint i = 5; i < 7; i++)
    {
      f->now_us += 10 * MS;
      arrive (f, i, 4);
    }
  for (guint i = 0; i < 7; i++)
    g_assert_cmpint (stage_of (f, i) == DETOUR_HALF_OPEN_NONE, ==, i == 2 || i == 3);
  fixture_free (f);
}

static void
test_limits_change (void)
{
  Fixture *f = fixture_new (1, 0, 9);

  for (guint i = 0; i < 5; i++)
    {
      arrive (f, i, i);
      speak (f, i);
    }
  detour_half_open_set_limits (f->backlog, &(DetourHalfOpenLimits) { 3, 0, 1 }, f->now_us);
  g_assert_cmpuint (detour_half_open_n_places (f->backlog), ==, 3);
  g_assert_cmpuint (detour_half_open_n_waiting (f->backlog), ==, 1);
  g_assert_cmpuint (detour_half_open_count (f->backlog, DETOUR_HALF_OPEN_FIRST), ==, 3);
  detour_half_open_set_limits (f->backlog, &(DetourHalfOpenLimits) { 1, 0, 1 }, f->now_us);
  g_assert_cmpuint (detour_half_open_n_places (f->backlog), ==, 1);
  fixture_free (f);
}

static void
test_places_above_a_limit (void)
{
  Fixture *f = fixture_new (9, 0, 9);

  for (guint i = 0; i < 6; i++)
    {
      f->now_us += 10 * MS;
      arrive (f, i, i < 4 ? 1 : 2);
      speak (f, i);
    }
  advance (f, 4, DETOUR_HALF_OPEN_BUSY);
  advance (f, 3, DETOUR_HALF_OPEN_ANSWERED);
  f->conns[0].has_unread = TRUE;
  /* The one that was answered, then those that rest longest; not the one that is read late. */
  detour_half_open_set_limits (f->backlog, &(DetourHalfOpenLimits) { 4, 0, 9 }, f->now_us);
  for (guint i = 0; i < 6; i++)
    g_assert_cmpint (stage_of (f, i) == DETOUR_HALF_OPEN_NONE, ==, i == 3 || i == 1);
  detour_half_open_set_limits (f->backlog, &(DetourHalfOpenLimits) { 4, 1, 9 }, f->now_us);
  for (guint i = 0; i < 6; i++)
    g_assert_cmpint (stage_of (f, i) == DETOUR_HALF_OPEN_NONE, ==, i != 0 && i != 4);
  fixture_free (f);
}

static void
test_no_room (void)
{
  Fixture *f = fixture_new (9, 0, 9);

  arrive (f, 0, 1);
  speak (f, 0);
  f->is_short_of_room = TRUE;
  g_assert_false (arrive (f, 1, 2));
  speak (f, 1);
  g_assert_cmpint (stage_of (f, 1), ==, DETOUR_HALF_OPEN_WAITING);
  rest (f, G_USEC_PER_SEC);
  g_assert_cmpint (stage_of (f, 0), ==, DETOUR_HALF_OPEN_NONE);
  g_assert_cmpint (stage_of (f, 1), ==, DETOUR_HALF_OPEN_FIRST);
  fixture_free (f);
}

/* The owner of an evicted connection may go on for a moment before it hears of it. */
static void
test_evicted_ones_are_let_be (void)
{
  Fixture *f = fixture_new (1, 0, 0);

  arrive (f, 0, 1);
  g_assert_false (arrive (f, 1, 2));
  g_assert_cmpuint (f->conns[1].evicted, ==, 1);
  advance (f, 1, DETOUR_HALF_OPEN_WAITING);
  detour_half_open_told (f->backlog, &f->conns[1].place, f->now_us);
  detour_half_open_heard (f->backlog, &f->conns[1].place, f->now_us);
  detour_half_open_leave (f->backlog, &f->conns[1].place, f->now_us);
  g_assert_cmpint (stage_of (f, 1), ==, DETOUR_HALF_OPEN_NONE);
  check (f);
  fixture_free (f);
}

static gboolean
rename_to (Fixture *f, guint i, guint address)
{
  DetourAddressKey key = key_of (address);

  if (!detour_half_open_rename (f->backlog, &f->conns[i].place, &key, f->now_us))
    return FALSE;
  f->conns[i].address = address;
  return TRUE;
}

/* A proxy has no share of its own; its connections count for a client once it has named one. */
static void
test_another_address (void)
{
  Fixture *f = fixture_new (0, 2, 4);

  for (guint i = 0; i < 5; i++)
    g_assert_true (arrive (f, i, 0));
  check (f);
  g_assert_true (rename_to (f, 0, 1));
  g_assert_true (rename_to (f, 1, 1));
  check (f);
  speak (f, 0);
  speak (f, 1);
  g_assert_false (rename_to (f, 2, 1));
  g_assert_cmpint (stage_of (f, 2), ==, DETOUR_HALF_OPEN_SILENT);
  check (f);
  /* Those of the address that rest give way to it. */
  rest (f, 2 * G_USEC_PER_SEC);
  g_assert_true (rename_to (f, 2, 1));
  g_assert_cmpuint (f->conns[0].evicted, ==, 1);
  check (f);
  /* Nothing happens to one that was evicted, nor to one that has that address. */
  g_assert_true (rename_to (f, 2, 1));
  g_assert_true (detour_half_open_rename (f->backlog, &f->conns[0].place,
                                          &(DetourAddressKey) { 9, 0 }, f->now_us));
  g_assert_cmpint (stage_of (f, 0), ==, DETOUR_HALF_OPEN_NONE);
  /* The last one of an address takes it along, and a client of the same address waits. */
  g_assert_true (rename_to (f, 3, 2));
  g_assert_true (rename_to (f, 4, 2));
  g_assert_false (arrive (f, 5, 2));
  check (f);
  fixture_free (f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/half-open/random-histories", test_random_histories);
  g_test_add_func ("/half-open/patience", test_patience);
  g_test_add_func ("/half-open/silence-takes-no-place", test_silence_takes_no_place);
  g_test_add_func ("/half-open/dripping-is-resting", test_dripping_is_resting);
  g_test_add_func ("/half-open/unread-bytes-are-no-rest", test_unread_bytes_are_no_rest);
  g_test_add_func ("/half-open/order-of-service", test_order_of_service);
  g_test_add_func ("/half-open/fair-shares", test_fair_shares);
  g_test_add_func ("/half-open/fair-shares-of-busy-ones", test_fair_shares_of_busy_ones);
  g_test_add_func ("/half-open/waiting-room", test_waiting_room);
  g_test_add_func ("/half-open/limits-change", test_limits_change);
  g_test_add_func ("/half-open/places-above-a-limit", test_places_above_a_limit);
  g_test_add_func ("/half-open/no-room", test_no_room);
  g_test_add_func ("/half-open/another-address", test_another_address);
  g_test_add_func ("/half-open/evicted-ones-are-let-be", test_evicted_ones_are_let_be);
  return g_test_run ();
}
