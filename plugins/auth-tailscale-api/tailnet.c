/* tailnet.c: the devices of one tailnet, as its API lists them: when it is asked, and how long its
 * list is believed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tailnet.h"

#include "device-store.h"
#include "list-reader.h"
#include "list-trust.h"
#include "poll-schedule.h"

#include <string.h>

/* A list that did not change is written again, so that its age is known after a start. */
#define KEEP_EVERY_US (15 * G_TIME_SPAN_MINUTE)
/* Keys that nobody has, for which the API is not asked again soon. */
#define STRANGERS_MAX 4096u
#define STRANGER_US   G_TIME_SPAN_MINUTE
/* The wall clock may be set, so it is looked at from time to time. */
#define WALL_LOOK_US G_TIME_SPAN_HOUR

#define UNKNOWN "no device of the tailnet has this key"

/* A client that waits for a newer list. */
typedef struct {
  guint8 key[DETOUR_KEY_SIZE];
  gpointer call;
  gint64 asked_us;
} Waiter;

struct _Tailnet {
  const char *instance;
  TailnetSetup setup;
  char *place;
  TailnetFuncs funcs;
  gpointer user;
  ApiCredential *credential;
  ApiFetch *fetch;
  ListReader *reader;
  GSource *clock;
  PollSchedule schedule;
  gboolean is_busy;
  gboolean is_wanted; /* a key was unknown, and no list was to be had soon enough */

  ListTrust trust;
  gint64 elapsed_us; /* of the last fetch */
  char *failure;     /* why the last fetch gave no list; NULL: it did */
  char *keep_failure;
  gboolean is_keeping;
  gint64 kept_us;        /* when a list was handed over to be kept; 0: never */
  guint n_skipped;       /* entries of the last list */
  GQueue waiting;        /* of Waiter, the oldest first */
  GHashTable *strangers; /* key to gint64, when it was found to be nobody's */
};

static void tailnet_wind (Tailnet *self);

/* Judging ------------------------------------------------------------------------------------- */

static gint64
tailnet_now (void)
{
  return g_get_real_time () / G_USEC_PER_SEC;
}

/* What the list says. @text: (out): owns the reason when it was made for this */
static void
tailnet_judge (const Tailnet *self, const guint8 *key, gint64 now_us, TailnetAnswer *answer,
               char **text)
{
  const Device *device = NULL;
  DeviceStanding standing;

  *text = NULL;
  *answer = (TailnetAnswer) { .result = DETOUR_AUTH_UNAVAILABLE };
  if (!list_trust_holds (&self->trust, now_us))
    {
      *text = g_strdup_printf ("%s%s%s",
                               self->trust.table == NULL ? "there is no list of devices yet"
                                                         : "the list of devices is too old",
                               self->failure != NULL ? ": " : "",
                               self->failure != NULL ? self->failure : "");
      answer->reason = *text;
      return;
    }
  device = list_trust_find (&self->trust, key, tailnet_now ());
  standing = device != NULL ? device_standing (device, self->setup.tags, tailnet_now ())
                            : DEVICE_WELCOME;
  if (device != NULL && standing == DEVICE_WELCOME)
    {
      *answer = (TailnetAnswer) { DETOUR_AUTH_ALLOW, device, NULL };
      return;
    }
  if (device != NULL)
    {
      /* So the API said, and what it did not say since then is not known of any device. */
      *answer = (TailnetAnswer) { DETOUR_AUTH_DENY, device, device_standing_reason (standing) };
      return;
    }
  answer->reason = UNKNOWN;
  if (self->failure != NULL || !list_trust_is_sure (&self->trust))
    {
      *text = g_strdup_printf (UNKNOWN ", says a list that may be out of date%s%s",
                               self->failure != NULL ? ": " : "",
                               self->failure != NULL ? self->failure : "");
      answer->reason = *text;
    }
  else
    answer->result = DETOUR_AUTH_DENY;
}

static void
tailnet_note_stranger (Tailnet *self, const guint8 *key, gint64 now_us)
{
  if (g_hash_table_size (self->strangers) >= STRANGERS_MAX)
    g_hash_table_remove_all (self->strangers);
  g_hash_table_replace (self->strangers, g_memdup2 (key, DETOUR_KEY_SIZE),
                        g_memdup2 (&now_us, sizeof now_us));
}

/* The last word, without another fetch. */
static void
tailnet_answer (Tailnet *self, const guint8 *key, gpointer call, gint64 now_us, gboolean is_late)
{
  g_autofree char *text = NULL;
  TailnetAnswer answer;

  tailnet_judge (self, key, now_us, &answer, &text);
  if (answer.result == DETOUR_AUTH_DENY)
    {
      if (is_late && answer.device == NULL)
        answer = (TailnetAnswer) { DETOUR_AUTH_UNAVAILABLE, NULL,
                                   "the API did not give a newer list in time" };
      else
        tailnet_note_stranger (self, key, now_us);
    }
  self->funcs.answer (self->user, call, &answer);
}

/* Those that wait ------------------------------------------------------------------------------ */

static void
tailnet_settle (Tailnet *self, Waiter *waiter, gint64 now_us, gboolean is_late)
{
  g_queue_remove (&self->waiting, waiter);
  tailnet_answer (self, waiter->key, waiter->call, now_us, is_late);
  g_free (waiter);
}

/* There is another list, or there is none for now. Gives how many there were, and how many of them
 * are welcome. */
static void
tailnet_settle_waiting (Tailnet *self, gint64 now_us, guint *n_missed, guint *n_found)
{
  GList *next;

  *n_missed = *n_found = 0;
  for (GList *link = self->waiting.head; link != NULL; link = next)
    {
      Waiter *waiter = link->data;
      g_autofree char *text = NULL;
      TailnetAnswer answer;

      next = link->next;
      tailnet_judge (self, waiter->key, now_us, &answer, &text);
      ++*n_missed;
      *n_found += answer.result == DETOUR_AUTH_ALLOW;
      /* One who came after the fetch had begun waits for the next one. */
      if (answer.result == DETOUR_AUTH_DENY && waiter->asked_us > self->schedule.begun_us)
        continue;
      tailnet_settle (self, waiter, now_us, FALSE);
    }
}

void
tailnet_ask (Tailnet *self, const guint8 *key, gpointer call)
{
  gint64 now_us = g_get_monotonic_time ();
  const gint64 *stranger = g_hash_table_lookup (self->strangers, key);
  g_autofree char *text = NULL;
  TailnetAnswer answer;
  Waiter *waiter;

  tailnet_judge (self, key, now_us, &answer, &text);
  if (answer.result == DETOUR_AUTH_ALLOW || (stranger != NULL && now_us - *stranger < STRANGER_US))
    {
      tailnet_answer (self, key, call, now_us, FALSE);
      return;
    }
  if (!self->is_busy && poll_schedule_miss_us (&self->schedule) > now_us + TAILNET_HOLD_US)
    {
      /* The next list comes too late for this answer, but in time for a client that is held. */
      poll_schedule_want (&self->schedule);
      self->is_wanted = TRUE;
      self->funcs.answer (self->user, call, &answer);
      tailnet_wind (self);
      return;
    }
  waiter = g_new0 (Waiter, 1);
  memcpy (waiter->key, key, DETOUR_KEY_SIZE);
  waiter->call = call;
  waiter->asked_us = now_us;
  g_queue_push_tail (&self->waiting, waiter);
  tailnet_wind (self);
}

/* How it is ------------------------------------------------------------------------------------ */

static char *
tailnet_format_time (gint64 monotonic_us)
{
  gint64 real_us = g_get_real_time () + monotonic_us - g_get_monotonic_time ();
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_local (real_us / G_USEC_PER_SEC);

  return time != NULL ? g_date_time_format (time, "%Y-%m-%d %H:%M") : g_strdup ("?");
}

static char *
tailnet_describe_failure (const Tailnet *self)
{
  gint64 now_us = g_get_monotonic_time ();
  g_autofree char *listed = NULL;
  g_autofree char *until = NULL;

  if (self->trust.table == NULL)
    return g_strdup_printf ("%s. There is no list of devices yet, so it lets nobody in",
                            self->failure);
  listed = tailnet_format_time (self->trust.listed_us);
  if (!list_trust_holds (&self->trust, now_us))
    return g_strdup_printf ("%s. The list of %s is older than grace, so it lets nobody in",
                            self->failure, listed);
  until = tailnet_format_time (self->trust.listed_us + self->setup.grace_us);
  return g_strdup_printf ("%s. The list of %s with %u devices is in force until %s", self->failure,
                          listed, device_table_size (self->trust.table), until);
}

static void
tailnet_tell (Tailnet *self)
{
  g_autofree char *summary = NULL;
  g_autofree char *trouble = NULL;
  const char *cause = NULL;

  if (self->trust.table == NULL)
    summary = g_strdup ("no list of devices yet");
  else
    summary = g_strdup_printf ("%u devices, listed in %" G_GINT64_FORMAT " ms",
                               device_table_size (self->trust.table), self->elapsed_us / 1000);
  if (self->failure != NULL)
    {
      trouble = tailnet_describe_failure (self);
      cause = list_trust_holds (&self->trust, g_get_monotonic_time ()) ? self->failure : trouble;
    }
  else if (self->trust.doubtful != NULL)
    {
      cause = "most devices are gone from the list";
      trouble = g_strdup_printf (
          "%s lists %u devices, of %u before: the list before is in force, too, until it has said "
          "so %u times. If that is right, `detourctl reload` believes it now",
          api_fetch_host (self->fetch), device_table_size (self->trust.doubtful),
          device_table_size (self->trust.table), LIST_TRUST_TIMES);
    }
  else if (self->trust.table != NULL && self->trust.is_proven
           && device_table_size (self->trust.table) == 0)
    cause = trouble = g_strdup_printf ("%s lists no device, so it lets nobody in",
                                       api_fetch_host (self->fetch));
  else if (self->keep_failure != NULL)
    cause = trouble = g_strdup_printf (
        "the list cannot be kept, and after a start without the API nobody is known: %s",
        self->keep_failure);
  self->funcs.state (self->user, summary, trouble, cause);
}

/* Lists --------------------------------------------------------------------------------------- */

static void
tailnet_keep (Tailnet *self, gint64 now_us, gboolean is_changed)
{
  if (self->is_keeping
      || (!is_changed && self->kept_us != 0 && now_us - self->kept_us < KEEP_EVERY_US))
    return;
  self->is_keeping = TRUE;
  self->kept_us = now_us;
  list_reader_keep (self->reader, self->trust.table, tailnet_now ());
}

static void
tailnet_on_kept (const GError *error, gpointer user)
{
  Tailnet *self = user;

  self->is_keeping = FALSE;
  g_clear_pointer (&self->keep_failure, g_free);
  if (error != NULL)
    {
      self->keep_failure = g_strdup (error->message);
      self->kept_us = 0;
    }
  tailnet_tell (self);
}

static void
tailnet_log_change (Tailnet *self, const ListReading *reading, guint n_before)
{
  const DeviceChange *change = &reading->change;

  g_log_structured (
      G_LOG_DOMAIN, n_before == 0 ? G_LOG_LEVEL_MESSAGE : G_LOG_LEVEL_INFO, DETOUR_LOG_EVENT,
      "devices-changed", DETOUR_LOG_INSTANCE, self->instance, "MESSAGE",
      "%s: %u devices, %u before: %u new keys, %u gone, %u of them of devices that logged "
      "in anew, %u altered",
      self->instance, device_table_size (reading->table), n_before, change->added, change->removed,
      change->rekeyed, change->altered);
}

static void
tailnet_note_skipped (Tailnet *self, guint n_skipped)
{
  if (n_skipped != self->n_skipped && n_skipped > 0)
    g_warning (
        "%s: %u entries of the list of %s cannot be read, and are left out: they have no node "
        "key, or members of wrong types",
        self->instance, n_skipped, api_fetch_host (self->fetch));
  self->n_skipped = n_skipped;
}

/* A list was read that is one. */
static void
tailnet_take (Tailnet *self, const ListReading *reading, gint64 now_us)
{
  gboolean is_changed = self->trust.table == NULL || device_change_is_any (&reading->change);
  g_autoptr (DeviceTable) before = self->trust.table != NULL ? device_table_ref (self->trust.table)
                                                             : NULL;
  guint n_before = before != NULL ? device_table_size (before) : 0;

  tailnet_note_skipped (self, reading->n_skipped);
  /* Also from a list that is doubted, since keys that are new in it are known. */
  if (self->trust.table != NULL && reading->change.rekeyed > 0)
    device_table_each_rekeyed (self->trust.table, reading->table, self->funcs.rekeyed, self->user);
  if (!list_trust_take (&self->trust, reading->table, &reading->change, self->schedule.begun_us,
                        now_us, tailnet_now ()))
    return;
  if (is_changed)
    tailnet_log_change (self, reading, n_before);
  tailnet_keep (self, now_us, is_changed);
  if (is_changed && before != NULL)
    device_table_each_unwelcome (before, self->trust.table, self->setup.tags, tailnet_now (),
                                 self->funcs.revoked, self->user);
  if (is_changed)
    self->funcs.changed (self->user);
}

static void
tailnet_fail (Tailnet *self, const char *failure, gint64 retry_us, gboolean is_refusal)
{
  gint64 now_us = g_get_monotonic_time ();
  guint n_missed, n_found;

  self->is_busy = FALSE;
  if (failure != self->failure)
    {
      g_free (self->failure);
      self->failure = g_strdup (failure);
    }
  poll_schedule_bad (&self->schedule, now_us, retry_us, is_refusal, g_random_double ());
  self->funcs.fetched (self->user, FALSE, 0, 0);
  tailnet_settle_waiting (self, now_us, &n_missed, &n_found);
  tailnet_tell (self);
  tailnet_wind (self);
}

static void
tailnet_on_read (const ListReading *reading, gpointer user)
{
  Tailnet *self = user;
  gint64 now_us = g_get_monotonic_time ();
  gboolean was_failing = self->failure != NULL || !self->trust.is_proven;
  guint n_missed, n_found;

  if (reading->table == NULL)
    {
      g_autofree char *failure = g_strdup_printf ("the answer of %s is no list of devices: %s",
                                                  api_fetch_host (self->fetch),
                                                  reading->error->message);

      tailnet_fail (self, failure, 0, FALSE);
      return;
    }
  self->is_busy = FALSE;
  self->elapsed_us += reading->elapsed_us;
  g_clear_pointer (&self->failure, g_free);
  tailnet_take (self, reading, now_us);
  tailnet_settle_waiting (self, now_us, &n_missed, &n_found);
  n_missed += self->is_wanted ? 1 : 0;
  n_found += self->is_wanted && reading->change.added > 0 ? 1 : 0;
  self->is_wanted = FALSE;
  poll_schedule_good (&self->schedule, now_us, now_us - self->schedule.begun_us, n_missed, n_found,
                      g_random_double ());
  self->funcs.fetched (self->user, TRUE, device_table_size (reading->table), self->elapsed_us);
  /* Clients that are held because nothing could be said of them. */
  if (was_failing)
    self->funcs.changed (self->user);
  tailnet_tell (self);
  tailnet_wind (self);
}

static void
tailnet_on_fetched (const ApiFetchResult *result, gpointer user)
{
  Tailnet *self = user;

  if (result->body == NULL)
    {
      tailnet_fail (self, result->trouble, result->retry_us, result->is_refusal);
      return;
    }
  self->elapsed_us = result->elapsed_us;
  list_reader_read (self->reader, result->body, result->body_len, self->trust.table);
}

/* Time ---------------------------------------------------------------------------------------- */

static gint64
tailnet_next_us (const Tailnet *self, gint64 now_us)
{
  gint64 next_us = self->is_busy ? G_MAXINT64 : self->schedule.due_us;
  gint64 left_s = self->trust.next_expiry - tailnet_now ();
  const Waiter *waiter = g_queue_peek_head ((GQueue *) &self->waiting);

  if (waiter != NULL)
    {
      next_us = MIN (next_us, waiter->asked_us + TAILNET_HOLD_US);
      if (!self->is_busy)
        next_us = MIN (next_us, poll_schedule_miss_us (&self->schedule));
    }
  if (self->trust.table != NULL && self->trust.next_expiry != G_MAXINT64)
    next_us = MIN (next_us, now_us + MIN (left_s * G_USEC_PER_SEC, WALL_LOOK_US));
  if (self->failure != NULL && list_trust_holds (&self->trust, now_us))
    next_us = MIN (next_us, self->trust.listed_us + self->setup.grace_us + 1);
  return next_us;
}

/* Sets the clock to what happens next. */
static void
tailnet_wind (Tailnet *self)
{
  g_source_set_ready_time (self->clock, tailnet_next_us (self, g_get_monotonic_time ()));
}

static gboolean
tailnet_on_clock (gpointer user)
{
  Tailnet *self = user;
  gint64 now_us = g_get_monotonic_time ();
  Waiter *waiter;

  while ((waiter = g_queue_peek_head (&self->waiting)) != NULL
         && now_us - waiter->asked_us >= TAILNET_HOLD_US)
    {
      self->is_wanted = TRUE;
      tailnet_settle (self, waiter, now_us, TRUE);
    }
  if (list_trust_has_expired (&self->trust, tailnet_now ()))
    {
      device_table_each_unwelcome (self->trust.table, self->trust.table, self->setup.tags,
                                   tailnet_now (), self->funcs.revoked, self->user);
      self->funcs.changed (self->user);
    }
  if (self->failure != NULL && !list_trust_holds (&self->trust, now_us))
    tailnet_tell (self);
  if (!self->is_busy
      && (now_us >= self->schedule.due_us
          || (self->waiting.length > 0 && now_us >= poll_schedule_miss_us (&self->schedule))))
    {
      self->is_busy = TRUE;
      poll_schedule_begin (&self->schedule, now_us);
      api_fetch_begin (self->fetch);
    }
  tailnet_wind (self);
  return G_SOURCE_CONTINUE;
}

static gboolean
tailnet_dispatch_clock (GSource *source, GSourceFunc func, gpointer user)
{
  return func (user);
}

void
tailnet_hurry (Tailnet *self)
{
  self->trust.believes_all = TRUE;
  g_hash_table_remove_all (self->strangers);
  poll_schedule_hurry (&self->schedule, g_get_monotonic_time ());
  tailnet_wind (self);
}

/* Life ---------------------------------------------------------------------------------------- */

static guint
tailnet_hash_key (gconstpointer key)
{
  guint hash;

  memcpy (&hash, key, sizeof hash);
  return hash;
}

static gboolean
tailnet_equal_keys (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, DETOUR_KEY_SIZE) == 0;
}

/* The list of before, if there is one that can be used. */
static void
tailnet_recall (Tailnet *self)
{
  g_autoptr (DeviceTable) table = NULL;
  g_autoptr (GError) error = NULL;
  gint64 fetched, age;

  switch (device_store_read (self->setup.path, self->place, &table, &fetched, &error))
    {
    case DEVICE_STORE_GOOD:
      age = tailnet_now () - fetched;
      age = MAX (age, 0);
      list_trust_recall (&self->trust, table, g_get_monotonic_time () - age * G_USEC_PER_SEC,
                         tailnet_now ());
      g_message ("%s: %u devices, known from %" G_GINT64_FORMAT " minutes ago", self->instance,
                 device_table_size (table), age / 60);
      break;
    case DEVICE_STORE_BROKEN:
      g_warning ("%s: the list of devices of before cannot be used, and is put aside: %s",
                 self->instance, error->message);
      break;
    case DEVICE_STORE_NONE:
    case DEVICE_STORE_FOREIGN:
    default:
      break;
    }
}

Tailnet *
tailnet_new (DetourHost *host, const TailnetSetup *setup, WebClient *client,
             ApiCredential *credential, const TailnetFuncs *funcs, gpointer user)
{
  static GSourceFuncs clock_funcs = { NULL, NULL, tailnet_dispatch_clock, NULL, NULL, NULL };
  static const ListReaderFuncs reader_funcs = { tailnet_on_read, tailnet_on_kept };
  Tailnet *self = g_new0 (Tailnet, 1);

  self->instance = detour_host_instance (host);
  self->setup = *setup;
  self->setup.path = g_strdup (setup->path);
  self->place = g_strdup_printf ("%s %s %s", setup->api.headscale ? "headscale" : "tailscale",
                                 setup->api.url, setup->api.tailnet);
  self->funcs = *funcs;
  self->user = user;
  self->credential = credential;
  self->fetch = api_fetch_new (&setup->api, client, credential, tailnet_on_fetched, self);
  self->reader = list_reader_new (host, setup->path, self->place, &reader_funcs, self);
  self->strangers = g_hash_table_new_full (tailnet_hash_key, tailnet_equal_keys, g_free, g_free);
  g_queue_init (&self->waiting);
  poll_schedule_init (&self->schedule, setup->refresh_us, g_get_monotonic_time ());
  list_trust_init (&self->trust, setup->refresh_us, setup->grace_us, setup->tags);
  tailnet_recall (self);
  self->clock = g_source_new (&clock_funcs, sizeof (GSource));
  g_source_set_callback (self->clock, tailnet_on_clock, self, NULL);
  g_source_attach (self->clock, NULL);
  tailnet_tell (self);
  tailnet_wind (self);
  return self;
}

void
tailnet_free (Tailnet *self)
{
  const TailnetAnswer answer = { .result = DETOUR_AUTH_UNAVAILABLE, .reason = "it stops" };

  g_source_destroy (self->clock);
  g_source_unref (self->clock);
  api_fetch_free (self->fetch);
  list_reader_free (self->reader);
  while (self->waiting.length > 0)
    {
      g_autofree Waiter *waiter = g_queue_pop_head (&self->waiting);

      self->funcs.answer (self->user, waiter->call, &answer);
    }
  list_trust_clear (&self->trust);
  g_hash_table_unref (self->strangers);
  g_free (self->failure);
  g_free (self->keep_failure);
  g_free (self->place);
  g_free ((char *) self->setup.path);
  g_free (self);
}
