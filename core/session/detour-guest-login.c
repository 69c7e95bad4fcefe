/* detour-guest-login.c: the login of a guest: who it is, whether it is admitted, and the way to
 * its worker.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-guest-private.h"

#include "detour-address.h"

/* A question outlives the guest that asked it. */
struct _DetourTicket {
  gatomicrefcount refs;
  GMutex lock;
  DetourLoop *loop;   /* under the lock; NULL: the guest is gone */
  DetourGuest *guest; /* the thread of the pool only */
  DetourAuthResult result;
  char *label;
  char *source;
  char *reason;
};

static void
guest_login_ticket_unref (gpointer data)
{
  DetourTicket *ticket = data;

  if (!g_atomic_ref_count_dec (&ticket->refs))
    return;
  g_mutex_clear (&ticket->lock);
  g_free (ticket->label);
  g_free (ticket->source);
  g_free (ticket->reason);
  g_free (ticket);
}

void
detour_guest_drop_question (DetourGuest *self)
{
  DetourTicket *ticket = g_steal_pointer (&self->ticket);

  if (ticket == NULL)
    return;
  g_mutex_lock (&ticket->lock);
  ticket->loop = NULL;
  g_mutex_unlock (&ticket->lock);
  ticket->guest = NULL;
  guest_login_ticket_unref (ticket);
}

static guint8
guest_login_present_flags (const DetourGuest *self)
{
  guint8 flags = 0;

  if (self->login.is_mesh)
    flags |= DETOUR_FRAME_PRESENT_MESH;
  if (self->login.is_prober)
    flags |= DETOUR_FRAME_PRESENT_PROBER;
  if (self->not_ideal)
    flags |= DETOUR_FRAME_PRESENT_NOT_IDEAL;
  return flags != 0 ? flags : DETOUR_FRAME_PRESENT_REGULAR;
}

static void
guest_login_fill_presence (const DetourGuest *self, DetourPresence *presence)
{
  if (detour_address_bytes ((const struct sockaddr *) &self->peer, presence->ip))
    presence->port = self->peer.ss_family == AF_INET6
                       ? g_ntohs (((const struct sockaddr_in6 *) &self->peer)->sin6_port)
                       : g_ntohs (((const struct sockaddr_in *) &self->peer)->sin_port);
  presence->flags = guest_login_present_flags (self);
  presence->name_len = (guint8) strlen (self->login.app_name);
  memcpy (presence->name, self->login.app_name, presence->name_len);
}

/* The worker with the fewest connections. */
static DetourWorker *
guest_login_choose_worker (const DetourHandshakePool *pool)
{
  DetourWorker *best = pool->parts.workers[0];

  for (guint i = 1; i < pool->parts.n_workers; i++)
    if (detour_worker_n_conns (pool->parts.workers[i]) < detour_worker_n_conns (best))
      best = pool->parts.workers[i];
  return best;
}

static void
guest_login_log_login (const DetourGuest *self, const char *label)
{
  g_autofree char *key = detour_key_to_text (&self->login.key);
  char short_key[9], address[DETOUR_ADDRESS_TEXT_MAX];

  detour_key_to_short (&self->login.key, short_key);
  detour_address_format ((const struct sockaddr *) &self->peer, address);
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_DEBUG, DETOUR_LOG_KEY, key, DETOUR_LOG_ADDRESS,
                    address, DETOUR_LOG_LISTENER, self->listener->instance, "MESSAGE",
                    "client %s%s%s: connected from %s", short_key, label != NULL ? " " : "",
                    label != NULL ? label : "", address);
}

static void
guest_login_admit (DetourGuest *self, const char *label)
{
  DetourHandshakePool *pool = self->thread->pool;
  DetourSession *session = g_new0 (DetourSession, 1);
  guint8 info[DETOUR_LOGIN_SERVER_INFO_SIZE];

  guest_login_log_login (self, label);
  detour_login_server_info (&self->login, NULL, info);
  session->fd = self->io.fd;
  session->channel = self->channel;
  session->number = self->number;
  session->key = self->login.key;
  session->is_mesh = self->login.is_mesh;
  session->label = g_strdup (label);
  session->listener = g_intern_string (self->listener->instance);
  session->source = self->source;
  guest_login_fill_presence (self, &session->presence);
  session->output = g_byte_array_append (g_byte_array_new (), info, sizeof info);
  if (self->out->len > 0)
    session->sealed = g_byte_array_ref (self->out);
  if (self->plain->len > 0)
    session->input = g_byte_array_ref (self->plain);

  detour_guest_retire (self);
  detour_worker_adopt (guest_login_choose_worker (pool), session);
}

/* Everyone can produce keys without end, so the log takes only some of them. */
static void
guest_login_log_refusal (DetourGuest *self, const DetourTicket *ticket)
{
  DetourHandshakeThread *thread = self->thread;
  g_autofree char *key = detour_key_to_text (&self->login.key);
  char address[DETOUR_ADDRESS_TEXT_MAX];
  GLogLevelFlags level = detour_log_limit_level (&thread->refusals,
                                                 detour_loop_now_us (thread->loop));

  detour_address_format ((struct sockaddr *) &self->peer, address);
  g_log_structured (G_LOG_DOMAIN, level, DETOUR_LOG_KEY, key, DETOUR_LOG_ADDRESS, address,
                    DETOUR_LOG_LISTENER, self->listener->instance, DETOUR_LOG_INSTANCE,
                    ticket->source, "MESSAGE", "refused %s from %s: %s (%s)", key, address,
                    ticket->reason != NULL ? ticket->reason : "no reason given", ticket->source);
}

static void
guest_login_refuse (DetourGuest *self, const DetourTicket *ticket)
{
  DetourHandshakeThread *thread = self->thread;

  detour_counter_add (&thread->counters.refused, 1);
  guest_login_log_refusal (self, ticket);
  if (thread->refuse_hold_us == 0)
    {
      detour_guest_close (self, DETOUR_CLOSE_REFUSED);
      return;
    }

  detour_guest_set_state (self, DETOUR_GUEST_HELD);
  detour_guest_leave_half_open (self);
  g_queue_push_tail_link (&thread->held, &self->queue_link);
  detour_handshake_pool_adjust (&thread->pool->n_held, 1);
  detour_guest_set_limit (self, thread->refuse_hold_us);
  detour_guest_set_events (self);
  if (detour_handshake_pool_n_held (thread->pool) > DETOUR_HANDSHAKE_POOL_HELD_MAX)
    detour_guest_close (thread->held.head->data, DETOUR_CLOSE_REFUSED);
}

/* A thread of the pool has the verdict. */
static void
guest_login_on_verdict (DetourLoop *loop, gpointer data)
{
  DetourTicket *ticket = data;
  DetourGuest *self = ticket->guest;

  if (self != NULL)
    {
      self->ticket = NULL;
      if (ticket->result == DETOUR_AUTH_ALLOW)
        guest_login_admit (self, ticket->label);
      else
        guest_login_refuse (self, ticket);
      guest_login_ticket_unref (ticket);
    }
  guest_login_ticket_unref (ticket);
}

/* Main thread. */
static void
guest_login_on_admission (const DetourAdmissionVerdict *verdict, gpointer data)
{
  DetourTicket *ticket = data;

  ticket->result = verdict->result;
  ticket->label = g_strdup (verdict->label);
  ticket->source = g_strdup (verdict->source);
  ticket->reason = g_strdup (verdict->reason);

  g_mutex_lock (&ticket->lock);
  if (ticket->loop != NULL)
    {
      g_atomic_ref_count_inc (&ticket->refs);
      detour_loop_post (ticket->loop, guest_login_on_verdict, ticket);
    }
  g_mutex_unlock (&ticket->lock);
  guest_login_ticket_unref (ticket);
}

static void
guest_login_ask (DetourGuest *self)
{
  DetourQuestion question = { .key = self->login.key, .prober = self->login.is_prober };
  char source[DETOUR_ADDRESS_TEXT_MAX];
  DetourChannelInfo info;

  self->ticket = g_new0 (DetourTicket, 1);
  g_atomic_ref_count_init (&self->ticket->refs);
  g_atomic_ref_count_inc (&self->ticket->refs);
  g_mutex_init (&self->ticket->lock);
  self->ticket->loop = self->thread->loop;
  self->ticket->guest = self;

  detour_channel_info (&self->channel, &info);
  detour_address_format_host ((struct sockaddr *) &self->peer, source);
  g_strlcpy (question.source, source, sizeof question.source);
  question.sni = (char *) info.sni;
  question.listener = self->listener->instance;
  g_strlcpy (question.app_name, self->login.app_name, sizeof question.app_name);
  detour_admission_ask (self->thread->pool->parts.admission, &question, guest_login_on_admission,
                        self->ticket);
}

void
detour_guest_ask_again (DetourGuest *self)
{
  detour_guest_leave_held (self);
  detour_guest_set_state (self, DETOUR_GUEST_ASKING);
  detour_guest_set_limit (self, 0);
  guest_login_ask (self);
}

/* FALSE: closed, or waits for something. */
gboolean
detour_guest_on_login (DetourGuest *self)
{
  DetourHandshakeThread *thread = self->thread;
  const DetourHandshakePoolParts *parts = &thread->pool->parts;
  const char *reason = NULL;
  DetourFrame frame;
  DetourFrameVerdict verdict = detour_login_parse (self->plain->data, self->plain->len, &frame);

  if (verdict == DETOUR_FRAME_MORE)
    return FALSE;
  if (verdict != DETOUR_FRAME_OK
      || !detour_login_open (frame.payload, frame.len, parts->server_secret,
                             thread->has_mesh_key ? thread->mesh_key : NULL, &self->login, &reason))
    {
      g_debug ("login refused: %s",
               reason != NULL ? reason : "not a ClientInfo frame of an acceptable length");
      detour_guest_close (self, DETOUR_CLOSE_LOGIN);
      return FALSE;
    }

  detour_counter_add (&thread->counters.logins, 1);
  g_byte_array_remove_range (self->plain, 0, DETOUR_FRAME_HEADER_SIZE + frame.len);
  detour_guest_set_state (self, DETOUR_GUEST_ASKING);
  detour_guest_set_limit (self, 0);
  if (self->login.is_mesh || detour_admission_is_open (parts->admission))
    guest_login_admit (self, NULL);
  else
    {
      detour_guest_set_events (self);
      guest_login_ask (self);
    }
  return FALSE;
}
