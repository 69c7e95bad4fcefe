/* detour-auth-source.c: one auth instance as the admission asks it: a limit, a queue, a memory,
 * and numbers.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-auth-source.h"

/* Texts of plugins come from far away: so many characters of them are kept. */
#define TEXT_MAX 200

/* An instance that cannot make up its mind whether it answers is told of once a minute. */
#define WARN_EVERY_US G_TIME_SPAN_MINUTE

struct _DetourAuthSource {
  gatomicrefcount refs;
  char *instance;
  const DetourAuthPort *port; /* NULL: closed */
  gpointer user;
  DetourVerdictCache *cache;
  gint64 negative_ttl_us;
  guint64 generation; /* counts what was forgotten */
  GQueue waiting;     /* of DetourAuthAsk */
  char *trouble;
  gint64 warned_us; /* 0: never */
  gint64 down_since_us;
  gboolean has_hope;         /* was down, and then said that verdicts changed */
  DetourAuthSourceInfo info; /* without its texts */
};

struct _DetourAuthAsk {
  DetourAuthSource *source; /* referenced once it was sent */
  DetourQuestion *question; /* NULL once it was sent */
  DetourKey key;
  guint64 hash;
  DetourAuthAskDone done; /* NULL: withdrawn */
  gpointer data;
  gboolean is_counted; /* among those that are out */
  gint64 sent_us;
  guint64 generation;
  GList link; /* while it waits */
};

static gint64
auth_source_now_us (const DetourAuthSource *self)
{
  return self->port != NULL && self->port->now_us != NULL ? self->port->now_us (self->user)
                                                          : g_get_monotonic_time ();
}

DetourAuthSource *
detour_auth_source_new (const char *instance, const DetourAuthPort *port, gpointer user)
{
  DetourAuthSource *self = g_new0 (DetourAuthSource, 1);

  g_atomic_ref_count_init (&self->refs);
  self->instance = g_strdup (instance);
  self->port = port;
  self->user = user;
  self->cache = detour_verdict_cache_new (DETOUR_AUTH_SOURCE_ALLOWED_MAX,
                                          DETOUR_AUTH_SOURCE_DENIED_MAX);
  g_queue_init (&self->waiting);
  return self;
}

DetourAuthSource *
detour_auth_source_ref (DetourAuthSource *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
detour_auth_source_unref (DetourAuthSource *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_assert (self->waiting.length == 0);
  detour_verdict_cache_free (self->cache);
  g_free (self->trouble);
  g_free (self->instance);
  g_free (self);
}

void
detour_auth_source_close (DetourAuthSource *self)
{
  g_assert (self->waiting.length == 0);
  self->port = NULL;
}

void
detour_auth_source_set_negative_ttl (DetourAuthSource *self, gint64 ttl_us)
{
  self->negative_ttl_us = ttl_us;
}

const char *
detour_auth_source_instance (const DetourAuthSource *self)
{
  return self->instance;
}

gboolean
detour_auth_source_takes_part (const DetourAuthSource *self)
{
  return self->port != NULL && self->port->takes_part (self->user, self->instance);
}

gboolean
detour_auth_source_is_down (const DetourAuthSource *self)
{
  return self->info.is_down && !self->has_hope;
}

/* Up and down ---------------------------------------------------------------------------------- */

static void
auth_source_set_down (DetourAuthSource *self, const char *trouble)
{
  gint64 now = auth_source_now_us (self);

  g_free (self->trouble);
  self->trouble = g_strdup (trouble != NULL ? trouble : "no reason given");
  self->has_hope = FALSE;
  if (self->info.is_down)
    return;
  self->info.is_down = TRUE;
  self->down_since_us = now;
  if (self->port != NULL && self->port->tells_trouble (self->user, self->instance))
    return;
  if (self->warned_us != 0 && now - self->warned_us < WARN_EVERY_US)
    return;
  self->warned_us = now;
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_INSTANCE, self->instance,
                    DETOUR_LOG_REASON, self->trouble, "MESSAGE",
                    "%s cannot say who may come in: %s", self->instance, self->trouble);
}

static void
auth_source_set_up (DetourAuthSource *self)
{
  if (!self->info.is_down)
    return;
  self->info.is_down = FALSE;
  g_clear_pointer (&self->trouble, g_free);
  /* Who was told of the trouble is told of its end. */
  if (self->warned_us >= self->down_since_us)
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_INSTANCE, self->instance,
                      "MESSAGE", "%s answers again, after %" G_GINT64_FORMAT " s", self->instance,
                      (auth_source_now_us (self) - self->down_since_us) / G_USEC_PER_SEC);
}

/* Answers -------------------------------------------------------------------------------------- */

/* One line, valid, not too long; free with g_free(). */
static char *
auth_source_clean (const char *text)
{
  g_autofree char *valid = NULL;
  GString *out;

  if (text == NULL || *text == '\0')
    return NULL;
  valid = g_utf8_make_valid (text, (gssize) strnlen (text, 4 * TEXT_MAX));
  out = g_string_new (NULL);
  for (const char *p = valid; *p != '\0' && g_utf8_strlen (out->str, (gssize) out->len) < TEXT_MAX;
       p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (g_unichar_isprint (c))
        g_string_append_unichar (out, c);
      else
        g_string_append_c (out, ' ');
    }
  return g_strstrip (g_string_free (out, FALSE));
}

static void
auth_source_count (DetourAuthSource *self, const DetourAuthAsk *ask, DetourAuthResult result)
{
  gint64 latency_us = MAX (auth_source_now_us (self) - ask->sent_us, 1);

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

static gint64
auth_source_time_to_live (const DetourAuthSource *self, const DetourAuthVerdict *verdict)
{
  if (verdict->result == DETOUR_AUTH_ALLOW)
    return verdict->ttl_us > 0 ? MIN (verdict->ttl_us, DETOUR_AUTH_SOURCE_TTL_MAX_US)
                               : DETOUR_AUTH_SOURCE_TTL_US;
  return verdict->ttl_us > 0 ? MIN (verdict->ttl_us, self->negative_ttl_us) : self->negative_ttl_us;
}

static void auth_source_on_answer (const DetourAuthVerdict *verdict, gpointer data);

static void
auth_source_send_question (DetourAuthSource *self, DetourAuthAsk *ask)
{
  g_autoptr (DetourQuestion) question = g_steal_pointer (&ask->question);
  DetourAuthQuestion auth;

  ask->source = detour_auth_source_ref (self);
  ask->is_counted = TRUE;
  ask->sent_us = auth_source_now_us (self);
  ask->generation = self->generation;
  self->info.n_asking++;
  self->info.asked++;
  detour_question_to_auth (question, &auth);
  self->port->verify (self->user, self->instance, &auth, auth_source_on_answer, ask);
}

static void
auth_source_send_next (DetourAuthSource *self)
{
  while (self->waiting.length > 0 && self->info.n_asking < DETOUR_AUTH_SOURCE_ASKING_MAX)
    {
      DetourAuthAsk *ask = self->waiting.head->data;

      g_queue_unlink (&self->waiting, &ask->link);
      auth_source_send_question (self, ask);
    }
}

static void
auth_source_uncount (DetourAuthSource *self, DetourAuthAsk *ask)
{
  if (ask->is_counted)
    self->info.n_asking--;
  ask->is_counted = FALSE;
}

static void
auth_source_on_answer (const DetourAuthVerdict *verdict, gpointer data)
{
  g_autofree DetourAuthAsk *ask = data;
  g_autoptr (DetourAuthSource) self = ask->source;
  g_autofree char *label = auth_source_clean (verdict->label);
  g_autofree char *reason = auth_source_clean (verdict->reason);
  DetourAuthVerdict tidy = { verdict->result, label, NULL, reason, verdict->ttl_us };

  auth_source_uncount (self, ask);
  auth_source_count (self, ask, verdict->result);
  if (verdict->result == DETOUR_AUTH_UNAVAILABLE)
    auth_source_set_down (self, reason);
  else
    {
      gint64 now = auth_source_now_us (self);

      auth_source_set_up (self);
      if (ask->generation == self->generation)
        detour_verdict_cache_put (self->cache, &ask->key, ask->hash, &tidy, now,
                                  now + auth_source_time_to_live (self, verdict));
    }
  if (ask->done != NULL)
    ask->done (&tidy, ask->data);
  auth_source_send_next (self);
}

DetourAuthAsk *
detour_auth_source_ask (DetourAuthSource *self, const DetourQuestion *question,
                        DetourAuthAskDone done, gpointer data)
{
  DetourAuthAsk *ask = g_new0 (DetourAuthAsk, 1);

  ask->question = g_new (DetourQuestion, 1);
  detour_question_copy (ask->question, question);
  ask->key = question->key;
  ask->hash = detour_question_hash (question);
  ask->done = done;
  ask->data = data;
  ask->link.data = ask;
  g_queue_push_tail_link (&self->waiting, &ask->link);
  auth_source_send_next (self);
  return ask;
}

void
detour_auth_source_withdraw (DetourAuthSource *self, DetourAuthAsk *ask, gboolean in_vain)
{
  gboolean was_sent = ask->question == NULL;

  ask->done = NULL;
  if (!was_sent)
    {
      g_queue_unlink (&self->waiting, &ask->link);
      detour_question_free (ask->question);
      g_free (ask);
      return;
    }
  auth_source_uncount (self, ask);
  if (in_vain)
    {
      self->info.timeouts++;
      auth_source_set_down (self, "no answer in time");
    }
  if (self->port != NULL)
    auth_source_send_next (self);
}

/* Memory --------------------------------------------------------------------------------------- */

gboolean
detour_auth_source_recall (DetourAuthSource *self, const DetourQuestion *question,
                           DetourRemembered *out)
{
  if (!detour_verdict_cache_find (self->cache, &question->key, detour_question_hash (question),
                                  auth_source_now_us (self), out))
    return FALSE;
  self->info.cached++;
  return TRUE;
}

gboolean
detour_auth_source_allowed_lately (DetourAuthSource *self, const DetourKey *key, gint64 grace_us,
                                   DetourRemembered *out)
{
  return grace_us > 0
      && detour_verdict_cache_find_allowed (self->cache, key, auth_source_now_us (self) - grace_us,
                                            out);
}

void
detour_auth_source_forget (DetourAuthSource *self)
{
  self->generation++;
  detour_verdict_cache_forget (self->cache);
  /* Whoever says that verdicts changed can say what they are. */
  self->has_hope = TRUE;
}

/* Status --------------------------------------------------------------------------------------- */

void
detour_auth_source_info (const DetourAuthSource *self, DetourAuthSourceInfo *info)
{
  *info = self->info;
  info->instance = self->instance;
  info->takes_part = detour_auth_source_takes_part (self);
  info->n_waiting = self->waiting.length;
  info->n_remembered = detour_verdict_cache_size (self->cache);
  info->trouble = self->trouble;
}

void
detour_auth_source_count_grace (DetourAuthSource *self)
{
  self->info.by_grace++;
}
