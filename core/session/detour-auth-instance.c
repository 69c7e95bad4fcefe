/* detour-auth-instance.c: one auth instance as the chain asks it: with a limit, a queue, a cache of
 * verdicts, and numbers.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-auth-instance.h"

#include "detour-events.h"

/* An instance that comes and goes is logged once a minute. */
#define WARN_EVERY_US G_TIME_SPAN_MINUTE

struct _DetourAuthInstance {
  gatomicrefcount refs;
  char *id;
  const DetourAuthPort *port; /* NULL: closed */
  gpointer user;
  DetourAuthMemory *memory;
  gint64 negative_ttl_us;
  guint64 generation; /* counts what was forgotten */
  GQueue waiting;     /* of DetourAuthQuery */
  char *trouble;
  gint64 warned_us; /* 0: never */
  gint64 down_since_us;
  gboolean is_in;              /* it took part when that was looked at last */
  gboolean is_out;             /* it had taken part, and did not any more */
  gboolean may_be_up;          /* was down, and then said that its verdicts changed */
  DetourAuthInstanceInfo info; /* without its texts */
};

struct _DetourAuthQuery {
  DetourAuthInstance *instance; /* referenced once it was sent; NULL: it waits */
  DetourAuthRequest *request;
  DetourVerdictFunc done; /* NULL: withdrawn */
  gpointer data;
  gboolean is_counted; /* among those that the plugin has */
  gint64 sent_us;
  guint64 generation;
  GList link; /* while it waits */
};

static gint64
auth_instance_now_us (const DetourAuthInstance *self)
{
  return self->port != NULL && self->port->now_us != NULL ? self->port->now_us (self->user)
                                                          : g_get_monotonic_time ();
}

DetourAuthInstance *
detour_auth_instance_new (const char *id, const DetourAuthPort *port, gpointer user)
{
  DetourAuthInstance *self = g_new0 (DetourAuthInstance, 1);

  g_atomic_ref_count_init (&self->refs);
  self->id = g_strdup (id);
  self->port = port;
  self->user = user;
  self->memory = detour_auth_memory_new (self->id, DETOUR_AUTH_INSTANCE_ALLOWED_MAX,
                                         DETOUR_AUTH_INSTANCE_DENIED_MAX);
  g_queue_init (&self->waiting);
  return self;
}

DetourAuthInstance *
detour_auth_instance_ref (DetourAuthInstance *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
detour_auth_instance_unref (DetourAuthInstance *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_assert (self->waiting.length == 0);
  detour_auth_memory_free (self->memory);
  g_free (self->trouble);
  g_free (self->id);
  g_free (self);
}

void
detour_auth_instance_close (DetourAuthInstance *self)
{
  g_assert (self->waiting.length == 0);
  self->port = NULL;
  /* Nothing stays of it on disk either, unless the daemon ends, which takes the store away first.
   */
  detour_auth_memory_drop_all (self->memory);
  detour_auth_memory_set_store (self->memory, NULL);
}

void
detour_auth_instance_set_negative_ttl (DetourAuthInstance *self, gint64 ttl_us)
{
  self->negative_ttl_us = ttl_us;
}

const char *
detour_auth_instance_id (const DetourAuthInstance *self)
{
  return self->id;
}

gboolean
detour_auth_instance_takes_part (const DetourAuthInstance *self)
{
  return self->port != NULL && self->port->takes_part (self->user, self->id);
}

gboolean
detour_auth_instance_is_down (const DetourAuthInstance *self)
{
  return self->info.is_down && !self->may_be_up;
}

/* An instance that is stopped by hand is easily forgotten. */
void
detour_auth_instance_log_part (DetourAuthInstance *self, guint n_others)
{
  gboolean takes_part = detour_auth_instance_takes_part (self);

  if (takes_part && self->is_out)
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_INSTANCE, self->id, "MESSAGE",
                      "%s is asked again who may come in", self->id);
  else if (!takes_part && self->is_in)
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_INSTANCE, self->id, "MESSAGE",
                      "%s was stopped and is not asked any more who may come in; %s", self->id,
                      n_others > 0 ? "the rest of the chain decides"
                                   : "no other auth instance runs, so no new client is let in");
  self->is_out = !takes_part && (self->is_in || self->is_out);
  self->is_in = takes_part;
}

/* Up and down ---------------------------------------------------------------------------------- */

static void
auth_instance_set_down (DetourAuthInstance *self, const char *trouble)
{
  gint64 now = auth_instance_now_us (self);

  g_free (self->trouble);
  self->trouble = g_strdup (trouble);
  self->may_be_up = FALSE;
  if (self->info.is_down)
    return;
  self->info.is_down = TRUE;
  self->down_since_us = now;
  detour_events_note (DETOUR_EVENT_SOURCE, NULL, NULL, self->id, "cannot say who may come in: %s",
                      self->trouble);
  if (self->port != NULL && self->port->tells_trouble (self->user, self->id))
    return;
  if (self->warned_us != 0 && now - self->warned_us < WARN_EVERY_US)
    return;
  self->warned_us = now;
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "auth-down",
                    DETOUR_LOG_INSTANCE, self->id, DETOUR_LOG_REASON, self->trouble, "MESSAGE",
                    "%s cannot say who may come in: %s", self->id, self->trouble);
}

static void
auth_instance_set_up (DetourAuthInstance *self)
{
  if (!self->info.is_down)
    return;
  self->info.is_down = FALSE;
  detour_events_note (DETOUR_EVENT_SOURCE, NULL, NULL, self->id, "answers again");
  g_clear_pointer (&self->trouble, g_free);
  /* The end is logged if the trouble was. */
  if (self->warned_us >= self->down_since_us)
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "auth-up",
                      DETOUR_LOG_INSTANCE, self->id, "MESSAGE",
                      "%s answers again, after %" G_GINT64_FORMAT " s", self->id,
                      (auth_instance_now_us (self) - self->down_since_us) / G_USEC_PER_SEC);
}

const guint64 detour_auth_instance_bounds_us[DETOUR_AUTH_INSTANCE_N_BOUNDS] = {
  100,   500,    1000,   2500,   5000,    10000,   25000,
  50000, 100000, 250000, 500000, 1000000, 2500000, 5000000,
};

static void
auth_instance_count_latency (DetourAuthInstanceInfo *info, guint64 latency_us)
{
  guint i = 0;

  while (i < DETOUR_AUTH_INSTANCE_N_BOUNDS && latency_us > detour_auth_instance_bounds_us[i])
    i++;
  info->latency_counts[i]++;
  info->latency_sum_us += latency_us;
}

/* Answers -------------------------------------------------------------------------------------- */

static void
auth_instance_count (DetourAuthInstance *self, const DetourAuthQuery *query,
                     DetourAuthResult result)
{
  gint64 latency_us = auth_instance_now_us (self) - query->sent_us;

  auth_instance_count_latency (&self->info, (guint64) MAX (latency_us, 1));
  if (result == DETOUR_AUTH_ALLOW)
    self->info.allowed++;
  else if (result == DETOUR_AUTH_DENY)
    self->info.denied++;
  else
    self->info.unavailable++;
  self->info.latency_mean_us = self->info.latency_mean_us == 0
                                 ? latency_us
                                 : self->info.latency_mean_us
                                       + (latency_us - self->info.latency_mean_us) / 8;
}

/* Until when core believes @verdict. */
static gint64
auth_instance_until_us (const DetourAuthInstance *self, const DetourVerdict *verdict, gint64 now_us)
{
  gboolean allows = verdict->result == DETOUR_AUTH_ALLOW;
  gint64 usual_us = allows ? DETOUR_AUTH_INSTANCE_TTL_US : self->negative_ttl_us;
  gint64 most_us = allows ? DETOUR_AUTH_INSTANCE_TTL_MAX_US : self->negative_ttl_us;

  return verdict->until_us != 0 ? MIN (verdict->until_us, now_us + most_us) : now_us + usual_us;
}

static void auth_instance_on_answer (DetourVerdict *verdict, gpointer data);

static void
auth_instance_send (DetourAuthInstance *self, DetourAuthQuery *query)
{
  query->instance = detour_auth_instance_ref (self);
  query->is_counted = TRUE;
  query->sent_us = auth_instance_now_us (self);
  query->generation = self->generation;
  self->info.n_asking++;
  self->info.asked++;
  self->port->verify (self->user, self->id, query->request, auth_instance_on_answer, query);
}

static void
auth_instance_send_next (DetourAuthInstance *self)
{
  while (self->waiting.length > 0 && self->info.n_asking < DETOUR_AUTH_INSTANCE_ASKING_MAX)
    {
      DetourAuthQuery *query = self->waiting.head->data;

      g_queue_unlink (&self->waiting, &query->link);
      auth_instance_send (self, query);
    }
}

static void
auth_instance_uncount (DetourAuthInstance *self, DetourAuthQuery *query)
{
  if (query->is_counted)
    self->info.n_asking--;
  query->is_counted = FALSE;
}

static void
auth_instance_remember (DetourAuthInstance *self, const DetourAuthQuery *query,
                        DetourVerdict *verdict)
{
  gint64 now_us = auth_instance_now_us (self);

  if (query->generation == self->generation)
    detour_auth_memory_put (self->memory, query->request, verdict, now_us,
                            auth_instance_until_us (self, verdict, now_us));
}

static void
auth_instance_query_free (DetourAuthQuery *query)
{
  detour_auth_request_unref (query->request);
  g_free (query);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourAuthQuery, auth_instance_query_free)

static void
auth_instance_on_answer (DetourVerdict *verdict, gpointer data)
{
  g_autoptr (DetourAuthQuery) query = data;
  g_autoptr (DetourAuthInstance) self = query->instance;

  auth_instance_uncount (self, query);
  auth_instance_count (self, query, verdict->result);
  if (verdict->result == DETOUR_AUTH_UNAVAILABLE)
    auth_instance_set_down (self, detour_verdict_reason (verdict));
  else
    {
      auth_instance_set_up (self);
      auth_instance_remember (self, query, verdict);
    }
  if (query->done != NULL)
    query->done (verdict, query->data);
  auth_instance_send_next (self);
}

DetourAuthQuery *
detour_auth_instance_ask (DetourAuthInstance *self, DetourAuthRequest *request,
                          DetourVerdictFunc done, gpointer data)
{
  DetourAuthQuery *query = g_new0 (DetourAuthQuery, 1);

  query->request = detour_auth_request_ref (request);
  query->done = done;
  query->data = data;
  query->link.data = query;
  g_queue_push_tail_link (&self->waiting, &query->link);
  auth_instance_send_next (self);
  return query;
}

void
detour_auth_instance_withdraw (DetourAuthInstance *self, DetourAuthQuery *query, gboolean in_vain)
{
  query->done = NULL;
  if (query->instance == NULL)
    {
      g_queue_unlink (&self->waiting, &query->link);
      auth_instance_query_free (query);
      return;
    }
  auth_instance_uncount (self, query);
  if (in_vain)
    {
      self->info.timeouts++;
      auth_instance_set_down (self, "no answer in time");
    }
  if (self->port != NULL)
    auth_instance_send_next (self);
}

/* Memory --------------------------------------------------------------------------------------- */

DetourVerdict *
detour_auth_instance_recall (DetourAuthInstance *self, const DetourAuthRequest *request)
{
  DetourVerdict *verdict = detour_auth_memory_find (self->memory, request,
                                                    auth_instance_now_us (self));

  if (verdict != NULL)
    self->info.cached++;
  return verdict;
}

DetourVerdict *
detour_auth_instance_allowed_lately (DetourAuthInstance *self, const DetourKey *key,
                                     gint64 grace_us)
{
  return grace_us > 0 ? detour_auth_memory_find_allowed (self->memory, key,
                                                         auth_instance_now_us (self) - grace_us)
                      : NULL;
}

static void
auth_instance_see_source (DetourAuthInstance *self)
{
  g_autofree char *source = NULL;

  if (self->port == NULL || self->port->dup_source == NULL)
    return;
  source = self->port->dup_source (self->user, self->id);
  if (source != NULL)
    detour_auth_memory_set_source (self->memory, source);
}

void
detour_auth_instance_set_store (DetourAuthInstance *self, DetourVerdictStore *store)
{
  if (store != NULL)
    auth_instance_see_source (self);
  detour_auth_memory_set_store (self->memory, store);
}

void
detour_auth_instance_collect (const DetourAuthInstance *self, DetourVerdictDraft *draft)
{
  detour_auth_memory_collect (self->memory, draft);
}

void
detour_auth_instance_revoke (DetourAuthInstance *self, const DetourKey *key)
{
  self->generation++;
  detour_auth_memory_drop (self->memory, key);
}

void
detour_auth_instance_forget (DetourAuthInstance *self)
{
  self->generation++;
  auth_instance_see_source (self);
  detour_auth_memory_forget (self->memory);
  /* An instance that says that its verdicts changed is likely to answer again. */
  self->may_be_up = TRUE;
}

/* Status --------------------------------------------------------------------------------------- */

void
detour_auth_instance_info (const DetourAuthInstance *self, DetourAuthInstanceInfo *info)
{
  *info = self->info;
  info->instance = self->id;
  info->takes_part = detour_auth_instance_takes_part (self);
  info->n_waiting = self->waiting.length;
  info->n_remembered = detour_auth_memory_size (self->memory);
  info->trouble = self->trouble;
}

void
detour_auth_instance_count_grace (DetourAuthInstance *self)
{
  self->info.by_grace++;
}
