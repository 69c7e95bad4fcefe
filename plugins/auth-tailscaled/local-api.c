/* local-api.c: asks one or several tailscaled over their sockets, in a thread of its own.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "local-api.h"

#include "answering.h"
#include "tailscaled.h"
#include "watch.h"

#include <curl/curl.h>
#include <string.h>

/* Requests at a time; core has fewer. */
#define LOOKUPS_MAX 256u

/* Denied keys that are looked up again, and for how long. */
#define DENIED_MAX              256u
#define DENIED_US               (10 * G_TIME_SPAN_MINUTE)
#define LOOK_AGAIN_EVERY_MIN_US (2 * G_TIME_SPAN_SECOND)
#define LOOK_AGAIN_EVERY_MAX_US (30 * G_TIME_SPAN_SECOND)

/* The first change is told at once, and those that follow together. */
#define TELL_CHANGE_EVERY_US G_TIME_SPAN_SECOND

typedef struct {
  guint8 key[DETOUR_KEY_SIZE];
  gpointer call;
} Inbound;

/* A denied key. */
typedef struct {
  guint8 key[DETOUR_KEY_SIZE];
  gint64 denied_us; /* when it was denied last */
  gint64 first_us;
  gint64 next_us;
  gboolean is_asked;
} Denied;

/* One key at all tailscaleds. */
typedef struct {
  LocalApi *api;
  guint8 key[DETOUR_KEY_SIZE];
  gpointer call; /* NULL: the plugin's own, about a key that was denied */
  guint n_open;
  WhoisAnswer answer; /* the one that counts so far */
  gboolean has_before;
  guint8 before[DETOUR_KEY_SIZE]; /* the key that the node had, as that answer has it */
  GPtrArray *asks; /* of TailscaledAsk, by number of the tailscaled; NULL: answered */
} Lookup;

/* Where a Lookup waits for one tailscaled. */
typedef struct {
  Lookup *lookup;
  guint index;
} Slot;

struct _LocalApi {
  LocalApiFuncs funcs;
  gpointer user;
  GThread *thread;
  CURLM *multi;

  GMutex lock;
  GQueue inbox;      /* of Inbound, under the lock */
  gboolean stopping; /* under the lock */

  /* The thread's own. */
  GPtrArray *daemons; /* of Tailscaled */
  GPtrArray *watches; /* of Watch, of each of them */
  guint n_watched;
  gboolean has_changed; /* and it is not told yet */
  gint64 changed_us;    /* when it was told last; 0: never */
  GPtrArray *lookups;   /* of Lookup */
  GQueue denied;        /* of Denied, the one denied longest ago first */
  Answering told;
};

/* Lookups -------------------------------------------------------------------------------------- */

static void
local_api_lookup_free (gpointer data)
{
  Lookup *self = data;

  for (guint i = 0; i < self->asks->len; i++)
    if (self->asks->pdata[i] != NULL)
      {
        Slot *slot = tailscaled_cancel (self->asks->pdata[i]);

        g_free (slot);
      }
  g_ptr_array_unref (self->asks);
  whois_answer_clear (&self->answer);
  g_free (self);
}

static GList *
local_api_find_denied (LocalApi *self, const guint8 *key)
{
  for (GList *link = self->denied.head; link != NULL; link = link->next)
    if (memcmp (((Denied *) link->data)->key, key, DETOUR_KEY_SIZE) == 0)
      return link;
  return NULL;
}

static void
local_api_drop_denied (LocalApi *self, GList *link)
{
  g_free (link->data);
  g_queue_delete_link (&self->denied, link);
}

/* The key was denied. */
static void
local_api_note_denied (LocalApi *self, const guint8 *key)
{
  GList *link = local_api_find_denied (self, key);
  gint64 now_us = g_get_monotonic_time ();
  Denied *denied;

  if (link != NULL)
    {
      denied = link->data;
      g_queue_unlink (&self->denied, link);
      g_queue_push_tail_link (&self->denied, link);
    }
  else
    {
      if (self->denied.length >= DENIED_MAX)
        local_api_drop_denied (self, self->denied.head);
      denied = g_new0 (Denied, 1);
      memcpy (denied->key, key, DETOUR_KEY_SIZE);
      denied->first_us = now_us;
      denied->next_us = now_us + LOOK_AGAIN_EVERY_MIN_US;
      g_queue_push_tail (&self->denied, denied);
    }
  denied->denied_us = now_us;
}

/* A lookup of the plugin's own was answered. */
static void
local_api_look_again (LocalApi *self, const guint8 *key, DetourAuthResult result)
{
  GList *link = local_api_find_denied (self, key);
  Denied *denied = link != NULL ? link->data : NULL;
  gint64 now_us = g_get_monotonic_time ();

  if (denied == NULL)
    return;
  if (result == DETOUR_AUTH_ALLOW)
    {
      local_api_drop_denied (self, link);
      self->funcs.changed (self->user);
      return;
    }
  denied->is_asked = FALSE;
  denied->next_us = now_us
                  + CLAMP ((now_us - denied->first_us) / 4, LOOK_AGAIN_EVERY_MIN_US,
                           LOOK_AGAIN_EVERY_MAX_US);
}

static void local_api_tell_state (LocalApi *self);

static void
local_api_finish (Lookup *lookup)
{
  LocalApi *self = lookup->api;

  if (lookup->call == NULL)
    local_api_look_again (self, lookup->key, lookup->answer.result);
  else
    {
      if (lookup->answer.result == DETOUR_AUTH_DENY)
        local_api_note_denied (self, lookup->key);
      /* The state is told before the answer, so that core does not log the same trouble again. */
      if (lookup->answer.result == DETOUR_AUTH_UNAVAILABLE)
        local_api_tell_state (self);
      self->funcs.answer (self->user, lookup->call, &lookup->answer, lookup->key,
                          lookup->has_before ? lookup->before : NULL);
    }
  g_ptr_array_remove_fast (self->lookups, lookup);
}

/* One tailscaled has answered. One that allows is enough; one that cannot say outweighs a denial.
 */
static void
local_api_on_answer (WhoisAnswer *answer, gpointer data)
{
  g_autofree Slot *slot = data;
  Lookup *lookup = slot->lookup;

  lookup->asks->pdata[slot->index] = NULL;
  lookup->n_open--;
  if (answer->result == DETOUR_AUTH_ALLOW)
    lookup->has_before = watch_note (lookup->api->watches->pdata[slot->index], lookup->key, answer,
                                     lookup->before);
  if (answer->result == DETOUR_AUTH_ALLOW || lookup->answer.reason == NULL
      || (answer->result == DETOUR_AUTH_UNAVAILABLE && lookup->answer.result == DETOUR_AUTH_DENY))
    {
      whois_answer_clear (&lookup->answer);
      lookup->answer = *answer;
      *answer = (WhoisAnswer) { answer->result, NULL, NULL };
    }
  if (lookup->answer.result == DETOUR_AUTH_ALLOW || lookup->n_open == 0)
    local_api_finish (lookup);
}

static void
local_api_begin (LocalApi *self, const guint8 *key, gpointer call)
{
  Lookup *lookup = g_new0 (Lookup, 1);

  lookup->api = self;
  memcpy (lookup->key, key, DETOUR_KEY_SIZE);
  lookup->call = call;
  lookup->answer.result = DETOUR_AUTH_DENY;
  lookup->asks = g_ptr_array_new ();
  lookup->n_open = self->daemons->len;
  g_ptr_array_add (self->lookups, lookup);
  for (guint i = 0; i < self->daemons->len; i++)
    {
      Slot *slot = g_new (Slot, 1);

      *slot = (Slot) { lookup, i };
      g_ptr_array_add (lookup->asks,
                       tailscaled_ask (self->daemons->pdata[i], key, local_api_on_answer, slot));
    }
}

static void
local_api_refuse (LocalApi *self, gpointer call, const char *reason)
{
  WhoisAnswer answer = { DETOUR_AUTH_UNAVAILABLE, (char *) reason, NULL };

  self->funcs.answer (self->user, call, &answer, NULL, NULL);
}

/* How it is going ------------------------------------------------------------------------------ */

static void
local_api_tell_state (LocalApi *self)
{
  g_autoptr (GString) troubles = g_string_new (NULL);
  gint64 latency_us = 0;

  for (guint i = 0; i < self->daemons->len; i++)
    {
      g_autofree char *trouble = tailscaled_trouble (self->daemons->pdata[i]);

      latency_us = MAX (latency_us, tailscaled_latency_us (self->daemons->pdata[i]));
      if (trouble != NULL)
        g_string_append_printf (troubles, "%s%s", troubles->len > 0 ? "; " : "", trouble);
    }
  if (answering_take (&self->told, latency_us, troubles->str, g_get_monotonic_time ()))
    self->funcs.state (self->user, self->told.summary, self->told.trouble);
}

static void
local_api_on_recovered (gpointer user)
{
  LocalApi *self = user;

  /* It may be another program now, which has a bus. */
  for (guint i = 0; i < self->watches->len; i++)
    watch_hurry (self->watches->pdata[i]);
  self->funcs.changed (self->user);
}

/* What is told unasked ------------------------------------------------------------------------- */

static void
local_api_on_changed (gpointer user, gboolean is_known)
{
  LocalApi *self = user;

  self->has_changed = self->has_changed || is_known || self->lookups->len > 0;
}

static void
local_api_on_rekeyed (gpointer user, const guint8 *before, const guint8 *after)
{
  LocalApi *self = user;

  self->funcs.rekeyed (self->user, before, after);
}

static void
local_api_on_appeared (gpointer user, const guint8 *key)
{
  GList *link = local_api_find_denied (user, key);
  Denied *denied = link != NULL ? link->data : NULL;

  if (denied != NULL)
    denied->next_us = 0;
}

static void
local_api_on_look (gpointer user, guint number)
{
  LocalApi *self = user;

  tailscaled_look_soon (self->daemons->pdata[number]);
}

static void
local_api_on_watches (gpointer user, guint number, gboolean is_open)
{
  LocalApi *self = user;

  self->n_watched += is_open ? 1u : -1u;
  self->funcs.watched (self->user, self->n_watched);
}

static const WatchFuncs watch_funcs = { local_api_on_changed, local_api_on_rekeyed,
                                        local_api_on_appeared, local_api_on_look,
                                        local_api_on_watches };

/* Returns when there is something to tell. */
static gint64
local_api_tell_change (LocalApi *self, gint64 now_us)
{
  if (!self->has_changed)
    return G_MAXINT64;
  if (self->changed_us != 0 && now_us - self->changed_us < TELL_CHANGE_EVERY_US)
    return self->changed_us + TELL_CHANGE_EVERY_US;
  self->has_changed = FALSE;
  self->changed_us = now_us;
  self->funcs.changed (self->user);
  return G_MAXINT64;
}

/* The thread ----------------------------------------------------------------------------------- */

/* FALSE: it is to end. */
static gboolean
local_api_take_inbox (LocalApi *self)
{
  GQueue inbox;
  gboolean stopping;

  g_mutex_lock (&self->lock);
  inbox = self->inbox;
  g_queue_init (&self->inbox);
  stopping = self->stopping;
  g_mutex_unlock (&self->lock);

  while (inbox.length > 0)
    {
      g_autofree Inbound *inbound = g_queue_pop_head (&inbox);

      if (stopping)
        local_api_refuse (self, inbound->call, "it stops");
      else if (self->lookups->len >= LOOKUPS_MAX)
        local_api_refuse (self, inbound->call, "too many requests wait for tailscaled");
      else
        local_api_begin (self, inbound->key, inbound->call);
    }
  return !stopping;
}

/* Looks up denied keys that are due; returns when the next one is. */
static gint64
local_api_look_at_denied (LocalApi *self, gint64 now_us)
{
  gint64 next_us = G_MAXINT64;
  GList *link = self->denied.head;

  while (link != NULL)
    {
      Denied *denied = link->data;
      GList *next = link->next;

      if (denied->is_asked)
        ;
      else if (now_us - denied->denied_us > DENIED_US)
        local_api_drop_denied (self, link);
      else if (denied->next_us <= now_us)
        {
          denied->is_asked = TRUE;
          local_api_begin (self, denied->key, NULL);
        }
      else
        next_us = MIN (next_us, denied->next_us);
      link = next;
    }
  return next_us;
}

/* It was the bus of one of them. */
static gboolean
local_api_is_of_watch (LocalApi *self, CURL *easy)
{
  for (guint i = 0; i < self->watches->len; i++)
    if (watch_done (self->watches->pdata[i], easy))
      return TRUE;
  return FALSE;
}

static void
local_api_finish_transfers (LocalApi *self)
{
  CURLMsg *message;
  int n;

  while ((message = curl_multi_info_read (self->multi, &n)) != NULL)
    if (message->msg == CURLMSG_DONE && !local_api_is_of_watch (self, message->easy_handle))
      tailscaled_done (message->easy_handle, message->data.result);
}

static gpointer
local_api_run (gpointer data)
{
  LocalApi *self = data;

  while (local_api_take_inbox (self))
    {
      gint64 now_us, next_us, change_us;
      int n_running;

      curl_multi_perform (self->multi, &n_running);
      local_api_finish_transfers (self);
      local_api_tell_state (self);
      now_us = g_get_monotonic_time ();
      next_us = local_api_look_at_denied (self, now_us);
      change_us = local_api_tell_change (self, now_us);
      next_us = MIN (next_us, change_us);
      for (guint i = 0; i < self->daemons->len; i++)
        {
          Tailscaled *daemon = self->daemons->pdata[i];
          gint64 daemon_us = tailscaled_look_after (daemon, now_us);
          gint64 watch_us = watch_look_after (self->watches->pdata[i], tailscaled_socket (daemon),
                                              now_us);

          next_us = MIN (next_us, daemon_us);
          next_us = MIN (next_us, watch_us);
        }
      /* It returns at once when a transfer was added meanwhile. */
      curl_multi_poll (self->multi, NULL, 0, (int) CLAMP ((next_us - now_us) / 1000 + 1, 0, 60000),
                       NULL);
    }

  while (self->lookups->len > 0)
    {
      Lookup *lookup = self->lookups->pdata[0];

      if (lookup->call != NULL)
        local_api_refuse (self, lookup->call, "it stops");
      g_ptr_array_remove_index_fast (self->lookups, 0);
    }
  return NULL;
}

LocalApi *
local_api_new (const char *const *sockets, const char *const *alternatives, guint timeout_ms,
               const char *state, const LocalApiFuncs *funcs, gpointer user)
{
  LocalApi *self = g_new0 (LocalApi, 1);

  curl_global_init (CURL_GLOBAL_DEFAULT);
  self->funcs = *funcs;
  self->user = user;
  self->multi = curl_multi_init ();
  g_assert (self->multi != NULL);
  /* Idle connections that are kept for the next request. */
  curl_multi_setopt (self->multi, CURLMOPT_MAXCONNECTS, 16L);
  g_mutex_init (&self->lock);
  g_queue_init (&self->inbox);
  g_queue_init (&self->denied);
  self->daemons = g_ptr_array_new_with_free_func ((GDestroyNotify) tailscaled_free);
  self->watches = g_ptr_array_new_with_free_func ((GDestroyNotify) watch_free);
  self->lookups = g_ptr_array_new_with_free_func (local_api_lookup_free);
  for (guint i = 0; sockets[i] != NULL; i++)
    {
      g_autofree char *path = i == 0 ? g_strconcat (state, ".nodes", NULL)
                                     : g_strdup_printf ("%s-%u.nodes", state, i + 1);

      g_ptr_array_add (self->daemons,
                       tailscaled_new (self->multi, sockets[i], i == 0 ? alternatives : NULL,
                                       timeout_ms, local_api_on_recovered, self));
      g_ptr_array_add (self->watches, watch_new (self->multi, timeout_ms, sockets[i], path,
                                                 &watch_funcs, self, i));
    }
  self->thread = g_thread_new ("tailscaled", local_api_run, self);
  return self;
}

void
local_api_free (LocalApi *self)
{
  g_mutex_lock (&self->lock);
  self->stopping = TRUE;
  g_mutex_unlock (&self->lock);
  curl_multi_wakeup (self->multi);
  g_thread_join (self->thread);

  g_ptr_array_unref (self->lookups);
  g_ptr_array_unref (self->watches);
  g_ptr_array_unref (self->daemons);
  g_queue_clear_full (&self->denied, g_free);
  curl_multi_cleanup (self->multi);
  curl_global_cleanup ();
  g_mutex_clear (&self->lock);
  answering_clear (&self->told);
  g_free (self);
}

void
local_api_ask (LocalApi *self, const guint8 *key, gpointer call)
{
  Inbound *inbound = g_new (Inbound, 1);

  memcpy (inbound->key, key, DETOUR_KEY_SIZE);
  inbound->call = call;
  g_mutex_lock (&self->lock);
  g_queue_push_tail (&self->inbox, inbound);
  g_mutex_unlock (&self->lock);
  curl_multi_wakeup (self->multi);
}
