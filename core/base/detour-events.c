/* detour-events.c: what happened to whom: the latest small events, for `detourctl why` and
 * `detourctl monitor`.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-events.h"

#include "detour-event-ring.h"
#include "detour-event-shares.h"
#include "detour-lazy.h"

/* Where nobody has said how much: programs of tests. */
#define SIZE_DEFAULT (64u * 1024)
#define SIZE_MIN     (16u * 1024)
/* Of a text, with its end. */
#define TEXT_MAX 240u
/* Keys whose last verdict is found at once; of the others a repeated one is an event again. */
#define SLOTS 4096u

/* Records of the rings. The texts follow, each with its end. */
typedef struct {
  guint64 number;
  gint64 first_us, last_us;
  guint32 count;
  guint8 kind, result, flags;
  guint8 has_key;
  DetourKey key;
} Record;

enum { ADDRESS, SOURCE, LABEL, CLASS, TENANT, TEXT, N_TEXTS };

/* The last verdict on a key, wherever it is. */
typedef struct {
  guint64 place_1; /* its place + 1; 0: none */
  guint8 ring;
} Slot;

static const char *const kind_names[DETOUR_EVENT_N_KINDS] = {
  [DETOUR_EVENT_JOIN] = "join",
  [DETOUR_EVENT_GONE] = "gone",
  [DETOUR_EVENT_ADMITTED] = "admitted",
  [DETOUR_EVENT_REFUSED] = "refused",
  [DETOUR_EVENT_DUPLICATE] = "duplicate",
  [DETOUR_EVENT_DROPS] = "drops",
  [DETOUR_EVENT_SLOWED] = "slowed",
  [DETOUR_EVENT_SUSPECT] = "suspect",
  [DETOUR_EVENT_KICK] = "kick",
  [DETOUR_EVENT_BAN] = "ban",
  [DETOUR_EVENT_UNBAN] = "unban",
  [DETOUR_EVENT_CLASS] = "class",
  [DETOUR_EVENT_TENANT] = "tenant",
  [DETOUR_EVENT_BUDGET] = "budget",
  [DETOUR_EVENT_SAY] = "say",
  [DETOUR_EVENT_SOURCE] = "source",
  [DETOUR_EVENT_RELOAD] = "reload",
  [DETOUR_EVENT_DRAIN] = "drain",
  [DETOUR_EVENT_LINK] = "link",
};

/* Refusals have one of their own. */
enum { OTHERS, REFUSALS, N_RINGS };

/* One in a process, like the log: whoever notes something has nothing to hand on. */
static struct {
  GMutex lock;
  GCond news;
  gboolean is_there, is_off;
  DetourEventRing rings[N_RINGS];
  DetourEventShare *shares; /* of the ring of refusals */
  Slot *slots;              /* of SLOTS; a place that was overwritten is none */
  guint64 last;
  guint n_waiting;
} events;

const char *
detour_event_kind_name (DetourEventKind kind)
{
  return kind_names[kind];
}

gboolean
detour_event_kind_from_name (const char *name, DetourEventKind *kind)
{
  for (guint i = 0; i < DETOUR_EVENT_N_KINDS; i++)
    if (strcmp (kind_names[i], name) == 0)
      {
        *kind = (DetourEventKind) i;
        return TRUE;
      }
  return FALSE;
}

/* Memory --------------------------------------------------------------------------------------- */

/* With the lock, as all that follows up to the calls. */
static void
events_drop (void)
{
  for (guint i = 0; i < N_RINGS; i++)
    detour_event_ring_clear (&events.rings[i]);
  detour_lazy_free (events.slots, SLOTS * sizeof (Slot));
  events.slots = NULL;
  detour_lazy_free (events.shares, DETOUR_EVENT_SHARES * sizeof (DetourEventShare));
  events.shares = NULL;
  events.is_there = FALSE;
}

static void
events_make (gsize n_bytes)
{
  gsize quarter = MAX (n_bytes, SIZE_MIN) / 32 * 8;

  detour_event_ring_init (&events.rings[REFUSALS], quarter);
  detour_event_ring_init (&events.rings[OTHERS], 3 * quarter);
  events.slots = detour_lazy_new (SLOTS * sizeof (Slot));
  events.shares = detour_lazy_new (DETOUR_EVENT_SHARES * sizeof (DetourEventShare));
  events.is_there = TRUE;
}

void
detour_events_init (gsize n_bytes)
{
  g_mutex_lock (&events.lock);
  events_drop ();
  events.is_off = n_bytes == 0;
  if (!events.is_off)
    events_make (n_bytes);
  g_mutex_unlock (&events.lock);
}

void
detour_events_clear (void)
{
  g_mutex_lock (&events.lock);
  events_drop ();
  g_mutex_unlock (&events.lock);
}

/* Writing -------------------------------------------------------------------------------------- */

static const char *
events_text (const Record *record, guint index)
{
  const char *text = (const char *) (record + 1);

  for (guint i = 0; i < index; i++)
    text += strlen (text) + 1;
  return text;
}

static gboolean
events_is_verdict (DetourEventKind kind)
{
  return kind == DETOUR_EVENT_ADMITTED || kind == DETOUR_EVENT_REFUSED;
}

/* NULL where it is no verdict. */
static Slot *
events_slot (const DetourEvent *event)
{
  guint64 hash;

  if (!events_is_verdict (event->kind) || event->key == NULL)
    return NULL;
  memcpy (&hash, event->key->bytes, sizeof hash);
  return &events.slots[hash % SLOTS];
}

/* Whether @record, the last verdict on its key, says what @event says. A quiet one does not say
 * from where it was asked for, nor how it came about. */
static gboolean
events_repeats (const Record *record, const DetourEvent *event, const char *const *texts)
{
  if (!detour_key_equal (&record->key, event->key) || record->kind != event->kind
      || record->result != event->result
      || (!event->is_quiet && ((record->flags ^ event->flags) & ~event->minor) != 0))
    return FALSE;
  for (guint i = event->is_quiet ? SOURCE : ADDRESS; i < N_TEXTS; i++)
    if (strncmp (events_text (record, i), texts[i], TEXT_MAX - 8) != 0)
      return FALSE;
  return TRUE;
}

/* Whether @event, which only repeats what is known, has another label or class for a key. Another
 * source is nothing: when one of them is down, all verdicts are of another one. */
static gboolean
events_tells_more (const Record *record, const DetourEvent *event, const char *const *texts)
{
  if (record == NULL || !detour_key_equal (&record->key, event->key) || record->kind != event->kind
      || record->result != event->result)
    return FALSE;
  for (guint i = LABEL; i <= CLASS; i++)
    if (strncmp (events_text (record, i), texts[i], TEXT_MAX - 8) != 0)
      return TRUE;
  return FALSE;
}

static Record *
events_find_last (const Slot *slot)
{
  return slot != NULL && slot->place_1 != 0
           ? detour_event_ring_get (&events.rings[slot->ring], slot->place_1 - 1)
           : NULL;
}

/* The record that is counted on. */
static Record *
events_find_repeated (const Slot *slot, const DetourEvent *event, const char *const *texts)
{
  Record *record = events_find_last (slot);

  return record != NULL
              && detour_event_ring_is_recent (&events.rings[slot->ring], slot->place_1 - 1)
              && events_repeats (record, event, texts)
           ? record
           : NULL;
}

static gsize
events_text_size (const char *text)
{
  gsize len = strlen (text);

  if (len < TEXT_MAX)
    return len + 1;
  /* No character is cut in two. */
  return (gsize) (g_utf8_find_prev_char (text, text + TEXT_MAX - 1) - text) + 1;
}

static gsize
events_record_size (const char *const *texts)
{
  gsize size = sizeof (Record);

  for (guint i = 0; i < N_TEXTS; i++)
    size += events_text_size (texts[i]);
  return size;
}

static guint32
events_times (const DetourEvent *event)
{
  return MAX (event->count, 1);
}

/* Returns the place of the record. */
static guint64
events_write (Slot *slot, const DetourEvent *event, const char *const *texts, gint64 now_us)
{
  guint index = event->kind == DETOUR_EVENT_REFUSED ? REFUSALS : OTHERS;
  guint64 place;
  Record *record;
  char *at;

  record = detour_event_ring_add (&events.rings[index], events_record_size (texts), &place);
  *record = (Record) {
    .number = ++events.last,
    .first_us = event->first_us != 0 ? event->first_us : now_us,
    .last_us = event->last_us != 0 ? event->last_us : now_us,
    .count = events_times (event),
    .kind = (guint8) event->kind,
    .result = event->result,
    .flags = event->flags,
    .has_key = event->key != NULL,
  };
  if (event->key != NULL)
    record->key = *event->key;
  at = (char *) (record + 1);
  for (guint i = 0; i < N_TEXTS; i++)
    {
      gsize n = events_text_size (texts[i]);

      memcpy (at, texts[i], n - 1);
      at[n - 1] = '\0';
      at += n;
    }
  if (slot != NULL)
    *slot = (Slot) { place + 1, (guint8) index };
  return place;
}

/* Counts on; TRUE: whoever follows hears of it: of the 2nd, 4th, 8th time. What the program before
 * had counted may be older than @record. */
static gboolean
events_count (Record *record, const DetourEvent *event, gint64 now_us)
{
  gboolean is_carried = event->count > 0;
  guint before = g_bit_storage (record->count);

  if (is_carried && event->first_us != 0)
    record->first_us = MIN (record->first_us, event->first_us);
  record->last_us = is_carried ? MAX (record->last_us, now_us) : now_us;
  record->count += MIN (events_times (event), G_MAXUINT32 - record->count);
  if (g_bit_storage (record->count) == before)
    return FALSE;
  record->number = ++events.last;
  return TRUE;
}

/* Clients from one address that are refused under ever new keys: those beyond its share of the
 * memory are only counted, in one record without a key. */
static gboolean
events_count_rest (DetourEventShare *share, const DetourEvent *event, const char *const *texts,
                   gint64 now_us)
{
  const char *rest[N_TEXTS] = {
    [ADDRESS] = texts[ADDRESS],
    [SOURCE] = texts[SOURCE],
    [LABEL] = "",
    [CLASS] = "",
    [TENANT] = "",
    [TEXT] = "more clients from this address than are listed",
  };
  Record *record = share->rest_1 != 0
                     ? detour_event_ring_get (&events.rings[REFUSALS], share->rest_1 - 1)
                     : NULL;
  DetourEvent counted = { .kind = event->kind, .result = event->result, .count = event->count };

  if (record != NULL)
    return events_count (record, event, now_us);
  share->rest_1 = events_write (NULL, &counted, rest, now_us) + 1;
  return TRUE;
}

/* FALSE: nobody hears of it. */
static gboolean
events_write_new (Slot *slot, const DetourEvent *event, const char *const *texts, gint64 now_us)
{
  DetourEventRing *ring = &events.rings[REFUSALS];
  DetourEventShare *share = event->kind == DETOUR_EVENT_REFUSED
                              ? detour_event_share_find (events.shares, ring, event->address)
                              : NULL;

  if (share != NULL && !detour_event_share_take (share, ring, events_record_size (texts)))
    return events_count_rest (share, event, texts, now_us);
  events_write (slot, event, texts, now_us);
  return TRUE;
}

static void
events_put (const DetourEvent *event, const char *const *texts, gint64 now_us)
{
  Slot *slot = events_slot (event);
  Record *record = events_find_repeated (slot, event, texts);

  if (record == NULL && event->is_quiet
      && !events_tells_more (events_find_last (slot), event, texts))
    return;
  if (record != NULL)
    {
      record->flags = (guint8) ((record->flags & ~event->minor) | (event->flags & event->minor));
      if (event->is_quiet)
        {
          record->last_us = now_us;
          record->count++;
          return;
        }
      if (!events_count (record, event, now_us))
        return;
    }
  else if (!events_write_new (slot, event, texts, now_us))
    return;
  if (events.n_waiting > 0)
    g_cond_broadcast (&events.news);
}

void
detour_events_add (const DetourEvent *event)
{
  const char *texts[N_TEXTS] = {
    [ADDRESS] = event->address, [SOURCE] = event->source, [LABEL] = event->label,
    [CLASS] = event->class_,    [TENANT] = event->tenant, [TEXT] = event->text,
  };
  gint64 now_us = event->last_us != 0 ? event->last_us : g_get_real_time ();

  g_assert (event->kind < DETOUR_EVENT_N_KINDS);
  for (guint i = 0; i < N_TEXTS; i++)
    if (texts[i] == NULL)
      texts[i] = "";
  g_mutex_lock (&events.lock);
  if (!events.is_off)
    {
      if (!events.is_there)
        events_make (SIZE_DEFAULT);
      events_put (event, texts, now_us);
    }
  g_mutex_unlock (&events.lock);
}

void
detour_events_note (DetourEventKind kind, const DetourKey *key, const char *address,
                    const char *source, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  /* Whole: where a long one is cut, no character may be. */
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  detour_events_add (&(DetourEvent) {
      .kind = kind, .key = key, .address = address, .source = source, .text = text });
}

/* Reading -------------------------------------------------------------------------------------- */

/* An event with all that it points to. */
typedef struct {
  DetourEvent event;
  DetourKey key;
  char texts[];
} Copy;

DetourEvent *
detour_event_copy (const DetourEvent *event)
{
  const char *const texts[N_TEXTS] = {
    [ADDRESS] = event->address, [SOURCE] = event->source, [LABEL] = event->label,
    [CLASS] = event->class_,    [TENANT] = event->tenant, [TEXT] = event->text,
  };
  const char *copied[N_TEXTS] = { NULL };
  gsize n = 0;
  Copy *copy;
  char *at;

  for (guint i = 0; i < N_TEXTS; i++)
    n += texts[i] != NULL ? strlen (texts[i]) + 1 : 0;
  copy = g_malloc (sizeof *copy + n);
  at = copy->texts;
  for (guint i = 0; i < N_TEXTS; i++)
    if (texts[i] != NULL)
      {
        copied[i] = at;
        at = g_stpcpy (at, texts[i]) + 1;
      }
  copy->event = *event;
  if (event->key != NULL)
    {
      copy->key = *event->key;
      copy->event.key = &copy->key;
    }
  copy->event.address = copied[ADDRESS];
  copy->event.source = copied[SOURCE];
  copy->event.label = copied[LABEL];
  copy->event.class_ = copied[CLASS];
  copy->event.tenant = copied[TENANT];
  copy->event.text = copied[TEXT];
  return &copy->event;
}

/* NULL where there is none. */
static const char *
events_text_or_null (const Record *record, guint index)
{
  const char *text = events_text (record, index);

  return *text != '\0' ? text : NULL;
}

static DetourEvent *
events_copy (const Record *record)
{
  return detour_event_copy (&(DetourEvent) {
      .kind = (DetourEventKind) record->kind,
      .key = record->has_key ? &record->key : NULL,
      .address = events_text_or_null (record, ADDRESS),
      .source = events_text_or_null (record, SOURCE),
      .label = events_text_or_null (record, LABEL),
      .class_ = events_text_or_null (record, CLASS),
      .tenant = events_text_or_null (record, TENANT),
      .text = events_text_or_null (record, TEXT),
      .result = record->result,
      .flags = record->flags,
      .number = record->number,
      .first_us = record->first_us,
      .last_us = record->last_us,
      .count = record->count,
  });
}

static void
events_read_ring (const DetourEventRing *ring, guint64 after, const DetourKey *key, GPtrArray *out)
{
  guint64 place;

  for (Record *record = detour_event_ring_first (ring, &place); record != NULL;
       record = detour_event_ring_after (ring, &place))
    if (record->number > after
        && (key == NULL || (record->has_key && detour_key_equal (&record->key, key))))
      g_ptr_array_add (out, events_copy (record));
}

static int
events_compare (gconstpointer a, gconstpointer b)
{
  guint64 number_a = (*(const DetourEvent *const *) a)->number;
  guint64 number_b = (*(const DetourEvent *const *) b)->number;

  return number_a < number_b ? -1 : number_a > number_b ? 1 : 0;
}

GPtrArray *
detour_events_read (guint64 after, const DetourKey *key)
{
  GPtrArray *out = g_ptr_array_new_with_free_func (g_free);

  g_mutex_lock (&events.lock);
  for (guint i = 0; events.is_there && after < events.last && i < N_RINGS; i++)
    events_read_ring (&events.rings[i], after, key, out);
  g_mutex_unlock (&events.lock);
  g_ptr_array_sort (out, events_compare);
  return out;
}

guint64
detour_events_last (void)
{
  guint64 last;

  g_mutex_lock (&events.lock);
  last = events.last;
  g_mutex_unlock (&events.lock);
  return last;
}

void
detour_events_wait (guint64 after, const gboolean *stop, gint64 until_us)
{
  gboolean in_time = TRUE;

  g_mutex_lock (&events.lock);
  events.n_waiting++;
  while (events.last <= after && !*stop && in_time)
    if (until_us != 0)
      in_time = g_cond_wait_until (&events.news, &events.lock, until_us);
    else
      g_cond_wait (&events.news, &events.lock);
  events.n_waiting--;
  g_mutex_unlock (&events.lock);
}

void
detour_events_wake (gboolean *stop)
{
  g_mutex_lock (&events.lock);
  *stop = TRUE;
  g_cond_broadcast (&events.news);
  g_mutex_unlock (&events.lock);
}
