/* detour-handshake-asking.c: the admission is asked about a client that has logged in, which then
 * goes to its worker or is held.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-private.h"

#include "detour-address.h"
#include "detour-auth-request.h"
#include "detour-events.h"
#include "detour-log.h"

/* Where the verdict, from the main thread, and the connection, on its own thread, find each other.
 * Either may be there first, or never come. */
struct _DetourHandshakeAsking {
  gatomicrefcount refs;
  GMutex lock;
  DetourLoop *loop;           /* under the lock; NULL: the connection is gone */
  DetourHandshake *handshake; /* the thread of the pool only */
  DetourVerdict *verdict;     /* written by the main thread before it posts */
};

static void
handshake_asking_unref (gpointer data)
{
  DetourHandshakeAsking *asking = data;

  if (!g_atomic_ref_count_dec (&asking->refs))
    return;
  g_mutex_clear (&asking->lock);
  g_clear_pointer (&asking->verdict, detour_verdict_unref);
  g_free (asking);
}

void
detour_handshake_stop_asking (DetourHandshake *self)
{
  DetourHandshakeAsking *asking = g_steal_pointer (&self->asking);

  if (asking == NULL)
    return;
  g_mutex_lock (&asking->lock);
  asking->loop = NULL;
  g_mutex_unlock (&asking->lock);
  asking->handshake = NULL;
  handshake_asking_unref (asking);
}

static guint8
handshake_asking_present_flags (const DetourHandshake *self)
{
  guint8 flags = 0;

  if (self->login.is_mesh)
    flags |= DETOUR_FRAME_PRESENT_MESH;
  if (self->login.is_prober)
    flags |= DETOUR_FRAME_PRESENT_PROBER;
  if (self->upgrade.not_ideal)
    flags |= DETOUR_FRAME_PRESENT_NOT_IDEAL;
  return flags != 0 ? flags : DETOUR_FRAME_PRESENT_REGULAR;
}

static void
handshake_asking_fill_presence (const DetourHandshake *self, DetourPresence *presence)
{
  if (detour_address_bytes ((const struct sockaddr *) &self->peer, presence->ip))
    presence->port = self->peer.ss_family == AF_INET6
                       ? g_ntohs (((const struct sockaddr_in6 *) &self->peer)->sin6_port)
                       : g_ntohs (((const struct sockaddr_in *) &self->peer)->sin_port);
  presence->flags = handshake_asking_present_flags (self);
  presence->name_len = (guint8) strlen (self->login.app_name);
  memcpy (presence->name, self->login.app_name, presence->name_len);
}

static void
handshake_asking_measure_login (DetourHandshake *self)
{
  DetourHandshakePoolCounters *counters = &self->thread->counters;

  detour_metric_observe (counters->login_us, &counters->login_us_sum,
                         detour_handshake_login_bounds_us, DETOUR_HANDSHAKE_N_LOGIN_BOUNDS,
                         (guint64) (g_get_monotonic_time () - self->accepted_us));
}

static void
handshake_asking_measure_admission (DetourHandshake *self)
{
  DetourHandshakePoolCounters *counters = &self->thread->counters;

  detour_metric_observe (counters->admission_us, &counters->admission_us_sum,
                         detour_handshake_admission_bounds_us, DETOUR_HANDSHAKE_N_ADMISSION_BOUNDS,
                         (guint64) (g_get_monotonic_time () - self->asked_us));
}

/* The worker with the fewest connections. */
static DetourWorker *
handshake_asking_choose_worker (const DetourHandshakePool *pool)
{
  DetourWorker *best = pool->parts.workers[0];

  for (guint i = 1; i < pool->parts.n_workers; i++)
    if (detour_worker_n_conns (pool->parts.workers[i]) < detour_worker_n_conns (best))
      best = pool->parts.workers[i];
  return best;
}

static const char *
handshake_asking_tenant_name (const DetourHandshake *self)
{
  return self->tenant != NULL ? detour_tenant_name (self->tenant) : NULL;
}

/* Whose client it is. By the name that the record layer has shaken hands for, which cannot change,
 * and by the listener. TRUE: not whose it was; nothing that was asked before counts. */
static gboolean
handshake_asking_choose_tenant (DetourHandshake *self)
{
  g_autoptr (DetourTenant) before = g_steal_pointer (&self->tenant);
  DetourChannelInfo info;

  detour_channel_info (&self->channel, &info);
  self->tenant = detour_tenant_table_choose (self->thread->pool->parts.tenants, info.sni,
                                             self->listener->instance);
  if (self->tenant == before)
    return FALSE;
  g_clear_pointer (&self->request, detour_auth_request_unref);
  return TRUE;
}

static void
handshake_asking_log_login (const DetourHandshake *self, const char *label)
{
  char short_key[9], address[DETOUR_ADDRESS_TEXT_MAX], addresses[DETOUR_HANDSHAKE_ADDRESSES_MAX];
  g_autofree char *key = NULL;

  if (!detour_log_wants (G_LOG_LEVEL_DEBUG))
    return;
  key = detour_key_to_text (&self->login.key);
  detour_key_to_short (&self->login.key, short_key);
  detour_address_format ((const struct sockaddr *) &self->peer, address);
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_DEBUG, DETOUR_LOG_EVENT, "session-start",
                    DETOUR_LOG_KEY, key, DETOUR_LOG_ADDRESS, address, DETOUR_LOG_LISTENER,
                    self->listener->instance, "MESSAGE", "client %s%s%s: connected from %s",
                    short_key, label != NULL ? " " : "", label != NULL ? label : "",
                    detour_handshake_format_addresses (self, addresses));
}

static void
handshake_asking_note_join (const DetourHandshake *self, const DetourVerdict *verdict)
{
  char address[DETOUR_ADDRESS_TEXT_MAX];

  detour_events_add (&(DetourEvent) {
      .kind = DETOUR_EVENT_JOIN,
      .key = &self->login.key,
      .address = detour_address_format ((const struct sockaddr *) &self->peer, address),
      .source = self->listener->instance,
      .label = verdict != NULL ? verdict->label : NULL,
      .class_ = verdict != NULL ? verdict->class_ : NULL,
      .tenant = handshake_asking_tenant_name (self),
      .text = self->login.is_mesh ? "with the mesh key" : NULL,
  });
}

static void handshake_asking_refuse (DetourHandshake *self, const DetourVerdict *verdict);

/* Admission has nothing against the client, but its class, its tenant or the relay is full. */
static void
handshake_asking_refuse_terms (DetourHandshake *self, const DetourVerdict *allow,
                               const DetourTermsRefusal *refusal)
{
  const DetourVerdict verdict = {
    .result = DETOUR_AUTH_DENY,
    .instance = refusal->by,
    .label = allow != NULL ? allow->label : NULL,
    .class_ = allow != NULL ? allow->class_ : NULL,
    .reason = refusal->reason,
  };
  char address[DETOUR_ADDRESS_TEXT_MAX];

  detour_events_add (&(DetourEvent) {
      .kind = DETOUR_EVENT_REFUSED,
      .key = &self->login.key,
      .address = detour_address_format ((const struct sockaddr *) &self->peer, address),
      .source = refusal->by,
      .label = verdict.label,
      .class_ = verdict.class_,
      .tenant = handshake_asking_tenant_name (self),
      .text = refusal->reason,
      .result = DETOUR_AUTH_DENY,
  });
  /* An open relay has not asked. */
  if (self->state == DETOUR_HANDSHAKE_LOGIN)
    detour_handshake_enter (self, DETOUR_HANDSHAKE_ASKING);
  handshake_asking_refuse (self, &verdict);
}

static void
handshake_asking_admit (DetourHandshake *self, DetourVerdict *verdict)
{
  g_auto (DetourTermsRefusal) refusal = { NULL };
  g_autoptr (DetourTerms) terms = NULL;
  DetourHandshakePool *pool = self->thread->pool;
  DetourSession *session;
  guint8 info[DETOUR_LOGIN_SERVER_INFO_SIZE];
  guint limit = self->thread->limits.connections;

  /* The limit was looked at when the connection was accepted; but clients that are held come in all
   * at once when verdicts change. */
  if (limit > 0 && detour_handshake_pool_n_registered (pool) >= limit)
    {
      detour_handshake_close (self, DETOUR_CLOSE_LIMIT);
      return;
    }
  if (!self->login.is_mesh)
    terms = detour_terms_table_choose (pool->parts.terms, verdict != NULL ? verdict->class_ : NULL,
                                       handshake_asking_tenant_name (self));
  if (terms != NULL && !detour_terms_enter (terms, &refusal))
    {
      handshake_asking_refuse_terms (self, verdict, &refusal);
      return;
    }
  session = g_new0 (DetourSession, 1);
  handshake_asking_log_login (self, verdict != NULL ? verdict->label : NULL);
  handshake_asking_note_join (self, verdict);
  detour_login_server_info (&self->login, NULL, info);
  session->fd = self->io.fd;
  session->channel = self->channel;
  session->number = self->number;
  session->key = self->login.key;
  session->is_mesh = self->login.is_mesh;
  session->traits = detour_client_traits (self->upgrade.kind, &self->login);
  session->verdict = verdict != NULL ? detour_verdict_ref (verdict) : NULL;
  session->terms = g_steal_pointer (&terms);
  if (self->tenant != NULL)
    session->visit = detour_tenant_enter (self->tenant);
  session->listener = g_intern_string (self->listener->instance);
  session->address_key = self->counted;
  handshake_asking_fill_presence (self, &session->presence);
  session->client.output = g_byte_array_append (g_byte_array_new (), info, sizeof info);
  if (self->out->len > 0)
    session->sealed = g_byte_array_ref (self->out);
  if (self->plain->len > 0)
    session->input = g_byte_array_ref (self->plain);

  /* Who was held before has waited for something else. */
  if (self->state != DETOUR_HANDSHAKE_ASKING_AGAIN)
    handshake_asking_measure_login (self);
  detour_handshake_retire (self);
  detour_worker_adopt (handshake_asking_choose_worker (pool), session);
}

/* A stranger can make keys without end, so only some refusals are logged. */
static void
handshake_asking_log_refusal (DetourHandshake *self, const DetourVerdict *verdict)
{
  DetourHandshakeThread *thread = self->thread;
  g_autofree char *key = detour_key_to_text (&self->login.key);
  char address[DETOUR_ADDRESS_TEXT_MAX], addresses[DETOUR_HANDSHAKE_ADDRESSES_MAX];
  GLogLevelFlags level = detour_log_limit_level (&thread->refusals,
                                                 detour_loop_now_us (thread->loop));

  detour_address_format ((struct sockaddr *) &self->peer, address);
  g_log_structured (G_LOG_DOMAIN, level, DETOUR_LOG_EVENT, "client-refused", DETOUR_LOG_KEY, key,
                    DETOUR_LOG_ADDRESS, address, DETOUR_LOG_LISTENER, self->listener->instance,
                    DETOUR_LOG_INSTANCE, verdict->instance, "MESSAGE",
                    "refused %s from %s: %s (%s)", key,
                    detour_handshake_format_addresses (self, addresses),
                    detour_verdict_reason (verdict), verdict->instance);
}

static void
handshake_asking_refuse (DetourHandshake *self, const DetourVerdict *verdict)
{
  DetourHandshakeThread *thread = self->thread;

  detour_counter_add (&thread->counters.refused, 1);
  if (self->tenant != NULL)
    detour_tenant_note_refusal (self->tenant);
  handshake_asking_log_refusal (self, verdict);
  if (thread->refuse_hold_us == 0)
    {
      detour_handshake_close (self, DETOUR_CLOSE_REFUSED);
      return;
    }

  detour_handshake_enter (self, DETOUR_HANDSHAKE_HELD);
}

static void handshake_asking_begin (DetourHandshake *self);

/* A thread of the pool has the verdict. Tenants may be others by now, and then it is about another
 * chain. */
static void
handshake_asking_on_verdict (DetourLoop *loop, gpointer data)
{
  DetourHandshakeAsking *asking = data;
  DetourHandshake *self = asking->handshake;

  if (self != NULL)
    {
      self->asking = NULL;
      handshake_asking_measure_admission (self);
      if (handshake_asking_choose_tenant (self))
        handshake_asking_begin (self);
      else if (asking->verdict->result == DETOUR_AUTH_ALLOW)
        handshake_asking_admit (self, asking->verdict);
      else
        handshake_asking_refuse (self, asking->verdict);
      handshake_asking_unref (asking);
    }
  handshake_asking_unref (asking);
}

/* Main thread. */
static void
handshake_asking_on_admission (DetourVerdict *verdict, gpointer data)
{
  DetourHandshakeAsking *asking = data;

  asking->verdict = detour_verdict_ref (verdict);
  g_mutex_lock (&asking->lock);
  if (asking->loop != NULL)
    {
      g_atomic_ref_count_inc (&asking->refs);
      detour_loop_post (asking->loop, handshake_asking_on_verdict, asking);
    }
  g_mutex_unlock (&asking->lock);
  handshake_asking_unref (asking);
}

static DetourAuthRequest *
handshake_asking_make_request (const DetourHandshake *self)
{
  DetourAuthRequest fields = { .prober = self->login.is_prober };
  char address[DETOUR_ADDRESS_TEXT_MAX];
  DetourChannelInfo info;

  detour_channel_info (&self->channel, &info);
  memcpy (fields.key, self->login.key.bytes, DETOUR_KEY_SIZE);
  fields.address = detour_address_format_host ((const struct sockaddr *) &self->peer, address);
  fields.sni = info.sni;
  fields.listener = self->listener->instance;
  fields.app_name = self->login.app_name;
  fields.tenant = handshake_asking_tenant_name (self);
  return detour_auth_request_new (&fields);
}

static void
handshake_asking_begin (DetourHandshake *self)
{
  DetourHandshakeAsking *asking = g_new0 (DetourHandshakeAsking, 1);

  if (self->request == NULL)
    self->request = handshake_asking_make_request (self);
  g_atomic_ref_count_init (&asking->refs);
  g_atomic_ref_count_inc (&asking->refs);
  g_mutex_init (&asking->lock);
  asking->loop = self->thread->loop;
  self->asked_us = g_get_monotonic_time ();
  asking->handshake = self;
  self->asking = asking;
  detour_admission_ask (self->thread->pool->parts.admission, self->request,
                        handshake_asking_on_admission, asking);
}

void
detour_handshake_ask_again (DetourHandshake *self)
{
  if (self->state != DETOUR_HANDSHAKE_HELD)
    return;
  detour_handshake_enter (self, DETOUR_HANDSHAKE_ASKING_AGAIN);
  handshake_asking_choose_tenant (self);
  handshake_asking_begin (self);
}

void
detour_handshake_ask (DetourHandshake *self)
{
  self->asked_us = detour_handshake_now_us (self);
  /* Mesh connections are of no tenant. */
  if (!self->login.is_mesh)
    handshake_asking_choose_tenant (self);
  if (self->login.is_mesh || detour_admission_is_open (self->thread->pool->parts.admission))
    {
      handshake_asking_admit (self, NULL);
      return;
    }
  detour_handshake_enter (self, DETOUR_HANDSHAKE_ASKING);
  handshake_asking_begin (self);
}
